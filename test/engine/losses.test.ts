import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchLoss, tokenKlPenalty, tokenLoss } from "../../src/engine/losses.ts";
import { lossFunctions } from "../../src/types.ts";

const logprob = fc.double({ min: -5, max: -0.001, noNaN: true });
const advantage = fc.double({ min: -3, max: 3, noNaN: true });
const config = { clipLow: 0.2, clipHigh: 0.3 };

/** Derivative by central differences. */
function difference(loss: (logprob: number) => number, at: number): number {
  const step = 1e-6;
  return (loss(at + step) - loss(at - step)) / (2 * step);
}

describe("tokenLoss", () => {
  it("has the derivative that central differences give", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("cross_entropy", "importance_sampling", "ppo"),
        logprob,
        logprob,
        advantage,
        (loss, lp, oldLogprob, a) => {
          const ratio = Math.exp(lp - oldLogprob);
          // The clip has a corner where the ratio meets it; no derivative to compare there.
          fc.pre(Math.abs(ratio - 0.8) > 1e-4 && Math.abs(ratio - 1.3) > 1e-4);
          const at = (x: number) => tokenLoss(loss, { logprob: x, oldLogprob, advantage: a, weight: 0.7 }, config);
          const expected = difference((x) => at(x).value, lp);
          expect(Math.abs(at(lp).derivative - expected)).toBeLessThan(1e-5 * (1 + Math.abs(expected)));
        },
      ),
    );
  });

  it("cispo holds the clipped ratio constant", () => {
    fc.assert(
      fc.property(logprob, logprob, advantage, (lp, oldLogprob, a) => {
        const result = tokenLoss("cispo", { logprob: lp, oldLogprob, advantage: a, weight: 2 }, config);
        const ratio = Math.min(Math.max(Math.exp(lp - oldLogprob), 0.8), 1.3);
        expect(result.derivative).toBeCloseTo(-2 * a * ratio, 10);
        expect(result.value).toBeCloseTo(-2 * a * ratio * lp, 10);
      }),
    );
  });

  it("ppo stops only the push that has already gone far enough", () => {
    const at = (ratio: number, a: number) =>
      tokenLoss("ppo", { logprob: Math.log(ratio), oldLogprob: 0, advantage: a, weight: 1 }, config);
    expect(at(1.5, 1)).toEqual({ value: -1.3, derivative: 0, clipped: true });
    expect(at(0.5, -1)).toEqual({ value: 0.8, derivative: 0, clipped: true });
    expect(at(0.5, 1).clipped).toBe(false);
    expect(at(1.5, -1).clipped).toBe(false);
    expect(at(1, 0).clipped).toBe(false);
  });

  it("all policy losses agree in gradient where the policy is the one that sampled", () => {
    for (const loss of lossFunctions.filter((name) => name !== "cross_entropy")) {
      const input = { logprob: -1, oldLogprob: -1, advantage: 0.6, weight: 0.5 };
      expect(tokenLoss(loss, input, config).derivative).toBeCloseTo(-0.3, 12);
    }
  });
});

describe("tokenKlPenalty", () => {
  it("is never negative, zero only at the reference, with the derivative of central differences", () => {
    expect(tokenKlPenalty(-1, -1, 1, 1)).toEqual({ value: 0, derivative: 0 });
    fc.assert(
      fc.property(logprob, logprob, (lp, reference) => {
        const { value, derivative } = tokenKlPenalty(lp, reference, 0.5, 0.1);
        expect(value).toBeGreaterThanOrEqual(-1e-12);
        const expected = difference((x) => tokenKlPenalty(x, reference, 0.5, 0.1).value, lp);
        expect(Math.abs(derivative - expected)).toBeLessThan(1e-5 * (1 + Math.abs(expected)));
      }),
    );
  });
});

describe("batchLoss", () => {
  const datum = {
    tokens: [1, 2, 3],
    weights: [0, 0.5, 0.5],
    logprobs: [0, -1, -2],
    advantages: [0, 1, -1],
    referenceLogprobs: [0, -1.5, -1],
  };

  it("sums token losses and penalties, and leaves masked tokens out", () => {
    const result = batchLoss([datum], [[Number.NaN, -1, -2]], "importance_sampling", { klPenaltyCoef: 0.1 });
    const penalties = [tokenKlPenalty(-1, -1.5, 0.5, 0.1), tokenKlPenalty(-2, -1, 0.5, 0.1)];
    expect(result.loss).toBeCloseTo(-0.5 + 0.5 + penalties[0].value + penalties[1].value, 12);
    expect(result.gradients[0][0]).toBe(0);
    expect(result.gradients[0][1]).toBeCloseTo(-0.5 + penalties[0].derivative, 12);
    expect(result.gradients[0][2]).toBeCloseTo(0.5 + penalties[1].derivative, 12);
    expect(result.tokens).toBe(2);
  });

  it("reports the part of tokens that was clipped, and takes an empty batch", () => {
    expect(batchLoss([datum], [[0, -0.1, -2]], "ppo").clipFraction).toBe(0.5);
    expect(batchLoss([], [], "ppo")).toEqual({ loss: 0, kl: 0, clipFraction: 0, tokens: 0, gradients: [] });
  });

  it("refuses a KL penalty without a reference", () => {
    const { referenceLogprobs: _, ...without } = datum;
    expect(() => batchLoss([without], [[0, -1, -2]], "ppo", { klPenaltyCoef: 0.1 })).toThrow(RangeError);
  });
});
