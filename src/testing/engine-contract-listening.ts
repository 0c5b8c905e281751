// The part of the engine contract about following a call of `sample` while it is under way.
import { describe, expect, it } from "vitest";
import type { Ask, Piece, SampleListener } from "../engine/engine.ts";
import type { Completion } from "../types.ts";
import type { EngineFixture } from "./engine-fixture.ts";

export function describeListening(fixture: EngineFixture): void {
  const options = { maxTokens: 8, temperature: 1 };
  /** Two asks of three and two completions, and how they are sampled. */
  const draw = (stream: string): { asks: Ask[]; sample: (listener?: SampleListener) => Promise<Completion[][]> } => {
    const [first, second] = fixture.draw(stream, 4, 2);
    const asks = [
      { promptTokens: first, numSamples: 3, seed: 5, first: 0 },
      { promptTokens: second, numSamples: 2, seed: 6, first: 1 },
    ];
    const stop = fixture.policy.tokenizer.endTokens;
    return { asks, sample: (listener) => fixture.policy.sample(asks, { ...options, stop }, listener) };
  };
  const joined = (pieces: readonly Piece[], completions: readonly (readonly Completion[])[]) =>
    completions.map((row, ask) =>
      row.map((_, sample) => {
        const own = pieces.filter((piece) => piece.ask === ask && piece.sample === sample);
        return { tokens: own.flatMap(({ tokens }) => tokens), logprobs: own.flatMap(({ logprobs }) => logprobs) };
      }),
    );

  describe("sample: a listener", () => {
    it("is told every token in its order before the call ends, and changes none", async () => {
      const { sample } = draw("listener");
      const expected = await sample();
      const pieces: Piece[] = [];
      let ended = false;
      const completions = await sample((piece) => {
        expect(ended).toBe(false);
        pieces.push(piece);
        return true;
      });
      ended = true;
      fixture.expectSameSamples(completions, expected);
      expect(joined(pieces, completions)).toEqual(
        completions.map((row) => row.map(({ tokens, logprobs }) => ({ tokens, logprobs }))),
      );
      for (const { tokens, logprobs } of pieces) {
        expect(tokens.length).toBeGreaterThan(0);
        expect(logprobs).toHaveLength(tokens.length);
      }
      const { tellsTokens = false } = fixture.policy.capabilities;
      if (tellsTokens) expect(Math.max(...pieces.map(({ tokens }) => tokens.length))).toBe(1);
      else expect(pieces).toHaveLength(5);
    });

    it("ends a completion, keeps what was told of it, is told no more, and leaves the others alone", async () => {
      const { sample } = draw("ending");
      const expected = await sample();
      const pieces: Piece[] = [];
      const completions = await sample((piece) => {
        pieces.push(piece);
        return !(piece.ask === 0 && piece.sample === 1);
      });
      const [told] = pieces.filter(({ ask, sample }) => ask === 0 && sample === 1).map(({ tokens }) => tokens);
      expect(pieces.filter(({ ask, sample }) => ask === 0 && sample === 1)).toHaveLength(1);
      const [ended, whole] = [completions[0][1], expected[0][1]];
      expect(ended.tokens.slice(0, told.length)).toEqual(told);
      expect(ended.tokens).toEqual(whole.tokens.slice(0, ended.tokens.length));
      expect(ended.logprobs).toHaveLength(ended.tokens.length);
      expect(ended.stopReason).toBe(ended.tokens.length === whole.tokens.length ? whole.stopReason : "length");
      const others = (rows: readonly (readonly Completion[])[]): Completion[][] =>
        rows.map((row, ask) => row.filter((_, sample) => ask !== 0 || sample !== 1));
      fixture.expectSameSamples(others(completions), others(expected));
    });

    it("that throws rejects its call with what it threw, and no other", async () => {
      const { sample } = draw("throwing");
      const expected = await sample();
      const problem = new Error("The listener has a defect.");
      const failing = sample(() => {
        throw problem;
      });
      const following = sample();
      await expect(failing).rejects.toBe(problem);
      fixture.expectSameSamples(await following, expected);
    });

    it("follows one call of several that wait", async () => {
      const { sample } = draw("several");
      const counts = [0, 0];
      const calls = counts.map((_, i) =>
        sample(({ tokens }) => {
          counts[i] += tokens.length;
          return true;
        }),
      );
      const [completions] = await Promise.all(calls);
      const total = completions.flat().reduce((sum, { tokens }) => sum + tokens.length, 0);
      expect(counts).toEqual([total, total]);
    });
  });
}
