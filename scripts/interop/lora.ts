// Adapters against PEFT, both ways: writes cases (a base, an adapter that was trained here, its log-probabilities and the gradient of
// the adapter) and has lora.py compare them with what PEFT computes from the same files.
//
//   node scripts/interop/lora.ts [--python PYTHON]
//
// Cases are a tiny random model and, where SQLM_MODELS names a folder with SmolLM2-135M-Instruct*.gguf, that model. Skips with a reason
// where Python, torch or peft are missing. Nothing in the project needs this script to work.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openOnnxEngine } from "../../src/engine/onnx/onnx-engine.ts";
import { createModel } from "../../src/model/create-model.ts";
import { writeMergedModel } from "../../src/model/merge-adapter.ts";
import { openModelFolder, readWeights, writeModelFolder } from "../../src/model/model-folder.ts";
import { readSafetensors, writeSafetensors } from "../../src/model/safetensors.ts";
import { randomStream } from "../../src/random.ts";
import type { Datum } from "../../src/types.ts";

const update = { learningRate: 2e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 };

/** Trains an adapter of the base a little, so that no part of it is as it was made, and records what it computes. */
async function writeCase(folder: string, base: string, lengths: readonly number[]): Promise<void> {
  await using engine = await openOnnxEngine({ model: base, threads: 2, loraRank: 4, loraAlpha: 12, weights: "f32" });
  await using policy = await engine.openPolicy();
  const { vocabSize } = openModelFolder(base).config;
  const random = randomStream("interop", folder.length, lengths.length);
  const data = lengths.map((length): Datum => {
    const tokens = Array.from({ length }, () => random.integer(0, vocabSize - 1));
    const zeros = tokens.map(() => 0);
    const weights = tokens.map((_, i) => (i < 3 ? 0 : 0.05 + 0.05 * random.next()));
    return { tokens, weights, logprobs: zeros, advantages: zeros };
  });
  for (let step = 0; step < 3; step++) {
    await policy.forwardBackward(data, "cross_entropy");
    await policy.optimStep(update);
  }
  const adapter = join(folder, "adapter");
  mkdirSync(adapter, { recursive: true });
  await policy.save(adapter, { optimizer: false });
  const logprobs = await policy.score(data.map(({ tokens }) => tokens));
  const { metrics } = await policy.forwardBackward(data, "cross_entropy");
  // With no memory the first moment is the gradient; the weights stay.
  await policy.optimStep({ ...update, learningRate: 0, beta1: 0, beta2: 0, gradClipNorm: 0 });
  const state = join(folder, "state");
  mkdirSync(state);
  await policy.save(state, { optimizer: true });
  const { tensors } = readSafetensors(join(state, "optimizer.safetensors"));
  const gradients = [...tensors]
    .filter(([name]) => name.startsWith("m:"))
    .map(([name, tensor]) => [name.slice(2), tensor] as const);
  writeSafetensors(join(folder, "gradients.safetensors"), new Map(gradients), {});
  rmSync(state, { recursive: true });
  const merged = join(folder, "merged");
  mkdirSync(merged);
  writeMergedModel(adapter, merged);
  const sequences = data.map(({ tokens, weights }) => ({ tokens, weights }));
  writeFileSync(join(folder, "expected.json"), JSON.stringify({ base, sequences, logprobs, loss: metrics["loss"] }));
}

/** The checkpoint as a Hugging Face folder of float32 weights, which both sides read. */
function asFolder(gguf: string, folder: string): string {
  const model = openModelFolder(gguf);
  mkdirSync(folder, { recursive: true });
  writeModelFolder(folder, model.companions, readWeights(model));
  return folder;
}

const { values } = parseArgs({
  options: { python: { type: "string", default: process.env["SQLM_PYTHON"] ?? "python3" } },
});
const probe = spawnSync(values.python, ["-c", "import torch, transformers, peft, safetensors"], { encoding: "utf8" });
if (probe.status !== 0) {
  const reason = probe.error?.message ?? probe.stderr.trim().split("\n").at(-1);
  console.log(
    `Skipped: ${reason}. Give a Python that has torch, transformers and peft: --python PATH, or SQLM_PYTHON.`,
  );
  process.exit(0);
}
const out = mkdtempSync(join(tmpdir(), "sqlm-interop-"));
try {
  for (const architecture of ["LlamaForCausalLM", "Qwen2ForCausalLM"] as const) {
    const base = join(out, "bases", architecture);
    const shape = { characters: "0123456789+-*=?", hiddenSize: 64, intermediateSize: 96, layers: 3, heads: 4 };
    createModel(base, { ...shape, architecture, keyValueHeads: 2, maxPositions: 64, seed: 3, tiedEmbeddings: true });
    await writeCase(join(out, "cases", architecture), base, [5, 33, 17, 40]);
  }
  const models = process.env["SQLM_MODELS"];
  const checkpoint =
    models === undefined || !existsSync(models)
      ? undefined
      : readdirSync(models).find((name) => /^SmolLM2-135M-Instruct.*\.gguf$/.test(name));
  if (models === undefined || checkpoint === undefined) {
    console.log("Skipped SmolLM2-135M: SQLM_MODELS names no folder with SmolLM2-135M-Instruct*.gguf.");
  } else {
    const base = asFolder(join(models, checkpoint), join(out, "bases", "smollm2"));
    await writeCase(join(out, "cases", "smollm2-135m"), base, [24, 40]);
  }
  const script = join(import.meta.dirname, "lora.py");
  process.exitCode = spawnSync(values.python, [script, join(out, "cases")], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(out, { recursive: true });
}
