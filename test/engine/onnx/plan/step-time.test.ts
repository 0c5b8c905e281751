// Claims of the time of a step: what is timed on a part of a model extends to the whole, the scheduler of the sampler says what will run,
// and stages add up.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  cacheBytesPerToken,
  generationLimits,
  mostCacheBytes,
} from "../../../../src/engine/onnx/generate/stepped/limits.ts";
import { blockSize } from "../../../../src/engine/onnx/generate/stepped/step-attention.ts";
import {
  extrapolate,
  type MeasuredRates,
  measureRates,
  ratesFrom,
  type Timings,
  trainedSize,
} from "../../../../src/engine/onnx/plan/measure.ts";
import { stageTimes } from "../../../../src/engine/onnx/plan/plan-step.ts";
import { replyLengths } from "../../../../src/engine/onnx/plan/planned-sequences.ts";
import { samplingWork } from "../../../../src/engine/onnx/plan/sampling-work.ts";
import { adapterLayout, type WeightLayout } from "../../../../src/engine/onnx/transformer/linear.ts";
import type { StepWork } from "../../../../src/engine/work.ts";
import { large, lora, solve, withAnswers, work } from "./planned-work.ts";

const layout = adapterLayout(large, lora, true);
const total = (lengths: readonly number[]): number => lengths.reduce((sum, length) => sum + length, 0);

describe("what a call of sampling runs", () => {
  test("rows are tokens but for the first, which the samples of a prompt share; steps follow the longest", async () => {
    const few = { ...solve, prompts: 4, samplesOfPrompt: 5, promptTokens: 40, sharedTokens: 0, maxTokens: 30 };
    for (const share of [1, 0.5, 0.8]) {
      const lengths = replyLengths(few, share);
      const { steps, rows, places, promptPositions } = await samplingWork(layout, few, share);
      expect(steps).toBe(Math.max(...lengths));
      expect(rows).toBe(4 + total(lengths) - lengths.length);
      // A row reads what it has drawn before; blocks of prompts, two each and block 0 apart, are read by all rows at once.
      const own = lengths.reduce((sum, length) => sum + (length * (length - 1)) / 2, 0);
      expect(places).toBeGreaterThanOrEqual(own);
      expect(places - own).toBeLessThanOrEqual(steps * 4 * 2 * blockSize);
      // All but the last token of each prompt.
      expect(promptPositions).toBe(4 * 39);
    }
  });

  test("more rows than a step has take further steps", async () => {
    const { states } = generationLimits(large);
    const many = { ...solve, prompts: 1, samplesOfPrompt: 2 * states, maxTokens: 40 };
    const { steps, rows } = await samplingWork(layout, many, 1);
    expect(steps).toBe(80);
    expect(rows).toBeGreaterThan(2 * states * 39);
    expect(rows).toBeLessThanOrEqual(2 * states * 40);
  });

  test("what goes back for want of memory is computed again", async () => {
    const blocks = Math.floor(mostCacheBytes / (blockSize * cacheBytesPerToken(large)));
    const { states } = generationLimits(large);
    const maxTokens = 2 * blockSize * Math.ceil(blocks / states);
    const long = { ...solve, prompts: 1, samplesOfPrompt: states, maxTokens };
    const { rows } = await samplingWork(layout, long, 1);
    expect(rows).toBeGreaterThan(1.05 * states * maxTokens);
    expect(rows).toBeLessThan(2 * states * maxTokens);
  });
});

test("lengths of replies have the mean that was asked for", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.1, max: 1, noNaN: true }), fc.integer({ min: 20, max: 500 }), (share, maxTokens) => {
      const lengths = replyLengths({ ...solve, maxTokens }, share);
      expect(lengths.length).toBe(128);
      expect(Math.abs(total(lengths) / 128 / maxTokens - share)).toBeLessThan(0.5 / maxTokens + 0.03);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(maxTokens);
      expect(Math.min(...lengths)).toBeGreaterThanOrEqual(1);
    }),
  );
});

