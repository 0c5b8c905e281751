// The part of the engine contract about `sample`.
import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../errors.ts";
import type { EngineFixture } from "./engine-fixture.ts";

export function describeSampling(fixture: EngineFixture): void {
  describe("sample", () => {
    it("gives numSamples completions a prompt, with as many log-probabilities as tokens", async () => {
      const rows = await fixture.sample(fixture.draw("shapes", 1, 5, 3));
      expect(rows.map((row) => row.length)).toEqual([3, 3, 3]);
      for (const { tokens, logprobs } of rows.flat()) {
        expect(tokens.length).toBeGreaterThan(0);
        expect(tokens.length).toBeLessThanOrEqual(6);
        expect(logprobs).toHaveLength(tokens.length);
        for (const logprob of logprobs) expect(logprob).toBeLessThanOrEqual(1e-6);
      }
    });

    it("gives the same tokens for the same seed and others for another", async () => {
      const prompts = fixture.draw("seeds", 2, 4);
      const first = await fixture.sample(prompts, { numSamples: 8 });
      fixture.expectSameSamples(await fixture.sample(prompts, { numSamples: 8 }), first);
      const other = await fixture.sample(prompts, { numSamples: 8, seed: 8 });
      const tokens = (rows: typeof first) => rows.map((row) => row.map((completion) => completion.tokens));
      expect(tokens(other)).not.toEqual(tokens(first));
      expect(new Set(tokens(first)[0].map(String)).size).toBeGreaterThan(1);
    });

    it("draws by seed, number and position alone: other asks, other counts and a call before change nothing", async () => {
      const [prompt, other, another] = fixture.draw("asks", 4, 2, 5);
      const options = { maxTokens: 6, temperature: 1, stop: fixture.policy.tokenizer.endTokens };
      const ask = { promptTokens: prompt, numSamples: 6, seed: 11, first: 0 };
      const [whole] = await fixture.policy.sample([ask], options);
      const tokens = (rows: readonly { readonly tokens: readonly number[] }[]) => rows.map((row) => row.tokens);
      const beside = await fixture.policy.sample(
        [
          { promptTokens: other, numSamples: 3, seed: 1, first: 0 },
          { ...ask, numSamples: 2, first: 4 },
          { promptTokens: another, numSamples: 1, seed: 2, first: 7 },
          { ...ask, numSamples: 4 },
        ],
        options,
      );
      expect(beside.map((row) => row.length)).toEqual([3, 2, 1, 4]);
      expect(tokens([...beside[3], ...beside[1]])).toEqual(tokens(whole));
      [...beside[3], ...beside[1]].forEach(({ logprobs }, i) => {
        logprobs.forEach((logprob, k) => {
          expect(Math.abs(logprob - whole[i].logprobs[k])).toBeLessThan(1e-4);
        });
      });
    });

    it("is greedy at temperature 0, whatever the seed", async () => {
      const prompts = fixture.draw("greedy", 2, 4);
      const rows = await fixture.sample(prompts, { temperature: 0, seed: 1, numSamples: 2 });
      fixture.expectSameSamples(await fixture.sample(prompts, { temperature: 0, seed: 2, numSamples: 2 }), rows);
      for (const [one, other] of rows) expect(other.tokens).toEqual(one.tokens);
      if (!fixture.options.learns) return;
      // The most likely continuation by the fixture.engine's own scores.
      const scored = await fixture.policy.score(fixture.ids.map((id) => [...prompts[0], id]));
      const best = Math.max(...scored.map((row) => row[prompts[0].length]));
      expect(rows[0][0].logprobs[0]).toBeGreaterThanOrEqual(best - 1e-4);
    });

    it("ends at a stop token, which is the last of the tokens, or at maxTokens", async () => {
      const prompts = fixture.draw("stop", 3, 6);
      const stop = [...fixture.ids.filter((_, i) => i % 2 === 0), ...fixture.policy.tokenizer.endTokens];
      for (const { tokens, stopReason } of (await fixture.sample(prompts, { stop, numSamples: 6 })).flat()) {
        const stopAt = tokens.findIndex((token) => stop.includes(token));
        expect(stopReason).toBe(stopAt === -1 ? "length" : "stop");
        expect(tokens).toHaveLength(stopAt === -1 ? 6 : stopAt + 1);
      }
      for (const { tokens, stopReason } of (await fixture.sample(prompts, { stop: [] })).flat()) {
        expect(stopReason).toBe("length");
        expect(tokens).toHaveLength(6);
      }
      const single = await fixture.sample(prompts, { maxTokens: 1, stop: [] });
      expect(single.flat().every(({ tokens }) => tokens.length === 1)).toBe(true);
    });
  });
}

