// One function finds models for the command line and the library: whatever a config or a user may call one.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { UsageError } from "../../src/errors.ts";
import { findModel, packageRoot, shippedModels } from "../../src/model/find-model.ts";
import { temporaryFolder } from "../cli/scripted-parts.ts";

const shipped = (name: string): string => join(packageRoot, "models", name);

/** A workspace with a run that has checkpoints of these steps. */
function workspaceOf(run: string, steps: readonly number[]): { workspace: string; folder: (step: number) => string } {
  const workspace = temporaryFolder();
  const folder = (step: number): string =>
    join(workspace, "runs", run, "checkpoints", `step-${String(step).padStart(6, "0")}`);
  mkdirSync(join(workspace, "runs", run, "checkpoints"), { recursive: true });
  for (const step of steps) {
    mkdirSync(folder(step));
    writeFileSync(join(folder(step), "config.json"), "{}");
  }
  return { workspace, folder };
}

it("finds shipped models by name, by path in the package, and as the seed of their topic", () => {
  for (const name of shippedModels()) {
    for (const model of [name, `models/${name}`, shipped(name)]) expect(findModel({ model })).toBe(shipped(name));
    expect(findModel({ model: "seed", topic: name })).toBe(shipped(name));
  }
  // The schema's defaults name a model.
  expect(findModel(runConfigSchema.parse({}))).toBe(shipped("arithmetic"));
});

it("finds the newest checkpoint of a run, before a shipped model of the same name", () => {
  const { workspace, folder } = workspaceOf("arithmetic", [9, 10, 100]);
  expect(findModel({ model: "arithmetic", workspace })).toBe(folder(100));
  expect(findModel({ model: folder(9), workspace })).toBe(folder(9));
  expect(findModel({ model: "arithmetic" })).toBe(shipped("arithmetic"));
});

it("of a server's model finds the tokenizer: a folder, a shipped model, a GGUF file", () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "tokenizer.json"), "{}");
  const file = join(folder, "model.gguf");
  writeFileSync(file, "GGUF");
  const of = (tokenizer: string): string => findModel({ engine: "tinker", model: "org/served", tokenizer });
  expect(of(folder)).toBe(folder);
  expect(of(file)).toBe(file);
  expect(of("arithmetic")).toBe(shipped("arithmetic"));
  expect(() => of(join(folder, "other.gguf"))).toThrow(/no tokenizer ".*other\.gguf"/);
});

it("says what to do where there is none", () => {
  const { workspace } = workspaceOf("young", []);
  const problems: readonly (readonly [request: Parameters<typeof findModel>[0], message: RegExp, hint: RegExp])[] = [
    [
      { model: "seed", topic: "./my-topic.ts" },
      /topic \.\/my-topic\.ts comes without a model/,
      /--model FOLDER.*settings: \{ model/,
    ],
    [{ model: "seed" }, /no topic was named/, /openEngine\(config\)/],
    [{ model: "models/aritmetic" }, /no model .* Did you mean "arithmetic"/, /models\/arithmetic/],
    [{ model: temporaryFolder() }, /holds no config\.json/, /Hugging Face/],
    [{ model: "young", workspace }, /Run young has no checkpoint/, /sqlm resume young/],
    [{ model: "" }, /config\.json/, /Hugging Face/],
  ];
  for (const [request, message, hint] of problems) {
    try {
      findModel(request);
      expect.fail(`${JSON.stringify(request)} was found`);
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      expect((error as UsageError).message).toMatch(message);
      expect((error as UsageError).hint).toMatch(hint);
    }
  }
});

it("an engine takes the same names, and a config", async () => {
  const config = runConfigSchema.parse({ topic: "multiplication" });
  for (const request of [config, { model: config.model, topic: config.topic }, { model: "multiplication" }]) {
    await using engine = await openEngine(request);
    expect(engine.capabilities.name).toBe("onnx");
  }
  await expect(openEngine({ model: config.model })).rejects.toThrow("no topic was named");
});
