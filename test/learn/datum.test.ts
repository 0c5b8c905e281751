import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lossAggregations } from "../../src/config/learn.ts";
import { batchLoss } from "../../src/engine/losses.ts";
import {
  aggregateLoss,
  buildDatum,
  mergeRepeated,
  samplerGap,
  scaleLoss,
  splitBatch,
  withImportance,
  withReference,
} from "../../src/learn/datum.ts";
import { randomStream } from "../../src/random.ts";
import { lossFunctions } from "../../src/types.ts";

const tokens = (maxLength: number) => fc.array(fc.integer({ min: 0, max: 99 }), { maxLength });
const sample = fc
  .record({ promptTokens: tokens(5), tokens: tokens(6), advantage: fc.double({ min: -2, max: 2, noNaN: true }) })
  .map((drawn) => ({ ...drawn, logprobs: drawn.tokens.map((token) => -0.01 * (token + 1)) }));
const total = (weights: readonly number[]) => weights.reduce((sum, weight) => sum + weight, 0);

describe("buildDatum", () => {
  it("aligns every array with the tokens and trains nothing but the completion", () => {
    fc.assert(
      fc.property(sample, (drawn) => {
        const datum = buildDatum(drawn);
        const start = drawn.promptTokens.length;
        expect(datum.tokens).toEqual([...drawn.promptTokens, ...drawn.tokens]);
        datum.tokens.forEach((_, i) => {
          expect(datum.weights[i]).toBe(i >= start && i > 0 ? 1 : 0);
          expect(datum.logprobs[i]).toBe(i >= start ? drawn.logprobs[i - start] : 0);
          expect(datum.advantages[i]).toBe(i >= start ? drawn.advantage : 0);
        });
        for (const array of [datum.weights, datum.logprobs, datum.advantages]) {
          expect(array).toHaveLength(datum.tokens.length);
        }
      }),
    );
  });

  it("refuses logprobs that do not belong to the tokens", () => {
    expect(() => buildDatum({ promptTokens: [1], tokens: [2, 3], logprobs: [-1], advantage: 1 })).toThrow(RangeError);
  });
});

describe("aggregateLoss", () => {
  const long = buildDatum({ promptTokens: [1], tokens: [2, 3, 4], logprobs: [-1, -1, -1], advantage: 1 });
  const short = buildDatum({ promptTokens: [1], tokens: [2], logprobs: [-1], advantage: 1 });
  const masked = buildDatum({ promptTokens: [1, 2], tokens: [], logprobs: [], advantage: 1 });

  it("weighs tokens or sequences alike", () => {
    expect(aggregateLoss([long, short, masked], "token-mean").map((datum) => datum.weights)).toEqual([
      [0, 0.25, 0.25, 0.25],
      [0, 0.25],
      [0, 0],
    ]);
    expect(aggregateLoss([long, short, masked], "sequence-mean").map((datum) => total(datum.weights))).toEqual([
      0.5, 0.5, 0,
    ]);
    expect(aggregateLoss([long, short], "token-sum")).toEqual([long, short]);
  });

  it("gives means a total weight of 1, and every mode the same mask", () => {
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 6 }), fc.constantFrom(...lossAggregations), (samples, aggregation) => {
        const batch = samples.map(buildDatum);
        const result = aggregateLoss(batch, aggregation);
        const mask = (data: typeof batch) => data.map((datum) => datum.weights.map((weight) => weight !== 0));
        expect(mask(result)).toEqual(mask(batch));
        const trained = batch.flatMap((datum) => datum.weights).filter((weight) => weight !== 0).length;
        const expected = aggregation === "token-sum" ? trained : Math.min(1, trained);
        expect(total(result.flatMap((datum) => datum.weights))).toBeCloseTo(expected, 9);
      }),
    );
  });

  it("is scaled by a factor and completed with reference logprobs without touching the rest", () => {
    expect(scaleLoss([short], 0.3)).toEqual([{ ...short, weights: [0, 0.3] }]);
    expect(withReference([short], [[0, -2]])).toEqual([{ ...short, referenceLogprobs: [0, -2] }]);
  });
});

