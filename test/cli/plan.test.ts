// `sqlm plan`, and a run's own plan: what it records, and what it refuses before anything is opened.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { projectParts } from "../../src/cli/parts.ts";
import type { EnginePlan } from "../../src/engine/work.ts";
import { writeAdapter } from "../../src/model/adapter.ts";
import { createModel } from "../../src/model/create-model.ts";
import { freshAdapter, projections } from "../../src/model/lora.ts";
import { openModelFolder } from "../../src/model/model-folder.ts";
import { runCli, temporaryFolder } from "./scripted-parts.ts";

const small = [
  "--groups-per-batch",
  "2",
  "--group-size",
  "4",
  "--eval-questions",
  "2",
  "--steps",
  "1",
  "--threads",
  "1",
];

function newModel(folder: string): string {
  const model = join(folder, "model");
  const shape = { characters: "0123456789+-*=SPD .?", hiddenSize: 32, intermediateSize: 64, layers: 2, heads: 2 };
  createModel(model, { ...shape, architecture: "LlamaForCausalLM", maxPositions: 64, seed: 3 });
  return model;
}

interface Planned extends EnginePlan {
  readonly peakBytes: number;
}

async function plan(...args: readonly string[]): Promise<Planned> {
  const { code, stdout, stderr } = await runCli(["plan", ...args, "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Planned;
}

test("memory by part, and time where it is measured", async () => {
  const planned = await plan("arithmetic", "--no-measure");
  expect(planned.time).toBeNull();
  expect(planned.memory.map(({ part }) => part)).toEqual(
    expect.arrayContaining(["process", "weights", "optimizer", "cache", "logits", "activations"]),
  );
  expect(planned.peakBytes).toBe(planned.memory.reduce((sum, { bytes }) => sum + bytes, 0));
  expect(planned.weights).toBe("all weights train, float32");
  const more = await plan("arithmetic", "--no-measure", "--groups-per-batch", "512");
  expect(more.peakBytes).toBeGreaterThan(planned.peakBytes);

  const timed = await plan("arithmetic", ...small);
  expect(timed.time?.map(({ stage }) => stage)).toEqual(["propose", "solve", "learn"]);
  for (const { seconds, tokens } of timed.time ?? []) {
    expect(seconds).toBeGreaterThan(0);
    expect(tokens).toBeGreaterThan(0);
  }
});

test("as text, with the settings that are given", async () => {
  const model = newModel(temporaryFolder());
  const { code, stdout } = await runCli([
    "plan",
    "arithmetic",
    "--model",
    model,
    "--lora-rank",
    "4",
    "--no-measure",
    ...small,
  ]);
  expect(code).toBe(0);
  expect(stdout).toContain("LoRA of rank 4 trains, base float32");
  expect(stdout).toMatch(/8 answers of up to \d+ tokens to 2 prompts of \d+/);
  expect(stdout).toMatch(/Together: a step takes up to [\d.]+ MB of [\d.]+ [GM]B of memory\./);
});

test("a run records what its micro-batches may take", async () => {
  const folder = temporaryFolder();
  const workspace = ["--workspace", join(folder, "work")];
  const args = ["run", "arithmetic", "--model", newModel(folder), "--lora-rank", "4", ...small, ...workspace];
  const { code, stderr } = await runCli(args);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/a step takes up to [\d.]+ MB of .* of memory; `sqlm plan` shows of what/);
  const { stdout } = await runCli(["show", "latest", "--json", ...workspace]);
  expect(stdout).toMatch(/"activationMemory":536/);
  const { stderr: refused } = await runCli([...args, "--lora-rank", "-1", "--activation-memory", "9"]);
  expect(refused).toContain("activationMemory");
});

test("a step that does not fit is refused before anything is opened, with what would fit", async () => {
  const folder = temporaryFolder();
  const openEngine = vi.fn(projectParts.openEngine);
  /** As if the machine had less memory: what float32 weights need beside all else is too much. */
  const planEngine: typeof projectParts.planEngine = async (options, work, how) => {
    const found = await projectParts.planEngine(options, work, how);
    const bytes = options.weights === "int8" ? 2e9 : 9e9;
    const memory = [...(found?.memory ?? []), { part: "ballast", bytes, about: "weight" }];
    return found === null ? null : { ...found, memory, availableBytes: 4e9 };
  };
  const model = newModel(folder);
  const args = ["arithmetic", "--model", model, "--lora-rank", "4", ...small, "--workspace", join(folder, "work")];
  const { code, stderr } = await runCli(["run", ...args], { planEngine, openEngine });
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /A step of this run would need 9\.\d+ GB of memory, most of it ballast, and 4\.\d+ GB are available\./,
  );
  expect(stderr).toContain("Give --weights int8 (2.");
  expect(openEngine).not.toHaveBeenCalled();
  const { stdout } = await runCli(["list", "--workspace", join(folder, "work"), "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ runs: [] });

  const hopeless: typeof planEngine = async (...options) => {
    const found = await planEngine(...options);
    return found === null ? null : { ...found, availableBytes: 0 };
  };
  const { stderr: none } = await runCli(["run", ...args], { planEngine: hopeless, openEngine });
  expect(none).toContain("Use a smaller model, or end other programs.");
});

test("a model too large for memory is refused before its weights are looked for", async () => {
  const folder = temporaryFolder();
  const model = newModel(folder);
  const path = join(model, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as object;
  const layers = { hidden_size: 16_384, intermediate_size: 65_536, num_hidden_layers: 400 };
  const heads = { num_attention_heads: 128, num_key_value_heads: 128, head_dim: 128 };
  writeFileSync(path, JSON.stringify({ ...config, ...layers, ...heads }));
  rmSync(join(model, "model.safetensors"));
  const workspace = ["--workspace", join(folder, "work")];
  const run = await runCli(["run", "arithmetic", "--model", model, ...small, ...workspace]);
  expect(run.stderr).toMatch(
    /^sqlm: A step of this run would need [\d.]+ TB of memory, most of it .*\n {2}Use a smaller model/m,
  );
  const ask = await runCli(["ask", model, "1+2=", "--topic", "arithmetic", ...workspace]);
  expect(ask.stderr).toMatch(/The weights of .* need [\d.]+ GB, and [\d.]+ GB of memory are left on this machine\./);
});

test("replies longer than the model's context, and an adapter of another model, are refused by the plan too", async () => {
  const folder = temporaryFolder();
  const model = newModel(folder);
  const long = await runCli(["plan", "arithmetic", "--model", model, "--max-answer-tokens", "500", "--no-measure"]);
  expect(long.stderr).toContain("needs longer replies than the model's 64 tokens");
  const adapter = join(folder, "adapter");
  mkdirSync(adapter);
  const other = { ...openModelFolder(model).config, hiddenSize: 48 };
  const lora = { rank: 4, alpha: 8, targets: projections };
  writeAdapter(adapter, { lora, base: "elsewhere" }, freshAdapter(other, lora, 1));
  const foreign = await runCli(["plan", "arithmetic", "--model", model, "--adapter", adapter, "--no-measure"]);
  expect(foreign.stderr).toContain("The adapter belongs to another model or rank.");
});
