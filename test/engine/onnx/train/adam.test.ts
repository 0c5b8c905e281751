// Claims of the update of adapters: it is AdamW as its paper writes it (Loshchilov & Hutter 2019, algorithm 2), in place.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AdamStep, updateWeights } from "../../../../src/engine/onnx/train/adam.ts";
import { randomStream } from "../../../../src/random.ts";

const usual = { learningRate: 0.01, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1, clip: 1, decays: true };

/** One parameter through the paper's algorithm, line by line, in double precision. */
function adamW(start: number, gradients: readonly number[], options: Omit<AdamStep, "step">): number[] {
  const { learningRate, beta1, beta2, eps, weightDecay, clip, decays } = options;
  let [theta, m, v] = [start, 0, 0];
  return gradients.map((gradient, i) => {
    const t = i + 1;
    const g = gradient * clip;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g ** 2;
    const mHat = m / (1 - beta1 ** t);
    const vHat = v / (1 - beta2 ** t);
    theta -= learningRate * (mHat / (Math.sqrt(vHat) + eps) + (decays ? weightDecay * theta : 0));
    return theta;
  });
}

/** The same parameter through `updateWeights`, beside others. */
function updated(start: number, gradients: readonly number[], options: Omit<AdamStep, "step">): number[] {
  const weights = Float32Array.of(7, start);
  const moments = { m: new Float32Array(2), v: new Float32Array(2) };
  return gradients.map((gradient, i) => {
    updateWeights(weights, Float32Array.of(1, gradient), moments, { ...options, step: i + 1 });
    return weights[1];
  });
}

describe("updateWeights", () => {
  const random = randomStream("adam test");
  const gradients = Array.from({ length: 40 }, () => random.normal() * 10 ** random.integer(-3, 2));

  test.each([
    ["as usual", usual],
    ["without decay of vectors", { ...usual, decays: false }],
    ["with a clipped gradient", { ...usual, clip: 0.03 }],
    ["without memory", { ...usual, beta1: 0, beta2: 0 }],
    ["with a large eps", { ...usual, eps: 0.1 }],
  ])("is the paper's over 40 steps, %s", (_, options) => {
    const expected = adamW(0.8, gradients, options);
    updated(0.8, gradients, options).forEach((weight, i) => {
      expect(Math.abs(weight - expected[i])).toBeLessThan(1e-5);
    });
  });

  test("the first step moves by the learning rate against the gradient's sign, whatever its size", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), fc.boolean(), (size, negative) => {
        const gradient = negative ? -size : size;
        const [weight] = updated(0.5, [gradient], { ...usual, weightDecay: 0 });
        expect(weight - 0.5).toBeCloseTo(-Math.sign(gradient) * usual.learningRate, 5);
      }),
    );
  });

  test("decay shrinks weights by learning rate times decay, apart from the gradient", () => {
    const [weight] = updated(2, [0], { ...usual, learningRate: 0.5 });
    expect(weight).toBeCloseTo(2 * (1 - 0.5 * 0.1), 6);
    expect(updated(2, [0], { ...usual, learningRate: 0.5, decays: false })).toEqual([2]);
  });

  test("a learning rate of 0 moves the moments alone", () => {
    const weights = Float32Array.of(1, -2);
    const moments = { m: new Float32Array(2), v: new Float32Array(2) };
    updateWeights(weights, Float32Array.of(3, 4), moments, { ...usual, learningRate: 0, step: 1 });
    expect([...weights]).toEqual([1, -2]);
    expect([...moments.m].map((m) => Math.fround(m))).toEqual([0.3, 0.4].map(Math.fround));
    expect(moments.v[0]).toBeCloseTo(0.09, 6);
    expect(moments.v[1]).toBeCloseTo(0.16, 6);
  });
});