describe("mergeRepeated", () => {
  it("keeps every loss, and one datum of each kind in order of first appearance", () => {
    const few = fc.record({
      promptTokens: fc.constantFrom([1], [1, 2]),
      tokens: fc.constantFrom([3], [4, 5]),
      advantage: fc.constantFrom(-1, 0.5),
    });
    fc.assert(
      fc.property(fc.array(few, { minLength: 1, maxLength: 12 }), fc.constantFrom(...lossFunctions), (drawn, loss) => {
        const batch = aggregateLoss(
          drawn.map((one) => buildDatum({ ...one, logprobs: one.tokens.map((token) => -0.1 * token) })),
          "token-mean",
        );
        const merged = mergeRepeated(batch);
        const lossOf = (data: typeof batch) =>
          batchLoss(
            data,
            data.map(({ tokens }) => tokens.map((token) => -0.12 * token)),
            loss,
          ).loss;
        expect(lossOf(merged)).toBeCloseTo(lossOf(batch), 10);
        const kinds = batch.map(({ tokens, advantages }) => JSON.stringify([tokens, advantages]));
        expect(merged.map(({ tokens, advantages }) => JSON.stringify([tokens, advantages]))).toEqual([
          ...new Set(kinds),
        ]);
      }),
    );
  });

  it("does not join what was sampled under different policies", () => {
    const one = buildDatum({ promptTokens: [1], tokens: [2], logprobs: [-1], advantage: 1 });
    const other = buildDatum({ promptTokens: [1], tokens: [2], logprobs: [-2], advantage: 1 });
    expect(mergeRepeated([one, other, one])).toHaveLength(2);
  });
});

describe("splitBatch", () => {
  it("loses nothing, repeats nothing, balances sizes, and is the same for the same stream", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1, max: 9 }), fc.nat(), (size, parts, seed) => {
        const batch = Array.from({ length: size }, (_, i) => i);
        const split = splitBatch(batch, parts, randomStream("test", seed));
        expect(split.flat().sort((a, b) => a - b)).toEqual(batch);
        expect(split).toHaveLength(Math.min(size, parts));
        const sizes = split.map((part) => part.length);
        if (sizes.length > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(splitBatch(batch, parts, randomStream("test", seed))).toEqual(split);
      }),
    );
  });

  it("keeps the order of a batch that is not split", () => {
    expect(splitBatch([3, 1, 2], 1, randomStream("test"))).toEqual([[3, 1, 2]]);
  });
});

describe("correcting for the sampler", () => {
  const datum = {
    tokens: [5, 6, 7, 8],
    weights: [0, 0.5, 0.25, 0.25],
    logprobs: [0, -1, -2, -3],
    advantages: [0, 1, 1, 1],
  };
  const trained = [[0, -1.5, -1, -3]];

  it("weighs each token by the truncated ratio and takes the trainer's log-probabilities", () => {
    const [corrected] = withImportance([datum], trained, 2);
    expect(corrected.logprobs).toEqual(trained[0]);
    expect(corrected.weights[0]).toBe(0);
    expect(corrected.weights[1]).toBeCloseTo(0.5 * Math.exp(-0.5), 12);
    // e is above the cap.
    expect(corrected.weights[2]).toBeCloseTo(0.25 * 2, 12);
    expect(corrected.weights[3]).toBe(0.25);
    expect(corrected.advantages).toEqual(datum.advantages);
  });

  it("measures the gap over trained tokens only", () => {
    const gap = samplerGap([datum], [[9, -1.5, -1, -3]]);
    expect(gap.meanLogprobGap).toBeCloseTo(0.5, 12);
    expect(gap.largestLogprobGap).toBe(1);
    const k3 = (d: number): number => Math.exp(d) - 1 - d;
    expect(gap.samplerKl).toBeCloseTo((k3(-0.5) + k3(1)) / 3, 12);
    expect(samplerGap([], [])).toEqual({ meanLogprobGap: 0, largestLogprobGap: 0, samplerKl: 0 });
  });
});
