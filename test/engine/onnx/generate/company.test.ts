// The claim that a completion depends on its own ask alone, to the bit: tokens and log-probabilities, for models wide enough that the
// runtime shares work out among threads and sums in stretches. Narrower ones never show a difference.
import { afterAll, describe, expect, test } from "vitest";
import type { Ask, SampleOptions } from "../../../../src/engine/engine.ts";
import { createSampler } from "../../../../src/engine/onnx/generate/sampler.ts";
import { sequencesOf } from "../../../../src/engine/onnx/generate/sequences.ts";
import type { RunStep } from "../../../../src/engine/onnx/generate/stepped/compute-prompts.ts";
import { generate } from "../../../../src/engine/onnx/generate/stepped/generation.ts";
import { findInputDirections } from "../../../../src/engine/onnx/generate/stepped/input-directions.ts";
import { linearGroups, packAdapters } from "../../../../src/engine/onnx/generate/stepped/linear-groups.ts";
import { RowCaches } from "../../../../src/engine/onnx/generate/stepped/row-caches.ts";
import { StepSession } from "../../../../src/engine/onnx/generate/stepped/step-session.ts";
import { float32Tensor, type Tensor } from "../../../../src/engine/onnx/runtime/runtime.ts";
import { loadFrozenWeights } from "../../../../src/engine/onnx/transformer/frozen-weights.ts";
import { adapterLayout } from "../../../../src/engine/onnx/transformer/linear.ts";
import { adapterSpecs, type Lora, projections } from "../../../../src/model/lora.ts";
import type { ModelConfig } from "../../../../src/model/model-config.ts";
import { randomStream } from "../../../../src/random.ts";
import type { Completion } from "../../../../src/types.ts";
import { modelVariants, randomModel, weightSourceOf } from "../random-model.ts";

const lora: Lora = { rank: 16, alpha: 32, targets: projections };
const { llama } = modelVariants;

/** Widths above 128 and no multiples of it, head sizes 32 to 128, vocabularies that are no multiple of anything. */
const wide: Record<string, ModelConfig> = {
  "qwen2: biases, one key head for seven, tied": {
    ...llama,
    family: "qwen2",
    vocabSize: 1536,
    hiddenSize: 448,
    intermediateSize: 1216,
    heads: 7,
    keyValueHeads: 1,
    headSize: 64,
    queryKeyValueBias: true,
    tiedEmbeddings: true,
    maxPositions: 256,
  },
  "llama: a key head for each, biases, untied": {
    ...llama,
    vocabSize: 1001,
    hiddenSize: 192,
    intermediateSize: 512,
    heads: 3,
    keyValueHeads: 3,
    headSize: 64,
    queryKeyValueBias: true,
    outputBias: true,
    feedForwardBias: true,
    maxPositions: 256,
  },
  "qwen3: norms of queries and keys, wide heads": {
    ...llama,
    family: "qwen3",
    vocabSize: 777,
    hiddenSize: 160,
    intermediateSize: 480,
    heads: 4,
    keyValueHeads: 2,
    headSize: 128,
    queryKeyNorm: true,
    tiedEmbeddings: true,
    maxPositions: 256,
  },
  "smollm2: three query heads a key head": {
    ...llama,
    vocabSize: 2048,
    hiddenSize: 288,
    intermediateSize: 768,
    heads: 9,
    keyValueHeads: 3,
    headSize: 32,
    tiedEmbeddings: true,
    maxPositions: 256,
  },
};

/** Prompts that end inside, at and behind the ends of blocks and pieces; some begin alike; some are asked for several samples. */
function asksOf({ vocabSize }: ModelConfig): Ask[] {
  const random = randomStream("company", vocabSize);
  const tokens = (length: number): number[] => Array.from({ length }, () => random.integer(0, vocabSize - 1));
  const beginning = tokens(70);
  return [1, 2, 33, 65, 100, 7, 24].map((length, i) => ({
    promptTokens: [...(i % 3 === 0 ? beginning : []), ...tokens(length)],
    numSamples: i === 3 ? 9 : i === 5 ? 3 : 1,
    seed: i,
    first: 0,
  }));
}

/** Of an ask for several, one for each of its samples. */
const apart = (ask: Ask): Ask[] =>
  Array.from({ length: ask.numSamples }, (_, sample) => ({ ...ask, numSamples: 1, first: ask.first + sample }));

