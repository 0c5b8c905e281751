import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planBatches } from "../../../../src/engine/onnx/train/batches.ts";

const lengthLists = fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 300 });
const budgets = fc.integer({ min: 1, max: 4096 });

describe("planBatches", () => {
  test("holds every sequence exactly once, in a batch that it fits", () => {
    fc.assert(
      fc.property(lengthLists, budgets, (lengths, budget) => {
        const batches = planBatches(lengths, budget);
        expect(batches.flatMap(({ rows }) => rows).toSorted((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
        for (const { rows, batch, time } of batches) {
          expect(rows.length).toBeGreaterThan(0);
          expect(rows.length).toBeLessThanOrEqual(batch);
          for (const row of rows) expect(lengths[row] - 1).toBeLessThanOrEqual(time);
          if (batch > 1) expect(batch * time).toBeLessThanOrEqual(budget);
        }
      }),
    );
  });

  test("uses few shapes, and equal plans for equal input", () => {
    fc.assert(
      fc.property(fc.array(lengthLists, { minLength: 1, maxLength: 10 }), budgets, (calls, budget) => {
        const shapes = new Map<number, Set<number>>();
        for (const lengths of calls) {
          const plan = planBatches(lengths, budget);
          expect(planBatches(lengths, budget)).toEqual(plan);
          for (const { batch, time } of plan) shapes.set(time, (shapes.get(time) ?? new Set()).add(batch));
        }
        for (const batches of shapes.values()) expect(batches.size).toBeLessThanOrEqual(4);
        expect(shapes.size).toBeLessThanOrEqual(20);
      }),
    );
  });

  test("pads little where lengths are alike", () => {
    const lengths = Array.from({ length: 1536 }, (_, i) => 8 + (i % 17));
    const computed = planBatches(lengths, 2048).reduce((sum, { batch, time }) => sum + batch * time, 0);
    const needed = lengths.reduce((sum, length) => sum + length - 1, 0);
    expect(computed).toBeLessThan(1.25 * needed);
  });
});