describe("from timings to rates", () => {
  const shape = { rows: 40, promptTokens: 100, replyTokens: 200, threads: 1 };

  test("a machine that follows the formulas is read exactly, whatever its rates", () => {
    const positive = fc.double({ min: 1e-6, max: 1e-2, noNaN: true });
    const rates = fc.record({ fixed: positive, layer: positive, word: fc.double({ min: 0, max: 1e-7, noNaN: true }) });
    const machine = fc.record({
      step: rates,
      row: rates,
      place: positive,
      position: positive,
      score: rates,
      train: rates,
    });
    fc.assert(
      fc.property(machine, ({ step, row, place, position, score, train }) => {
        type Rates = typeof step;
        const at = ({ fixed, layer, word }: Rates, layers: number, words: number): number =>
          fixed + layer * layers + word * words;
        const timings = (layers: number, words: number): Timings => ({
          fewRows: at(step, layers, words) + 8 * at(row, layers, words),
          manyRows: at(step, layers, words) + 40 * at(row, layers, words),
          perToken: 40 * place * layers,
          promptPosition: position * layers,
          score: at(score, layers, words),
          train: at(train, layers, words),
        });
        const { layers, vocabSize } = large;
        const parts = {
          one: timings(1, 1000),
          many: timings(3, 1000),
          wide: timings(1, 9000),
          small: 1000,
          large: 9000,
        };
        const found = ratesFrom(layout, shape, extrapolate(large, parts));
        const { rows, tokens } = trainedSize(layout, shape);
        const close = (value: number, expected: number): void =>
          expect(Math.abs(value - expected)).toBeLessThan(1e-6 * expected + 1e-9);
        close(found.step, at(step, layers, vocabSize));
        close(found.stepOfRow, at(row, layers, vocabSize));
        close(found.stepOfPlace, place * layers);
        close(found.promptPosition, position * layers);
        close(found.trainRow * rows + found.trainToken * tokens, at(train, layers, vocabSize));
        close(found.trainRow, (train.layer * layers) / rows);
        close(found.scoreRow * rows + found.scoreToken * tokens, at(score, layers, vocabSize));
      }),
    );
  });

  test("a part of the model is timed, and nothing of it is below zero", async () => {
    const config = {
      ...large,
      hiddenSize: 64,
      intermediateSize: 96,
      heads: 4,
      headSize: 16,
      vocabSize: 6000,
      layers: 9,
    };
    const small = adapterLayout(config, { ...lora, rank: 4 });
    const folder = { folder: "none", config, companions: new Map() as never };
    const size = { rows: 12, promptTokens: 30, replyTokens: 50, threads: 1 };
    const measured = await measureRates({ folder, layout: small, adapterFolder: null }, size);
    for (const rate of Object.values(measured)) expect(rate).toBeGreaterThanOrEqual(0);
    expect(measured.trainRow).toBeGreaterThan(0);
  });
});

describe("time of a step", () => {
  const rates: MeasuredRates = {
    step: 0.01,
    stepOfRow: 0.001,
    stepOfPlace: 0.00001,
    promptPosition: 0.0002,
    scoreRow: 0.0001,
    scoreToken: 0.0002,
    trainRow: 0.001,
    trainToken: 0.002,
  };
  const seconds = async (of: StepWork, { on = layout, share = 1 }: { on?: WeightLayout; share?: number } = {}) => {
    const stages = await stageTimes(on, of, rates, { activationBytes: 2 ** 29, share });
    return Object.fromEntries(stages.map(({ stage, seconds }) => [stage, seconds]));
  };

  test("sampler and trainer are compared where the sampler is coarser, or where it is asked for, but not for the first update", async () => {
    const exact = adapterLayout(large, lora);
    const short = withAnswers({ maxTokens: 48 });
    expect(Object.keys(await seconds(short))).toEqual(["solve", "learn"]);
    expect(Object.keys(await seconds({ ...short, updates: 2 }))).toEqual(["solve", "score", "learn"]);
    expect(Object.keys(await seconds({ ...short, updates: 2 }, { on: exact }))).toEqual(["solve", "learn"]);
    const asked = { ...short, correction: "always", updates: 2 } as const;
    const half = (await seconds(asked, { on: exact }))["score"];
    const both = await seconds({ ...asked, referencePasses: 1 }, { on: exact });
    expect(both["score"]).toBeCloseTo(3 * half);
  });

  test("what answers share is learned from once", async () => {
    const exact = { on: adapterLayout(large, lora) };
    const long = await seconds(withAnswers({ promptTokens: 400, sharedTokens: 0 }), exact);
    const shared = await seconds(withAnswers({ promptTokens: 400, sharedTokens: 400 }), exact);
    expect(shared["learn"]).toBeLessThan(long["learn"]);
    // Each prompt a few times at the most, not once for each of its answers.
    expect(long["learn"]).toBeLessThan(128 * (400 + 256) * rates.trainRow + 128 * 256 * rates.trainToken);
  });

  test("replies half as long take about half of what they take at their longest", async () => {
    const [whole, half] = [await seconds(work), await seconds(work, { share: 0.5 })];
    expect(half["learn"] / whole["learn"]).toBeGreaterThan(0.45);
    expect(half["learn"] / whole["learn"]).toBeLessThan(0.65);
    expect(half["solve"] / whole["solve"]).toBeGreaterThan(0.35);
    expect(half["solve"] / whole["solve"]).toBeLessThan(0.75);
  });
});