/** All ways for the first model, the first two for the others. */
const ways = [
  { weights: "int8", adapted: true, threads: 2 },
  { weights: "f32", adapted: true, threads: 2 },
  { weights: "int8", adapted: true, threads: 1 },
  { weights: "f32", adapted: true, threads: 1 },
  { weights: "int8", adapted: false, threads: 2 },
  { weights: "f32", adapted: false, threads: 2 },
] as const;
const drawing: SampleOptions = {
  maxTokens: 8,
  temperature: 1,
  // So many that some completions end early.
  stop: Array.from({ length: 150 }, (_, token) => token),
};
const other: Readonly<Record<string, SampleOptions>> = {
  greedy: { maxTokens: 4, temperature: 0, stop: [] },
  "a part of the vocabulary": { maxTokens: 4, temperature: 0.8, topP: 0.9, topK: 50, stop: [] },
};

describe.each(Object.entries(wide).map(([name, config], i) => ({ name, config, first: i === 0 })))(
  "$name",
  ({ config, first }) => {
    const model = randomModel(config, 5, 1.2);
    const asks = asksOf(config);

    /** `adapted` false leaves B at zero. */
    function adapterOf(adapted: boolean): Map<string, Tensor> {
      const random = randomStream("company's adapter");
      return new Map(
        adapterSpecs(config, lora).map(({ name, shape }) => {
          const zero = !adapted && name.endsWith("lora_B.weight");
          const data = Float32Array.from({ length: shape[0] * shape[1] }, () => (zero ? 0 : 0.05 * random.normal()));
          return [name, float32Tensor(shape, data)];
        }),
      );
    }

    describe.each(first ? ways : ways.slice(0, 2))(
      "$weights, adapter $adapted, $threads threads",
      ({ weights, adapted, threads }) => {
        const layout = adapterLayout(config, lora, weights === "int8");
        const frozen = loadFrozenWeights(layout, weightSourceOf(model, config));
        const adapter = adapterOf(adapted);
        const sampler = createSampler(layout, { threads, frozen });
        const sample = (own: readonly Ask[], settings: SampleOptions): Promise<Completion[][]> =>
          sampler.sample(adapter, own, settings);
        afterAll(() => sampler.dispose());

        const oneByOne = async (own: readonly Ask[], settings: SampleOptions): Promise<Completion[][]> => {
          const completions: Completion[][] = [];
          for (const ask of own) completions.push(...(await sample([ask], settings)));
          return completions;
        };

        test("alone, in company, in another order and apart", async () => {
          const together = await sample(asks, drawing);
          expect(await oneByOne(asks, drawing)).toEqual(together);
          expect((await sample(asks.toReversed(), drawing)).toReversed()).toEqual(together);
          expect((await oneByOne(apart(asks[5]), drawing)).flat()).toEqual(together[5]);
          expect((await sample(asks.flatMap(apart), drawing)).flat()).toEqual(together.flat());
          expect(new Set(together.flat().map(({ stopReason }) => stopReason)).size).toBe(2);
        });

        test.each(Object.entries(other))("alone and in company: %s", async (_, settings) => {
          expect(await oneByOne(asks.slice(0, 3), settings)).toEqual((await sample(asks, settings)).slice(0, 3));
        });

        test.runIf(first && adapted)("where rows wait for others, and go back for want of memory", async () => {
          const settings = { ...drawing, stop: [], maxTokens: 34 };
          const together = await sample(asks, settings);
          const packed = layout.blocks ? frozen : null;
          const directions = packed === null ? null : await findInputDirections(layout, packed, threads);
          const session = await StepSession.open({ layout, frozen: packed, directions, adapted, threads });
          const feeds = {
            ...Object.fromEntries(frozen),
            ...(adapted ? packAdapters(config, lora, linearGroups(config, layout.blocks), adapter) : {}),
          };
          const sequences = asks.flatMap(sequencesOf);
          let putBack = 0;
          const run: RunStep = (blocks, step) => session.run({ ...feeds, ...blocks }, step, settings);
          using caches = new RowCaches(config, sequences, run, { ownBlocks: 4, aheadBlocks: 4 });
          const original = caches.putBack.bind(caches);
          caches.putBack = (row) => {
            putBack++;
            original(row);
          };
          const limits = { rows: 128, states: 7, fewestRows: 4, blocks: 24 };
          const completions = await generate({ caches, sequences, settings, limits, onProgress: () => undefined });
          await session.dispose();
          expect(putBack).toBeGreaterThan(0);
          expect(completions).toEqual(together.flat());
        });
      },
    );
  },
);
