// Adapters against PEFT, both ways: writes cases (a base, an adapter that was trained here, its log-probabilities and the gradient of
// the adapter) and has lora.py compare them with what PEFT computes from the same files.
//
//   [SQLM_MODELS=FOLDER] [SQLM_PYTHON=python3] node scripts/interop/lora.ts
//
// Cases are tiny random models and every GGUF file in SQLM_MODELS. Skips with a reason where Python, torch or peft are missing. Nothing
// in the project needs this script to work.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { openOnnxEngine } from "../../src/engine/onnx/onnx-engine.ts";
import { createModel } from "../../src/model/create-model.ts";
import { writeMergedModel } from "../../src/model/merge-adapter.ts";
import { openModelFolder } from "../../src/model/model-folder.ts";
import { readSafetensors, writeSafetensors } from "../../src/model/safetensors.ts";
import { randomStream } from "../../src/random.ts";
import type { Datum } from "../../src/types.ts";
import { findGgufModels, needPython, runPython } from "./python.ts";
import { asFolder } from "./whole-logits.ts";

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

/**
 * Writes a case in `work` for an adapter of `base`, a Hugging Face folder, and has PEFT compute the same; true where all agrees. The case
 * is removed: merged models are large.
 */
export async function compareAdapter(
  work: string,
  name: string,
  base: string,
  lengths: readonly number[],
): Promise<boolean> {
  const cases = join(work, "adapters");
  try {
    await writeCase(join(cases, name), base, lengths);
    return runPython("lora.py", cases);
  } finally {
    rmSync(cases, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  needPython("torch", "transformers", "peft", "safetensors");
  const work = mkdtempSync(join(tmpdir(), "sqlm-interop-"));
  try {
    for (const architecture of ["LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"] as const) {
      const base = join(work, "bases", architecture);
      const shape = { characters: "0123456789+-*=?", hiddenSize: 64, intermediateSize: 96, layers: 3, heads: 4 };
      createModel(base, { ...shape, architecture, keyValueHeads: 2, maxPositions: 64, seed: 3, tiedEmbeddings: true });
      if (!(await compareAdapter(work, architecture, base, [5, 33, 17, 40]))) process.exitCode = 1;
    }
    const { paths, lacking } = findGgufModels();
    if (lacking !== null) console.log(`Skipped checkpoints: ${lacking}`);
    for (const path of paths) {
      const base = asFolder(path, join(work, "base"));
      if (!(await compareAdapter(work, basename(path, ".gguf"), base, [24, 40]))) process.exitCode = 1;
      rmSync(base, { recursive: true });
    }
  } finally {
    rmSync(work, { recursive: true });
  }
}
