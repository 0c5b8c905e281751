import fc from "fast-check";
import { expect, test } from "vitest";
import { packLogprobs, packTokens, unpackLogprobs, unpackTokens } from "../../src/store/token-blob.ts";

test("token ids come back as they were", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 })), (tokens) => {
      expect(unpackTokens(packTokens(tokens))).toEqual(tokens);
    }),
  );
});

test("log-probabilities come back close: probabilities within .02, and within .006 where they are above .9", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -30, max: 0, noNaN: true })), (logprobs) => {
      const back = unpackLogprobs(packLogprobs(logprobs));
      expect(back).toHaveLength(logprobs.length);
      for (const [i, logprob] of logprobs.entries()) {
        const [given, got] = [Math.exp(logprob), Math.exp(back[i])];
        expect(Math.abs(given - got)).toBeLessThan(given > 0.9 ? 0.006 : 0.02);
      }
    }),
  );
  expect(unpackLogprobs(packLogprobs([Number.NaN, Number.NEGATIVE_INFINITY, 0.1, -0]))).toEqual([-25, -25, 0, 0]);
});
