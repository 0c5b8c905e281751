// Claims of the memory plan: it keeps to its budget, more room never means less kept, and what a plan decides changes memory and
// time, never a gradient.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { float32Tensor } from "../../../../src/engine/onnx/runtime/runtime.ts";
import { SessionCache } from "../../../../src/engine/onnx/runtime/session-cache.ts";
import {
  activationBudget,
  mostPassing,
  planMicroBatch,
  planMicroBatches,
  trainingWork,
  vocabularySlice,
} from "../../../../src/engine/onnx/train/memory.ts";
import { PackedRuns } from "../../../../src/engine/onnx/train/packed-runs.ts";
import { adapterLayout } from "../../../../src/engine/onnx/transformer/linear.ts";
import { adapterSpecs, type Lora, projections } from "../../../../src/model/lora.ts";
import type { ModelConfig } from "../../../../src/model/model-config.ts";
import { randomStream } from "../../../../src/random.ts";
import type { Datum } from "../../../../src/types.ts";
import { modelVariants, randomModel } from "../random-model.ts";

const lora: Lora = { rank: 3, alpha: 5, targets: projections };
/** The shapes of SmolLM2-135M and Qwen2.5-0.5B and 1.5B. */
const real = (hiddenSize: number, intermediateSize: number, layers: number, heads: number, keyValueHeads: number) => ({
  ...modelVariants.llama,
  vocabSize: 151_936,
  hiddenSize,
  intermediateSize,
  layers,
  heads,
  keyValueHeads,
  headSize: hiddenSize / heads,
  tiedEmbeddings: true,
});
const shapes: ModelConfig[] = [
  real(576, 1536, 30, 9, 3),
  real(896, 4864, 24, 14, 2),
  real(1536, 8960, 28, 12, 2),
  modelVariants.llama,
];

describe("planMicroBatch", () => {
  const sizes = fc.record({ rows: fc.integer({ min: 1, max: 3000 }), scores: fc.integer({ min: 0, max: 5e6 }) });
  const budgets = fc.integer({ min: 2 ** 20, max: 2 ** 32 });

  test("stays within its budget, and its parts are its total", () => {
    fc.assert(
      fc.property(fc.constantFrom(...shapes), fc.boolean(), sizes, budgets, (config, blocks, size, budget) => {
        const layout = adapterLayout(config, lora, blocks);
        const plan = planMicroBatch(layout, size, budget);
        expect(trainingWork(layout, size, budget) === Number.POSITIVE_INFINITY).toBe(plan === null);
        if (plan === null) return;
        expect(plan.total).toBeLessThanOrEqual(budget);
        const layer = Math.max(plan.layerActivations, plan.logits);
        expect(plan.total).toBe(plan.hiddenStates + plan.kept + plan.layerWeights + layer);
        expect(plan.keptLayers).toBeLessThanOrEqual(config.layers);
        const roomier = planMicroBatch(layout, size, 2 * budget)!;
        expect(roomier.keptLayers).toBeGreaterThanOrEqual(plan.keptLayers);
        expect(trainingWork(layout, size, 2 * budget)).toBeLessThanOrEqual(trainingWork(layout, size, budget));
      }),
    );
  });

  test("micro-batches of one call stay within the budget together: what is kept of any beside what any computes in", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...shapes),
        fc.array(sizes, { minLength: 1, maxLength: 5 }),
        budgets,
        (config, all, budget) => {
          const layout = adapterLayout(config, lora, true);
          const fitting = all.filter((size) => planMicroBatch(layout, size, budget) !== null);
          const plans = planMicroBatches(layout, fitting, budget);
          const passing = mostPassing(plans);
          for (const plan of plans) {
            expect(plan.total).toBe(plan.hiddenStates + plan.kept + passing);
            if (plan.keptLayers > 0) expect(plan.total).toBeLessThanOrEqual(budget);
          }
        },
      ),
    );
  });

  test("a slice of the vocabulary is small, however many rows look at it", () => {
    fc.assert(
      fc.property(fc.constantFrom(...shapes), fc.integer({ min: 1, max: 1e5 }), (config, picks) => {
        const slice = vocabularySlice(config, picks);
        expect(slice).toBeLessThanOrEqual(config.vocabSize);
        expect(slice).toBeGreaterThan(0);
        // Beyond the least slice, 32 MB of the head and 16 MB of logits.
        if (slice > 256) {
          expect(4 * slice * config.hiddenSize).toBeLessThanOrEqual(2 ** 25);
          expect(4 * slice * picks).toBeLessThanOrEqual(2 ** 24);
        }
      }),
    );
  });

  test.each(shapes.map((config) => [config.hiddenSize, config] as const))(
    "a question with 8 answers of 256 tokens fits the default budget, hidden size %i",
    (_, config) => {
      const size = { rows: 300 + 2 * 256, scores: 300 ** 2 + 2 * 256 * 556 };
      expect(planMicroBatch(adapterLayout(config, lora, true), size, activationBudget(config))).not.toBeNull();
    },
  );
});

test("a layer that is computed again gives the gradients of one that was kept", async () => {
  const config = modelVariants["qwen2: biases, grouped heads, tied"];
  const layout = adapterLayout(config, lora);
  const random = randomStream("memory test");
  const weights = randomModel(config, 5).tensors;
  for (const { name, shape } of adapterSpecs(config, lora)) {
    weights.set(
      name,
      float32Tensor(
        shape,
        Float32Array.from({ length: shape[0] * shape[1] }, () => random.normal()),
      ),
    );
  }
  const prompt = Array.from({ length: 9 }, () => random.integer(0, config.vocabSize - 1));
  const data = Array.from({ length: 4 }, (): Datum => {
    const tokens = [...prompt, ...Array.from({ length: 6 }, () => random.integer(0, config.vocabSize - 1))];
    const column = (value: number): number[] => tokens.map((_, t) => (t < prompt.length ? 0 : value));
    return { tokens, weights: column(0.5), logprobs: column(-2), advantages: column(1) };
  });
  // 9 tokens of the prompt and 5 of each answer, whose last is not computed on.
  const size = { rows: 29, scores: 9 * 9 + 4 * 5 * 14 };
  const all = planMicroBatch(layout, size, 2 ** 32)!;
  expect(all.keptLayers).toBe(2);
  const results = [];
  for (const keptLayers of [2, 1, 0]) {
    const budget = all.total - ((2 - keptLayers) * all.kept) / 2;
    expect(planMicroBatch(layout, size, budget)!.keptLayers).toBe(keptLayers);
    const gradients = new Map(adapterSpecs(config, lora).map(({ name, shape }) => [name, float32Tensor(shape)]));
    const runs = new PackedRuns(layout, new SessionCache({ threads: 1 }, 12), budget);
    const settings = { clipLow: 0.2, clipHigh: 0.2, klPenaltyCoef: 0, importanceCap: 0 };
    const loss = { lossFn: "importance_sampling", settings } as const;
    const result = await runs.forwardBackward(weights, gradients, data, loss, () => undefined);
    results.push({
      ...result,
      gradients: [...gradients.values()].map(({ data: values }) => [...(values as Float32Array)]),
    });
  }
  const [kept, ...others] = results;
  expect(kept.gradients.flat().some((value) => Math.abs(value) > 0.01)).toBe(true);
  for (const other of others) {
    expect(other.loss).toBe(kept.loss);
    other.gradients.flat().forEach((value, i) => {
      expect(Math.abs(value - kept.gradients.flat()[i])).toBeLessThan(1e-5);
    });
  }
});
