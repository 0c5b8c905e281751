import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import { learningRateAt } from "../../src/learn/update.ts";

describe("learningRateAt", () => {
  const config = (settings: object) => runConfigSchema.parse({ learningRate: 1, ...settings });

  it("rises over the warm-up and stays with the constant schedule", () => {
    const constant = config({ learningRateSchedule: "constant", warmupSteps: 4, steps: 100 });
    expect([1, 2, 4, 5, 100].map((step) => learningRateAt(step, constant))).toEqual([0.25, 0.5, 1, 1, 1]);
  });

  it("falls linearly, and is still above 0 in the last step", () => {
    const linear = config({ learningRateSchedule: "linear", warmupSteps: 0, steps: 10 });
    expect(learningRateAt(1, linear)).toBe(1);
    expect(learningRateAt(6, linear)).toBeCloseTo(0.5, 12);
    expect(learningRateAt(10, linear)).toBeCloseTo(0.1, 12);
  });

  it("never leaves (0, learningRate], whatever the warm-up", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 0, max: 50 }),
        fc.nat(),
        (steps, warmupSteps, at) => {
          const rate = learningRateAt((at % steps) + 1, config({ steps, warmupSteps }));
          expect(rate).toBeGreaterThan(0);
          expect(rate).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});
