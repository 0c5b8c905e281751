// Claims of the pieces that prompts are read in: where a prompt is cut depends on it alone, every position comes once behind its own
// tokens, and what prompts begin with alike is computed once.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  batchesOf,
  type PieceBatch,
  pieceLength,
  piecesOf,
} from "../../../../src/engine/onnx/generate/stepped/prompts.ts";

const batchesOfAll = (prompts: readonly (readonly number[])[], most: number): PieceBatch[] =>
  piecesOf(prompts).flatMap((pieces) => batchesOf(pieces, most));

/** Few letters and common beginnings, so that prompts begin alike at all lengths. */
const letters = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 90 });
const someBegun = fc
  .record({ beginning: letters, rests: fc.array(letters, { minLength: 1, maxLength: 5 }) })
  .map(({ beginning, rests }) => rests.map((rest) => [...beginning, ...rest]));
const somePrompts = fc.oneof(fc.array(letters, { minLength: 1, maxLength: 6 }), someBegun);

test("a piece's keys are its prompts' own tokens, each position is computed by one piece, and no batch is too large", () => {
  fc.assert(
    fc.property(somePrompts, fc.integer({ min: 1, max: 300 }), (prompts, most) => {
      const read = prompts.map((): number[] => []);
      for (const { pieces, tokens, positions, time } of batchesOfAll(prompts, most)) {
        expect(positions.length).toBe(tokens.length);
        expect(tokens.length <= most || pieces.length === 1).toBe(true);
        const computed = pieces.flatMap(({ keys, from }) => keys.slice(from)).toSorted((a, b) => a - b);
        expect(computed).toEqual(tokens.map((_, i) => i));
        for (const { keys, from, start, prompts: sharing } of pieces) {
          expect(keys.length).toBeLessThanOrEqual(time);
          expect(time - keys.length).toBeLessThan(pieceLength / 2);
          expect(from).toBeLessThan(keys.length);
          expect(keys.map((key) => positions[key])).toEqual(keys.map((_, i) => start + i));
          for (const prompt of sharing) {
            // Depth by depth, a piece comes behind those before it.
            expect(read[prompt].length).toBe(start);
            read[prompt].push(...keys.map((key) => tokens[key]));
          }
        }
      }
      expect(read).toEqual(prompts);
    }),
  );
});

test("of prompts that end in equally long pieces, every beginning is computed once", () => {
  const equallyLong = somePrompts.map((prompts) => {
    const length = Math.min(...prompts.map((prompt) => prompt.length));
    return prompts.map((prompt) => prompt.slice(0, length));
  });
  fc.assert(
    fc.property(equallyLong, (prompts) => {
      const beginnings = new Set(prompts.flatMap((prompt) => prompt.map((_, i) => prompt.slice(0, i + 1).join())));
      const computed = batchesOfAll(prompts, 512).reduce((sum, { tokens }) => sum + tokens.length, 0);
      expect(computed).toBe(beginnings.size);
    }),
  );
});
