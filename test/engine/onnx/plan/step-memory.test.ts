// What a step is said to take: against what the engine holds, and in which direction each setting moves it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { patternWeights } from "../../../../src/engine/onnx/plan/pattern-weights.ts";
import { stepMemory } from "../../../../src/engine/onnx/plan/step-memory.ts";
import { planPackedTraining } from "../../../../src/engine/onnx/plan/training-plan.ts";
import { loadFrozenWeights } from "../../../../src/engine/onnx/transformer/frozen-weights.ts";
import { adapterLayout, plainLayout } from "../../../../src/engine/onnx/transformer/linear.ts";
import { peakBytes, type StepWork } from "../../../../src/engine/work.ts";
import { parameterCount } from "../../../../src/model/model-config.ts";
import { modelVariants } from "../random-model.ts";
import { large, lora, withAnswers, work } from "./planned-work.ts";

const plenty = 1e12;
const partOf = (layout: ReturnType<typeof plainLayout>, name: string, of = work): number =>
  stepMemory(layout, of, plenty, 0)
    .parts.filter(({ part }) => part === name)
    .reduce((sum, { bytes }) => sum + bytes, 0);
const peakOf = (layout: ReturnType<typeof plainLayout>, of: StepWork, available = plenty): number =>
  peakBytes({ memory: stepMemory(layout, of, available, 0).parts });

describe("memory of a step", () => {
  const small = { ...modelVariants.llama, hiddenSize: 32, intermediateSize: 64, headSize: 8, vocabSize: 96 };

  test.each([false, true])("weights are what the engine loads, in blocks: %s", (blocks) => {
    const layout = adapterLayout(small, lora, blocks);
    const loaded = [...loadFrozenWeights(layout, patternWeights(small)).values()];
    const bytes = loaded.reduce((sum, { data }) => sum + (data as Float32Array).byteLength, 0);
    expect(partOf(layout, "weights")).toBe(bytes);
  });

  test("all weights, a gradient and two moments where all train; an adapter otherwise", () => {
    const count = parameterCount(small);
    expect(partOf(plainLayout(small), "weights")).toBe(4 * count);
    expect(partOf(plainLayout(small), "optimizer")).toBe(12 * count);
    const layout = adapterLayout(large, lora);
    expect(partOf(layout, "optimizer")).toBe(3 * partOf(layout, "adapter"));
    expect(partOf(layout, "adapter", { ...work, policies: 2, frozenPlayers: 1 })).toBe(3 * partOf(layout, "adapter"));
  });

  test("int8 takes less than float32", () => {
    expect(peakOf(adapterLayout(large, lora, true), work)).toBeLessThan(peakOf(adapterLayout(large, lora), work));
  });

  test("longer answers and more of them never take less", () => {
    const layout = adapterLayout(large, lora, true);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 12 }), (tokens, samples) => {
        const peak = peakOf(layout, withAnswers({ maxTokens: tokens, samplesOfPrompt: samples }));
        const longer = peakOf(layout, withAnswers({ maxTokens: 2 * tokens, samplesOfPrompt: samples }));
        // Micro-batches are cut by what is cheapest, so one may be a little smaller.
        return longer >= peak * 0.9;
      }),
      { numRuns: 25 },
    );
  });

  test("training takes the place of keys and values", () => {
    const layout = adapterLayout(large, lora, true);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 12 }), (maxTokens, samplesOfPrompt) => {
        const of = withAnswers({ maxTokens, samplesOfPrompt });
        const [trained] = of.trained;
        const { bytes } = planPackedTraining(layout, trained, stepMemory(layout, of, plenty, 0).activationBytes);
        const [cache, activations] = [partOf(layout, "cache", of), partOf(layout, "activations", of)];
        expect(cache + activations).toBe(Math.max(cache, bytes));
      }),
      { numRuns: 25 },
    );
  });

  // Peak resident memory of a step of 16 questions with 8 answers of 256 tokens, in GiB.
  test.each([
    [
      "SmolLM2-135M in float32",
      {
        hiddenSize: 576,
        intermediateSize: 1536,
        layers: 30,
        heads: 9,
        keyValueHeads: 3,
        headSize: 64,
        vocabSize: 49_152,
      },
      false,
      2,
    ],
    ["Qwen2.5-Coder-0.5B in int8", {}, true, 3.5],
    [
      "Qwen2.5-Coder-1.5B in int8",
      { hiddenSize: 1536, intermediateSize: 8960, layers: 28, heads: 12, headSize: 128 },
      true,
      6,
    ],
  ] as const)("a whole step of %s keeps to its limit", (_, shape, blocks, gibibytes) => {
    const layout = adapterLayout({ ...large, ...shape }, lora, blocks);
    expect(peakOf(layout, work)).toBeLessThan(gibibytes * 2 ** 30);
  });

  test("micro-batches shrink into the memory that is left, as far as one sequence allows", () => {
    const layout = adapterLayout(large, lora, true);
    const short = withAnswers({ maxTokens: 24 });
    const roomy = stepMemory(layout, short, plenty, 0);
    const held = peakOf(layout, short) - partOf(layout, "activations", short) - partOf(layout, "cache", short);
    const tight = stepMemory(layout, short, held + 400e6, 0);
    expect(tight.activationBytes).toBeLessThan(roomy.activationBytes);
    expect(peakBytes({ memory: tight.parts })).toBeLessThanOrEqual(held + 400e6);
    const none = stepMemory(layout, short, held, 0);
    expect(none.activationBytes).toBeGreaterThan(0);
    expect(peakBytes({ memory: none.parts })).toBeGreaterThan(held);
    // What a run was recorded with counts, whatever is left now.
    expect(stepMemory(layout, short, held, 3e8).activationBytes).toBe(3e8);
  });
});
