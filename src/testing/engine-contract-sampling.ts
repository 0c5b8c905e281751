// The part of the engine contract about `sample`.
import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../errors.ts";
import type { EngineFixture } from "./engine-fixture.ts";

export function describeSampling(fixture: EngineFixture): void {
  describe("sample", () => {
    it("gives numSamples completions a prompt, with as many log-probabilities as tokens", async () => {
      const rows = await fixture.policy.sample(fixture.draw("shapes", 1, 5, 3), fixture.sampling());
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
      const first = await fixture.policy.sample(prompts, fixture.sampling({ numSamples: 8 }));
      expect(await fixture.policy.sample(prompts, fixture.sampling({ numSamples: 8 }))).toEqual(first);
      const other = await fixture.policy.sample(prompts, fixture.sampling({ numSamples: 8, seed: 8 }));
      const tokens = (rows: typeof first) => rows.map((row) => row.map((completion) => completion.tokens));
      expect(tokens(other)).not.toEqual(tokens(first));
      expect(new Set(tokens(first)[0].map(String)).size).toBeGreaterThan(1);
    });

    it("is greedy at temperature 0, whatever the seed", async () => {
      const prompts = fixture.draw("greedy", 2, 4);
      const rows = await fixture.policy.sample(prompts, fixture.sampling({ temperature: 0, seed: 1, numSamples: 2 }));
      expect(
        await fixture.policy.sample(prompts, fixture.sampling({ temperature: 0, seed: 2, numSamples: 2 })),
      ).toEqual(rows);
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
      for (const { tokens, stopReason } of (
        await fixture.policy.sample(prompts, fixture.sampling({ stop, numSamples: 6 }))
      ).flat()) {
        const stopAt = tokens.findIndex((token) => stop.includes(token));
        expect(stopReason).toBe(stopAt === -1 ? "length" : "stop");
        expect(tokens).toHaveLength(stopAt === -1 ? 6 : stopAt + 1);
      }
      for (const { tokens, stopReason } of (
        await fixture.policy.sample(prompts, fixture.sampling({ stop: [] }))
      ).flat()) {
        expect(stopReason).toBe("length");
        expect(tokens).toHaveLength(6);
      }
      const single = await fixture.policy.sample(prompts, fixture.sampling({ maxTokens: 1, stop: [] }));
      expect(single.flat().every(({ tokens }) => tokens.length === 1)).toBe(true);
    });
  });
}

export function describeDistribution(fixture: EngineFixture): void {
  describe("sample: distribution", () => {
    it("reports the log-probabilities that it scores, also at another temperature", async () => {
      const prompts = fixture.draw("logprobs", 4, 2);
      for (const temperature of [1, 0.5]) {
        const rows = await fixture.policy.sample(prompts, fixture.sampling({ temperature }));
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
      const [row] = await fixture.policy.sample(
        [prompt],
        fixture.sampling({ numSamples, temperature, maxTokens: 1, stop: [] }),
      );
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
      await expect(fixture.policy.sample(prompts, fixture.sampling({ topK: 0, topP: 1 }))).resolves.toHaveLength(2);
      const greedy = await fixture.policy.sample(prompts, fixture.sampling({ temperature: 0 }));
      const expected = greedy.map((row) => row.map(({ tokens }) => tokens));
      for (const [honoured, change] of [
        [topK, { topK: 1 }],
        [topP, { topP: 1e-6 }],
      ] as const) {
        const sampled = fixture.policy.sample(prompts, fixture.sampling(change));
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
        await expect(fixture.policy.sample(prompts, fixture.sampling(change))).rejects.toBeInstanceOf(UnsupportedError);
      }
      await expect(fixture.policy.sample(long, fixture.sampling({ maxTokens: 1 }))).rejects.toBeInstanceOf(
        UnsupportedError,
      );
      await expect(fixture.policy.sample([[]], fixture.sampling())).rejects.toBeInstanceOf(UnsupportedError);
    });
  });
}
