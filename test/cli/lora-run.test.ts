// A run that trains an adapter, from the command line: played, gone on with, asked, exported both ways, and refused beside other weights.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createModel } from "../../src/model/create-model.ts";
import { runCli, temporaryFolder } from "./scripted-parts.ts";

const shape = { characters: "0123456789+-*=SPD .?", hiddenSize: 32, intermediateSize: 64, layers: 2, heads: 2 };
const small = [
  ..."--groups-per-batch 2 --group-size 4 --eval-every 0 --eval-questions 2 --save-every 1 --threads 1".split(" "),
  ..."--min-agreement 0 --no-consistent-vote --learning-rate 0.01".split(" "),
];

function newModel(folder: string, name: string, seed: number): string {
  const model = join(folder, name);
  createModel(model, { ...shape, architecture: "LlamaForCausalLM", maxPositions: 64, seed });
  return model;
}

async function json<Result>(args: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await runCli([...args, "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Result;
}

test("an adapter is trained, resumed, asked, exported and merged", async () => {
  const folder = temporaryFolder();
  const model = newModel(folder, "base", 3);
  const workspace = ["--workspace", join(folder, "work")];
  const lora = ["--lora-rank", "4", "--lora-alpha", "8", "--lora-targets", "q_proj,down_proj"];
  const played = await json<{ run: string; checkpoint: string }>([
    ...["run", "arithmetic", "--model", model, "--steps", "2", ...lora],
    ...[...small, ...workspace],
  ]);
  const { run, checkpoint } = played;
  const weights = join(model, "model.safetensors");
  expect(existsSync(join(checkpoint, "model.safetensors"))).toBe(false);
  expect(statSync(join(checkpoint, "adapter_model.safetensors")).size).toBeLessThan(statSync(weights).size / 2);
  expect(JSON.parse(readFileSync(join(checkpoint, "base.json"), "utf8"))).toMatchObject({ model, digestOf: "all" });

  const resumed = await json<{ steps: number; checkpoint: string }>(["resume", run, "--steps", "3", ...workspace]);
  expect(resumed.steps).toBe(3);

  const adapter = join(folder, "adapter");
  const merged = join(folder, "merged");
  await json(["export", "adapter", run, "--to", adapter, ...workspace]);
  await json(["export", "model", run, "--to", merged, ...workspace]);
  expect(readdirSync(adapter).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
  expect(JSON.parse(readFileSync(join(adapter, "adapter_config.json"), "utf8"))).toMatchObject({
    peft_type: "LORA",
    r: 4,
    lora_alpha: 8,
    target_modules: ["q_proj", "down_proj"],
    base_model_name_or_path: model,
  });

  // The run, its adapter beside the base, and the merged model say the same.
  const asking = ["1+2=", "--topic", "arithmetic", "--votes", "6", "--threads", "1", "--seed", "4", ...workspace];
  const answers = [];
  for (const named of [[run], [model, "--adapter", adapter], [merged]]) {
    const { forms } = await json<{ forms: unknown }>(["ask", ...named, ...asking]);
    answers.push(forms);
  }
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[2]).toEqual(answers[0]);

  // Beside other weights the adapter is noise.
  const kept = readFileSync(weights);
  copyFileSync(join(newModel(folder, "other", 4), "model.safetensors"), weights);
  for (const args of [
    ["ask", run, ...asking],
    ["export", "model", run, "--to", join(folder, "late"), ...workspace],
  ]) {
    const { code, stderr } = await runCli(args);
    expect(code).not.toBe(0);
    expect(stderr).toContain("other weights");
  }
  writeFileSync(weights, kept);
  expect((await runCli(["ask", run, ...asking])).code).toBe(0);
}, 600_000);

test("settings that cannot be, and adapters that do not fit, are refused before any work", async () => {
  const folder = temporaryFolder();
  const model = newModel(folder, "base", 3);
  const workspace = ["--workspace", join(folder, "work")];
  const run = (...args: string[]) => runCli(["run", "arithmetic", "--model", model, ...small, ...workspace, ...args]);
  const broken = join(folder, "broken");
  mkdirSync(broken);
  writeFileSync(
    join(broken, "adapter_config.json"),
    JSON.stringify({ peft_type: "LORA", r: 4, lora_alpha: 8, use_dora: true }),
  );
  for (const [args, says] of [
    [["--lora-rank", "0", "--lora-alpha", "8"], "changes nothing"],
    [["--lora-rank", "0", "--weights", "int8"], "changes nothing"],
    [["--weights", "int8"], "cannot train"],
    [["--lora-rank", "4", "--lora-targets", "q_porj"], 'Did you mean "q_proj"'],
    [["--adapter", join(folder, "nowhere")], "holds no adapter_config.json"],
    [["--adapter", broken], "use_dora"],
  ] as const) {
    const { code, stderr } = await run(...args);
    expect(code, stderr).not.toBe(0);
    expect(stderr).toContain(says);
  }
  const none = await runCli(["export", "adapter", "nothing", "--to", join(folder, "x"), ...workspace]);
  expect(none.code).not.toBe(0);
});
