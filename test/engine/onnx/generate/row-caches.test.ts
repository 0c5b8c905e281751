// Claims of the rows of a step: rows that have drawn the same tokens behind the same prompt are computed once, those that have come to
// differ apart, and all memory comes back.
import fc from "fast-check";
import { expect, test } from "vitest";
import { sequencesOf } from "../../../../src/engine/onnx/generate/sequences.ts";
import { type Row, RowCaches } from "../../../../src/engine/onnx/generate/stepped/row-caches.ts";
import type { StepTokens } from "../../../../src/engine/onnx/generate/stepped/step-session.ts";
import { modelVariants } from "../random-model.ts";

const config = modelVariants.llama;
const width = config.keyValueHeads * config.headSize;

/** Steps that compute nothing: the token of a draw is its number times ten, and every state tells which position it is of. */
function recordedSteps(steps: StepTokens[]) {
  return (_: unknown, step: StepTokens) => {
    steps.push(step);
    const states = new Float32Array(2 * config.layers * step.tokens.length * width);
    const next = step.uniforms.map((uniform) => Math.floor(uniform * 10));
    return Promise.resolve({ states, next, logprobs: Float32Array.from(next) });
  };
}

const advance = async (caches: RowCaches, rows: Row[], uniforms: number[], most = 100): Promise<void> => {
  const { next, logprobs } = await caches.advance(rows, uniforms, most);
  for (const [i, row] of rows.entries()) {
    row.tokens.push(next[i]);
    row.logprobs.push(logprobs[i]);
  }
};

test("eight samples of one prompt are one row until they differ", async () => {
  const steps: StepTokens[] = [];
  const sequences = sequencesOf({ promptTokens: [1, 2, 3], numSamples: 8, seed: 1, first: 0 }, 0);
  using caches = new RowCaches(config, sequences, recordedSteps(steps), { ownBlocks: 4, aheadBlocks: 0 });
  const rows = await caches.begin(sequences);
  steps.length = 0;
  await advance(caches, rows, [0.1, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.9]);
  expect(steps.map((step) => [step.rows.length, step.draws])).toEqual([[1, Array(8).fill(0)]]);
  expect(rows.map(({ tokens }) => tokens)).toEqual([[1], [1], [1], [1], [5], [5], [5], [9]]);
  await advance(caches, rows, Array(8).fill(0.2));
  expect(steps[1].rows.length).toBe(3);
  expect(steps[1].tokens).toEqual([1, 5, 9]);
  expect(steps[1].draws).toEqual([0, 0, 0, 0, 1, 1, 1, 2]);
  // Equal tokens again do not make them one: what they had drawn before differs.
  await advance(caches, rows, Array(8).fill(0.2), 2);
  expect(steps.slice(2).map((step) => step.rows.length)).toEqual([2, 1]);
});

test("whatever is drawn, each history is computed once a step, behind its own blocks, and all memory comes back", async () => {
  const call = fc.record({
    prompts: fc.array(fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 70 }), {
      minLength: 1,
      maxLength: 4,
    }),
    samples: fc.integer({ min: 1, max: 5 }),
    draws: fc.array(fc.double({ min: 0, max: 0.3, noNaN: true }), { minLength: 20, maxLength: 20 }),
    most: fc.integer({ min: 1, max: 7 }),
  });
  await fc.assert(
    fc.asyncProperty(call, async ({ prompts, samples, draws, most }) => {
      const steps: StepTokens[] = [];
      const sequences = prompts.flatMap((promptTokens, ask) =>
        sequencesOf({ promptTokens, numSamples: samples, seed: 1, first: 0 }, ask),
      );
      using caches = new RowCaches(config, sequences, recordedSteps(steps), { ownBlocks: 4, aheadBlocks: 0 });
      let rows = await caches.begin(sequences);
      const emptied = { blocks: 0 };
      for (let turn = 0; rows.length > 0; turn++) {
        const histories = new Set(rows.map(({ sequence, tokens }) => [...sequence.prompt, -1, ...tokens].join()));
        const before = caches.blocks + caches.blocksToAdvance(rows);
        steps.length = 0;
        await advance(
          caches,
          rows,
          rows.map((_, i) => draws[(turn * 3 + i) % draws.length]),
          most,
        );
        expect(caches.blocks).toBe(before);
        expect(steps.reduce((sum, step) => sum + step.rows.length, 0)).toBe(histories.size);
        for (const step of steps) {
          expect(step.rows.length).toBeLessThanOrEqual(most);
          // Every place before the one that is computed is seen, once.
          for (const [row, { chunks }] of step.rows.entries()) {
            expect(chunks.reduce((sum, { places }) => sum + places, 0)).toBe(step.positions[row]);
            expect(new Set(chunks.map(({ pool, block }) => `${pool} ${block}`)).size).toBe(chunks.length);
          }
        }
        const ended = turn >= 4 ? rows : rows.filter((_, i) => (turn + i) % 5 === 0);
        for (const row of ended) caches.end(row);
        rows = rows.filter((row) => !ended.includes(row));
        emptied.blocks = caches.blocks;
      }
      // Block 0 of each pool, and what all prompts begin with, which is kept.
      expect(emptied.blocks).toBeLessThanOrEqual(3 + 2);
    }),
    { numRuns: 60 },
  );
});
