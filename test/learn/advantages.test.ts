import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { advantageEstimators } from "../../src/config/learn.ts";
import { advantages } from "../../src/learn/advantages.ts";

const reward = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: -2, max: 2, noNaN: true }));
const batch = fc.array(fc.array(reward, { maxLength: 8 }), { maxLength: 5 });
const estimator = fc.constantFrom(...advantageEstimators);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe("advantages", () => {
  it("gives the published numbers on a small group", () => {
    // Rewards 1, 1, 1, 0: mean 3/4, sample deviation 1/2.
    const close = (values: number[], expected: number[]) =>
      values.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i], 5);
      });
    close(advantages([[1, 1, 1, 0]], "grpo")[0], [0.5, 0.5, 0.5, -1.5]);
    close(advantages([[1, 1, 1, 0]], "dr_grpo")[0], [0.25, 0.25, 0.25, -0.75]);
    close(advantages([[1, 1, 1, 0]], "rloo")[0], [1 / 3, 1 / 3, 1 / 3, -1]);
  });

  it("reinforce_plus_plus divides every group by one scale", () => {
    const [small, large] = advantages(
      [
        [0, 0.1],
        [0, 1],
      ],
      "reinforce_plus_plus",
    );
    expect(large[1] / small[1]).toBeCloseTo(10, 9);
    const all = [...small, ...large];
    expect(Math.sqrt(sum(all.map((value) => value ** 2)) / (all.length - 1))).toBeCloseTo(1, 4);
  });

  it("sums to zero in every group and keeps the shape", () => {
    fc.assert(
      fc.property(batch, estimator, (groups, name) => {
        const result = advantages(groups, name);
        expect(result.map((group) => group.length)).toEqual(groups.map((group) => group.length));
        for (const group of result) expect(Math.abs(sum(group))).toBeLessThan(1e-6);
      }),
    );
  });

  it("gives exact zeros to a group of equal rewards, also ones that a float cannot average", () => {
    fc.assert(
      fc.property(batch, reward, fc.integer({ min: 0, max: 9 }), estimator, (others, value, size, name) => {
        const equal = Array.from({ length: size }, () => value);
        expect(advantages([...others, equal], name).at(-1)).toEqual(equal.map(() => 0));
      }),
    );
    expect(advantages([[0.1, 0.1, 0.1]], "grpo")).toEqual([[0, 0, 0]]);
  });

  it("follows the order of rewards, whatever the order of samples", () => {
    fc.assert(
      fc.property(fc.array(reward, { minLength: 1, maxLength: 8 }), estimator, (rewards, name) => {
        const forward = advantages([rewards], name)[0];
        const backward = advantages([rewards.toReversed()], name)[0].toReversed();
        rewards.forEach((value, i) => {
          expect(backward[i]).toBeCloseTo(forward[i], 6);
          rewards.forEach((other, j) => {
            if (value > other) expect(forward[i]).toBeGreaterThanOrEqual(forward[j]);
          });
        });
      }),
    );
  });

  it("does not change when all rewards of a group are shifted", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 2, maxLength: 6 }),
        estimator,
        (rewards, name) => {
          const shifted = advantages([rewards.map((value) => value + 3)], name)[0];
          advantages([rewards], name)[0].forEach((value, i) => {
            expect(shifted[i]).toBeCloseTo(value, 9);
          });
        },
      ),
    );
  });
});
