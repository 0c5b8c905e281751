// Writes, for each family, a model folder with random weights and this engine's logits and log-probabilities of some sequences, for
// cross-check-transformers.py to compare: `node scripts/cross-check.ts OUT [MODEL...]`. docs/cross-checks.md says how.
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { openOnnxEngine } from "../src/engine/onnx/onnx-engine.ts";
import { createModel, type NewModel } from "../src/model/create-model.ts";
import { openModelFolder } from "../src/model/model-folder.ts";
import { randomStream } from "../src/random.ts";
import type { Datum } from "../src/types.ts";
import { wholeLogits } from "./interop/whole-logits.ts";

const [out, ...models] = process.argv.slice(2);
if (out === undefined) {
  console.error("Usage: node scripts/cross-check.ts OUT [MODEL...]");
  process.exit(2);
}

const characters = "0123456789+-*=?";
const shape = { characters, hiddenSize: 64, intermediateSize: 96, layers: 3, heads: 4, maxPositions: 64, seed: 3 };
const families: Readonly<Record<string, NewModel>> = {
  llama: { ...shape, architecture: "LlamaForCausalLM" },
  qwen2: { ...shape, architecture: "Qwen2ForCausalLM", tiedEmbeddings: true, keyValueHeads: 2 },
  qwen3: { ...shape, architecture: "Qwen3ForCausalLM", tiedEmbeddings: true, keyValueHeads: 1 },
};

/** Exports `model` into `folder` after some training, so that no weight is left as it was drawn, and scores with it. */
async function writeCase(folder: string, model: string, train: boolean): Promise<void> {
  await using engine = await openOnnxEngine({ model, threads: 1 });
  await using policy = await engine.openPolicy();
  const { vocabSize } = openModelFolder(model).config;
  const random = randomStream("cross-check", basename(folder));
  const longest = Math.min(64, engine.capabilities.maxSequenceTokens);
  const sequences = [2, 9, 33, longest].map((length) => Array.from({ length }, () => random.integer(0, vocabSize - 1)));
  if (train) {
    const data = sequences.map(
      (tokens): Datum => ({
        tokens,
        weights: tokens.map((_, i) => (i === 0 ? 0 : 0.05)),
        logprobs: tokens.map(() => 0),
        advantages: tokens.map(() => 0),
      }),
    );
    for (let step = 0; step < 30; step++) {
      await policy.forwardBackward(data, "cross_entropy");
      await policy.optimStep({
        learningRate: 1e-2,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weightDecay: 0,
        gradClipNorm: 1,
      });
    }
  }
  mkdirSync(folder, { recursive: true });
  await policy.save(folder, { optimizer: false });
  const text = engine.tokenizer.decode(sequences[1]);
  const expected = {
    sequences,
    logprobs: await policy.score(sequences),
    logits: rowsOf((await wholeLogits(folder, [sequences[2]], "f32", 1))[0], vocabSize),
    text,
    textTokens: engine.tokenizer.encode(text),
  };
  writeFileSync(join(folder, "expected.json"), JSON.stringify(expected));
}

function rowsOf(logits: Float32Array, vocabSize: number): number[][] {
  const rows = logits.length / vocabSize;
  return Array.from({ length: rows }, (_, row) => [...logits.subarray(row * vocabSize, (row + 1) * vocabSize)]);
}

for (const [name, model] of Object.entries(families)) {
  const start = join(out, "start", name);
  createModel(start, model);
  await writeCase(join(out, "cases", name), start, true);
}
for (const model of models) await writeCase(join(out, "cases", basename(resolve(model))), model, false);
console.log(
  `Wrote ${join(out, "cases")}. Compare with: python scripts/cross-check-transformers.py ${join(out, "cases")}`,
);