export function describeDistribution(fixture: EngineFixture): void {
  describe("sample: distribution", () => {
    it("reports the log-probabilities that it scores, also at another temperature", async () => {
      const prompts = fixture.draw("logprobs", 4, 2);
      for (const temperature of [1, 0.5]) {
        const rows = await fixture.sample(prompts, { temperature });
        const scored = await fixture.policy.score(
          rows.flatMap((row, i) => row.map(({ tokens }) => [...prompts[i], ...tokens])),
        );
        rows.forEach((row, i) => {
          row.forEach(({ logprobs }, j) => {
            const expected = scored[i * row.length + j].slice(prompts[i].length);
            logprobs.forEach((logprob, k) => {
              expect(Math.abs(logprob - expected[k])).toBeLessThan(1e-4);
            });
          });
        });
      }
    });

    it("follows the distribution that it scores", async () => {
      if (!fixture.options.learns || fixture.ids.length > 256) return;
      const [prompt] = fixture.draw("distribution", 3);
      const all = Array.from({ length: fixture.options.vocabularySize }, (_, id) => id);
      const logprobs = (await fixture.policy.score(all.map((id) => [...prompt, id]))).map((row) => row[prompt.length]);
      expect(logprobs.reduce((sum, logprob) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 3);
      const [numSamples, temperature] = [1500, 0.8];
      const [row] = await fixture.sample([prompt], { numSamples, temperature, maxTokens: 1, stop: [] });
      const scaled = logprobs.map((logprob) => Math.exp(logprob / temperature));
      const total = scaled.reduce((sum, value) => sum + value, 0);
      all.forEach((id) => {
        const expected = scaled[id] / total;
        const seen = row.filter(({ tokens }) => tokens[0] === id).length / numSamples;
        // Five standard deviations; the seed is fixed, so this passes always or never.
        expect(Math.abs(seen - expected)).toBeLessThan(5 * Math.sqrt(expected / numSamples) + 2 / numSamples);
      });
    });

    it("honours topK and topP, or refuses them", async () => {
      const prompts = fixture.draw("top", 3, 5);
      const { topK, topP } = fixture.policy.capabilities;
      await expect(fixture.sample(prompts, { topK: 0, topP: 1 })).resolves.toHaveLength(2);
      const greedy = await fixture.sample(prompts, { temperature: 0 });
      const expected = greedy.map((row) => row.map(({ tokens }) => tokens));
      for (const [honoured, change] of [
        [topK, { topK: 1 }],
        [topP, { topP: 1e-6 }],
      ] as const) {
        const sampled = fixture.sample(prompts, change);
        if (!honoured) await expect(sampled).rejects.toBeInstanceOf(UnsupportedError);
        else expect((await sampled).map((row) => row.map(({ tokens }) => tokens))).toEqual(expected);
      }
    });
  });
}

export function describeRefusedSampling(fixture: EngineFixture): void {
  describe("sample: what is refused", () => {
    it("refuses what it cannot do before any work", async () => {
      const prompts = fixture.draw("refused", 3);
      const long = fixture.draw("long", fixture.policy.capabilities.maxSequenceTokens);
      const changes = [
        { numSamples: 0 },
        { numSamples: 1.5 },
        { maxTokens: 0 },
        { temperature: -1 },
        { temperature: Number.NaN },
        { temperature: Number.POSITIVE_INFINITY },
        { topP: 0 },
        { topP: 1.5 },
        { topP: Number.NaN },
        { topK: -1 },
        { topK: 1.5 },
      ];
      for (const change of changes) {
        await expect(fixture.sample(prompts, change)).rejects.toBeInstanceOf(UnsupportedError);
      }
      const options = { maxTokens: 2, temperature: 1, stop: [] };
      const ask = { promptTokens: prompts[0], numSamples: 1, seed: 1, first: 0 };
      for (const change of [{ seed: 0.5 }, { seed: Number.NaN }, { first: -1 }, { first: 0.5 }]) {
        await expect(fixture.policy.sample([{ ...ask, ...change }], options)).rejects.toBeInstanceOf(UnsupportedError);
      }
      await expect(fixture.sample(long, { maxTokens: 1 })).rejects.toBeInstanceOf(UnsupportedError);
      await expect(fixture.sample([[]])).rejects.toBeInstanceOf(UnsupportedError);
    });
  });
}
