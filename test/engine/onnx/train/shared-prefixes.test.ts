// Claims of the plan of micro-batches: whatever the sequences, every wanted position is computed once, from the right tokens, and
// what is shared is not computed again.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PackedSize } from "../../../../src/engine/onnx/train/memory.ts";
import { packBatch } from "../../../../src/engine/onnx/train/packed-batch.ts";
import type { PackedPlan, Strand } from "../../../../src/engine/onnx/train/prefix-tree.ts";
import { planPacked } from "../../../../src/engine/onnx/train/shared-prefixes.ts";
import { modelVariants } from "../random-model.ts";

// Few different tokens, so that sequences begin alike by chance, and groups that do so on purpose.
const tokens = (maxLength: number) => fc.array(fc.integer({ min: 0, max: 2 }), { maxLength });
const groups = fc.array(
  fc
    .tuple(tokens(12), fc.array(tokens(8), { minLength: 1, maxLength: 6 }))
    .map(([prompt, answers]) => answers.map((answer) => [...prompt, ...answer])),
  { maxLength: 6 },
);
const calls = fc.tuple(tokens(20), groups).map(([root, parts]) => parts.flat().map((rest) => [...root, ...rest]));
const limits = fc.integer({ min: 1, max: 200 });

const strandsOf = (sequences: readonly (readonly number[])[]): Strand[] =>
  sequences.map(({ length }, index) => ({ index, length: Math.max(0, length - 1) }));
const rowsOf = ({ levels }: PackedPlan): number => levels.flat().reduce((sum, { start, end }) => sum + end - start, 0);
const within =
  (limit: number) =>
  ({ rows }: PackedSize): number =>
    rows <= limit ? rows + 40 : Number.POSITIVE_INFINITY;

describe("planPacked", () => {
  test("every position is computed once, behind its own tokens, in a micro-batch that fits", () => {
    fc.assert(
      fc.property(calls, limits, (sequences, limit) => {
        const plans = planPacked(sequences, strandsOf(sequences), within(limit));
        expect(planPacked(sequences, strandsOf(sequences), within(limit))).toEqual(plans);
        const found = sequences.map(({ length }) => Array<boolean>(Math.max(0, length - 1)).fill(false));
        for (const plan of plans) {
          const distinct = new Set(plan.strands.map(({ index, length }) => sequences[index].slice(0, length).join()));
          if (distinct.size > 1) expect(rowsOf(plan)).toBeLessThanOrEqual(limit);
          // Equal strands stand once.
          expect(new Set(plan.strands.map(({ level, unit }) => `${level} ${unit}`)).size).toBe(distinct.size);
          const batch = packBatch(modelVariants.llama, sequences, plan, () => true);
          expect(batch.rows).toBe(rowsOf(plan) + 1);
          const rowAt = new Map(batch.picks.map(({ index, column, row }) => [`${index} ${column}`, row]));
          for (const { index, column, row } of batch.picks) {
            expect(found[index][column]).toBe(false);
            found[index][column] = true;
            expect(Number(batch.feeds["positions"].data[row])).toBe(column);
            // Equal histories are what makes a shared row right.
            for (let t = 0; t <= column; t++)
              expect(batch.tokens[rowAt.get(`${index} ${t}`)!]).toBe(sequences[index][t]);
          }
        }
        expect(found.flat().every(Boolean)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("never computes more rows than there are tokens", () => {
    fc.assert(
      fc.property(calls, limits, (sequences, limit) => {
        const strands = strandsOf(sequences);
        const rows = planPacked(sequences, strands, within(limit)).reduce((sum, plan) => sum + rowsOf(plan), 0);
        expect(rows).toBeLessThanOrEqual(strands.reduce((sum, { length }) => sum + length, 0));
      }),
    );
  });

  test("16 questions with 8 answers behind worked examples: each prompt once a micro-batch, the examples too", () => {
    let next = 3;
    const fresh = (count: number): number[] => Array.from({ length: count }, () => next++);
    const examples = fresh(150);
    const sequences = Array.from({ length: 16 }, () => fresh(30)).flatMap((question) =>
      Array.from({ length: 8 }, (_, answer) => [...examples, ...question, ...fresh(10 + 7 * answer)]),
    );
    const plans = planPacked(sequences, strandsOf(sequences), within(2048));
    expect(plans.length).toBeLessThanOrEqual(3);
    const answers = 16 * (8 * 10 + 7 * 28);
    const rows = plans.reduce((sum, plan) => sum + rowsOf(plan), 0);
    expect(rows).toBeLessThanOrEqual(plans.length * 150 + 16 * 30 + answers);
    expect(sequences.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(4.5 * rows);
  });

  test("what answers begin with stands once, where that saves more than it costs", () => {
    const alike = (count: number, from: number): number[] => Array.from({ length: count }, (_, i) => from + i);
    const answers = (opening: number[]): number[][] =>
      Array.from({ length: 6 }, (_, i) => [...alike(100, 0), ...opening, ...alike(8, 1000 * (i + 1))]);
    const rows = (opening: number[]): number[] => {
      const sequences = [...answers(opening), ...answers([])];
      return planPacked(sequences, strandsOf(sequences), within(2048)).map(rowsOf);
    };
    // The last token predicts nothing. Twenty tokens stand once for six answers, two tokens for each.
    expect(rows(alike(20, 500))).toEqual([100 + 20 + 6 * 7 + 6 * 7]);
    expect(rows(alike(2, 500))).toEqual([100 + 6 * 9 + 6 * 7]);
  });

  test("a group that is too large is cut, and each part has its prompt", () => {
    const prompt = Array.from({ length: 50 }, (_, i) => i);
    const sequences = Array.from({ length: 10 }, (_, i) => [...prompt, 100 + i, ...Array<number>(20).fill(7)]);
    const plans = planPacked(sequences, strandsOf(sequences), within(120));
    expect(plans.length).toBe(4);
    for (const plan of plans) expect(rowsOf(plan)).toBe(50 + 20 * plan.strands.length);
  });
});
