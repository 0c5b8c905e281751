// What every engine promises (src/engine/engine.ts), as tests that run on any of them. It knows no model: prompts are
// random token ids below a vocabulary size. Parts that an engine's capabilities exclude are checked to be refused.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AdamParams, type Engine, lossFunctions, type SampleOptions } from "../engine/engine.ts";
import { RunStoppedError, UnsupportedError } from "../errors.ts";
import { batchLoss } from "../learn/losses.ts";
import { randomStream } from "../random.ts";
import type { Datum } from "../types.ts";

export interface EngineContractOptions {
  /** Opens the engine; called once, disposed at the end. */
  readonly open: () => Promise<Engine>;
  /** Token ids from 0 to below this are valid. */
  readonly vocabularySize: number;
  /** The engine has a model: it learns, and its samples follow the distribution that it scores. */
  readonly learns: boolean;
  /** A text that the tokenizer can write and read back. */
  readonly text: string;
}

const adam: AdamParams = {
  learningRate: 5e-3,
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-8,
  weightDecay: 0,
  gradClipNorm: 1,
};

/** Declares the contract suite of one engine. */
export function describeEngineContract(name: string, options: EngineContractOptions): void {
  describe(`engine contract: ${name}`, () => {
    let engine: Engine;
    let folder: string;
    let ids: number[];
    beforeAll(async () => {
      engine = await options.open();
      folder = await mkdtemp(join(tmpdir(), "sqlm-engine-"));
      const ends = new Set(engine.tokenizer.endTokens);
      ids = Array.from({ length: options.vocabularySize }, (_, id) => id).filter((id) => !ends.has(id));
    });
    afterAll(async () => {
      await engine?.[Symbol.asyncDispose]();
      if (folder !== undefined) await rm(folder, { recursive: true });
    });

    /** Sequences of these lengths; equal names give equal ones. */
    const draw = (stream: string, ...lengths: number[]): number[][] => {
      const random = randomStream("engine contract", stream);
      return lengths.map((length) => Array.from({ length }, () => random.pick(ids)));
    };
    const sampling = (change: Partial<SampleOptions> = {}): SampleOptions => ({
      numSamples: 3,
      maxTokens: 6,
      temperature: 1,
      stop: engine.tokenizer.endTokens,
      seed: 7,
      ...change,
    });
    const newFolder = () => mkdtemp(join(folder, "checkpoint-"));
    /** Data whose old log-probabilities are near the policy's, so that some ratios are clipped and some are not. */
    const drawData = async (stream: string, ...lengths: number[]): Promise<Datum[]> => {
      const random = randomStream("engine contract data", stream);
      const sequences = draw(stream, ...lengths);
      const policy = await engine.score(sequences);
      const perRow = (tokens: number[], value: (i: number) => number) => tokens.map((_, i) => (i < 2 ? 0 : value(i)));
      return sequences.map((tokens, row) => ({
        tokens,
        weights: perRow(tokens, () => 0.25),
        logprobs: perRow(tokens, (i) => policy[row][i] + random.normal() / 4),
        advantages: perRow(tokens, () => random.normal()),
        referenceLogprobs: perRow(tokens, (i) => policy[row][i] + random.normal() / 4),
      }));
    };
    const gradNormOf = async (...batches: Datum[][]): Promise<number> => {
      for (const batch of batches) await engine.forwardBackward(batch, "cross_entropy");
      return (await engine.optimStep({ ...adam, learningRate: 0 })).metrics.gradNorm;
    };

    describe("tokenizer", () => {
      it("reads back what it writes, without end tokens", () => {
        const { tokenizer } = engine;
        expect(tokenizer.endTokens.length).toBeGreaterThan(0);
        expect(tokenizer.decode(tokenizer.encode(options.text))).toBe(options.text);
        for (const end of tokenizer.endTokens) {
          expect(tokenizer.decode([...tokenizer.encode(options.text), end])).toBe(options.text);
          expect(tokenizer.encode(options.text)).not.toContain(end);
        }
      });
    });

    describe("sample", () => {
      it("gives numSamples completions a prompt, with as many log-probabilities as tokens", async () => {
        const rows = await engine.sample(draw("shapes", 1, 5, 3), sampling());
        expect(rows.map((row) => row.length)).toEqual([3, 3, 3]);
        for (const { tokens, logprobs } of rows.flat()) {
          expect(tokens.length).toBeGreaterThan(0);
          expect(tokens.length).toBeLessThanOrEqual(6);
          expect(logprobs).toHaveLength(tokens.length);
          for (const logprob of logprobs) expect(logprob).toBeLessThanOrEqual(1e-6);
        }
      });

      it("gives the same tokens for the same seed and others for another", async () => {
        const prompts = draw("seeds", 2, 4);
        const first = await engine.sample(prompts, sampling({ numSamples: 8 }));
        expect(await engine.sample(prompts, sampling({ numSamples: 8 }))).toEqual(first);
        const other = await engine.sample(prompts, sampling({ numSamples: 8, seed: 8 }));
        const tokens = (rows: typeof first) => rows.map((row) => row.map((completion) => completion.tokens));
        expect(tokens(other)).not.toEqual(tokens(first));
        expect(new Set(tokens(first)[0].map(String)).size).toBeGreaterThan(1);
      });

      it("is greedy at temperature 0, whatever the seed", async () => {
        const prompts = draw("greedy", 2, 4);
        const rows = await engine.sample(prompts, sampling({ temperature: 0, seed: 1, numSamples: 2 }));
        expect(await engine.sample(prompts, sampling({ temperature: 0, seed: 2, numSamples: 2 }))).toEqual(rows);
        for (const [one, other] of rows) expect(other.tokens).toEqual(one.tokens);
        if (!options.learns) return;
        // The most likely continuation by the engine's own scores.
        const scored = await engine.score(ids.map((id) => [...prompts[0], id]));
        const best = Math.max(...scored.map((row) => row[prompts[0].length]));
        expect(rows[0][0].logprobs[0]).toBeGreaterThanOrEqual(best - 1e-4);
      });

      it("ends at a stop token, which is the last of the tokens, or at maxTokens", async () => {
        const prompts = draw("stop", 3, 6);
        const stop = [...ids.filter((_, i) => i % 2 === 0), ...engine.tokenizer.endTokens];
        for (const { tokens, stopReason } of (await engine.sample(prompts, sampling({ stop, numSamples: 6 }))).flat()) {
          const stopAt = tokens.findIndex((token) => stop.includes(token));
          expect(stopReason).toBe(stopAt === -1 ? "length" : "stop");
          expect(tokens).toHaveLength(stopAt === -1 ? 6 : stopAt + 1);
        }
        for (const { tokens, stopReason } of (await engine.sample(prompts, sampling({ stop: [] }))).flat()) {
          expect(stopReason).toBe("length");
          expect(tokens).toHaveLength(6);
        }
        const single = await engine.sample(prompts, sampling({ maxTokens: 1, stop: [] }));
        expect(single.flat().every(({ tokens }) => tokens.length === 1)).toBe(true);
      });

      it("reports the log-probabilities that it scores, also at another temperature", async () => {
        const prompts = draw("logprobs", 4, 2);
        for (const temperature of [1, 0.5]) {
          const rows = await engine.sample(prompts, sampling({ temperature }));
          const scored = await engine.score(
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
        if (!options.learns || ids.length > 256) return;
        const [prompt] = draw("distribution", 3);
        const all = Array.from({ length: options.vocabularySize }, (_, id) => id);
        const logprobs = (await engine.score(all.map((id) => [...prompt, id]))).map((row) => row[prompt.length]);
        expect(logprobs.reduce((sum, logprob) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 3);
        const [numSamples, temperature] = [1500, 0.8];
        const [row] = await engine.sample([prompt], sampling({ numSamples, temperature, maxTokens: 1, stop: [] }));
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
        const prompts = draw("top", 3, 5);
        const { topK, topP } = engine.capabilities;
        await expect(engine.sample(prompts, sampling({ topK: 0, topP: 1 }))).resolves.toHaveLength(2);
        const greedy = await engine.sample(prompts, sampling({ temperature: 0 }));
        const expected = greedy.map((row) => row.map(({ tokens }) => tokens));
        for (const [honoured, change] of [
          [topK, { topK: 1 }],
          [topP, { topP: 1e-6 }],
        ] as const) {
          const sampled = engine.sample(prompts, sampling(change));
          if (!honoured) await expect(sampled).rejects.toBeInstanceOf(UnsupportedError);
          else expect((await sampled).map((row) => row.map(({ tokens }) => tokens))).toEqual(expected);
        }
      });

      it("refuses what it cannot do before any work", async () => {
        const prompts = draw("refused", 3);
        const long = draw("long", engine.capabilities.maxSequenceTokens);
        const changes = [
          { numSamples: 0 },
          { numSamples: 1.5 },
          { maxTokens: 0 },
          { temperature: -1 },
          { temperature: Number.NaN },
        ];
        for (const change of changes) {
          await expect(engine.sample(prompts, sampling(change))).rejects.toBeInstanceOf(UnsupportedError);
        }
        await expect(engine.sample(long, sampling({ maxTokens: 1 }))).rejects.toBeInstanceOf(UnsupportedError);
        await expect(engine.sample([[]], sampling())).rejects.toBeInstanceOf(UnsupportedError);
      });
    });

    describe("score", () => {
      it("gives one number a token, 0 for the first, never above 0", async () => {
        const sequences = draw("score", 1, 7, 4);
        const scored = await engine.score(sequences);
        expect(scored.map((row) => row.length)).toEqual([1, 7, 4]);
        for (const row of scored) {
          expect(Math.abs(row[0])).toBe(0);
          for (const logprob of row) expect(logprob).toBeLessThanOrEqual(1e-6);
        }
      });

      it("depends neither on the batch nor on what follows", async () => {
        const [long, short] = draw("causal", 9, 4);
        const [inBatch] = await engine.score([long, short]);
        const [alone] = await engine.score([long]);
        const [prefix] = await engine.score([long.slice(0, 5)]);
        inBatch.forEach((logprob, i) => {
          expect(Math.abs(logprob - alone[i])).toBeLessThan(1e-4);
          if (i < 5) expect(Math.abs(logprob - prefix[i])).toBeLessThan(1e-4);
        });
      });

      it("refuses sequences that are empty or too long", async () => {
        const long = draw("long", engine.capabilities.maxSequenceTokens + 1);
        for (const sequences of [[[]], long]) {
          await expect(engine.score(sequences)).rejects.toBeInstanceOf(UnsupportedError);
        }
      });
    });

    describe("forwardBackward and optimStep", () => {
      it("takes empty input everywhere", async () => {
        expect(await engine.sample([], sampling())).toEqual([]);
        expect(await engine.score([])).toEqual([]);
        const { logprobs, metrics } = await engine.forwardBackward([], "cross_entropy");
        expect(logprobs).toEqual([]);
        expect(Math.abs(metrics.loss)).toBe(0);
        expect(await gradNormOf()).toBe(0);
      });

      it("reports the scored log-probabilities and the loss of the reference formulas", async () => {
        const data = await drawData("losses", 6, 3, 8);
        const scored = await engine.score(data.map(({ tokens }) => tokens));
        for (const loss of lossFunctions) {
          if (!engine.capabilities.lossFunctions.includes(loss)) {
            await expect(engine.forwardBackward(data, loss)).rejects.toBeInstanceOf(UnsupportedError);
            continue;
          }
          const config = { clipLow: 0.1, clipHigh: 0.15, klPenaltyCoef: engine.capabilities.klPenalty ? 0.3 : 0 };
          const { logprobs, metrics } = await engine.forwardBackward(data, loss, config);
          expect(logprobs.map((row) => row.length)).toEqual([6, 3, 8]);
          logprobs.forEach((row, i) => {
            expect(Math.abs(row[0])).toBe(0);
            row.forEach((logprob, j) => {
              expect(Math.abs(logprob - scored[i][j])).toBeLessThan(1e-4);
            });
          });
          const expected = batchLoss(data, logprobs, loss, config).loss;
          expect(Math.abs(metrics.loss - expected)).toBeLessThan(1e-3 * (1 + Math.abs(expected)));
          await engine.optimStep({ ...adam, learningRate: 0 });
        }
      });

      it("accumulates gradients until optimStep, which clears them and counts", async () => {
        const [first, second] = await drawData("accumulate", 5, 7);
        const whole = await gradNormOf([first, second]);
        expect(whole).toBeGreaterThan(0);
        const parts = await gradNormOf([first], [second]);
        expect(Math.abs(parts - whole)).toBeLessThan(1e-3 * whole);
        const before = (await engine.optimStep({ ...adam, learningRate: 0 })).metrics;
        expect(before.gradNorm).toBe(0);
        expect((await engine.optimStep({ ...adam, learningRate: 0 })).metrics.step).toBe(before.step + 1);
      });

      it("gives masked tokens no gradient", async () => {
        const data = await drawData("masked", 6);
        expect(await gradNormOf(data.map((datum) => ({ ...datum, weights: datum.weights.map(() => 0) })))).toBe(0);
      });

      it("makes likelier what it is rewarded for, and less likely what it is not", async () => {
        if (!options.learns) return;
        const data = await drawData("learn", 6, 6);
        const sequences = data.map(({ tokens }) => tokens);
        const logprobs = await engine.score(sequences);
        const rewarded = data.map((datum, i) => ({
          ...datum,
          logprobs: logprobs[i],
          advantages: datum.tokens.map(() => (i === 0 ? 1 : -1)),
        }));
        // Earlier tests left moments in the optimizer, so one update alone need not go downhill.
        for (let update = 0; update < 5; update++) {
          await engine.forwardBackward(rewarded, "importance_sampling");
          await engine.optimStep({ ...adam, learningRate: 1e-3 });
        }
        const preference = (rows: number[][]) =>
          rows.map((row) => row.slice(2).reduce((sum, logprob) => sum + logprob, 0)).reduce((good, bad) => good - bad);
        expect(preference(await engine.score(sequences))).toBeGreaterThan(preference(logprobs));
      });

      it("refuses data that do not fit the call", async () => {
        const [datum] = await drawData("refused", 4);
        const { referenceLogprobs: _, ...withoutReference } = datum;
        const bad: [Datum, number][] = [
          [{ ...datum, weights: datum.weights.slice(1) }, 0],
          [{ ...datum, logprobs: [...datum.logprobs, 0] }, 0],
          [{ ...datum, advantages: [] }, 0],
          [{ ...datum, weights: datum.weights.map(() => 1) }, 0],
          [withoutReference, 0.1],
        ];
        for (const [data, klPenaltyCoef] of bad) {
          const call = engine.forwardBackward([data], "importance_sampling", { klPenaltyCoef });
          await expect(call).rejects.toBeInstanceOf(UnsupportedError);
        }
        if (!engine.capabilities.klPenalty) {
          const call = engine.forwardBackward([datum], "importance_sampling", { klPenaltyCoef: 0.1 });
          await expect(call).rejects.toBeInstanceOf(UnsupportedError);
        }
        expect(await gradNormOf()).toBe(0);
      });

      it("stops at a gradient that is not finite and leaves the weights alone", async () => {
        const data = await drawData("nan", 5);
        const sequences = data.map(({ tokens }) => tokens);
        const before = await engine.score(sequences);
        const poisoned = data.map((datum) => ({ ...datum, advantages: datum.advantages.map(() => Number.NaN) }));
        await engine.forwardBackward(poisoned, "importance_sampling");
        await expect(engine.optimStep(adam)).rejects.toBeInstanceOf(RunStoppedError);
        expect(await engine.score(sequences)).toEqual(before);
        expect(await gradNormOf()).toBe(0);
      });
    });

    describe("save and load", () => {
      it("goes on from a checkpoint as if it had never stopped", async () => {
        if (!engine.capabilities.checkpoints) return;
        const data = await drawData("checkpoint", 6, 5);
        const sequences = data.map(({ tokens }) => tokens);
        const update = async () => {
          await engine.forwardBackward(data, "cross_entropy");
          return (await engine.optimStep(adam)).metrics;
        };
        await update();
        const saved = await newFolder();
        await engine.save(saved, { optimizer: true });
        const atSave = await engine.score(sequences);
        const metrics = await update();
        const uninterrupted = await engine.score(sequences);
        await update();
        await engine.load(saved, { optimizer: true });
        expect(await engine.score(sequences)).toEqual(atSave);
        const resumed = await update();
        expect(resumed.step).toBe(metrics.step);
        expect(resumed.gradNorm).toBeCloseTo(metrics.gradNorm, 5);
        const scored = await engine.score(sequences);
        scored.forEach((row, i) => {
          row.forEach((logprob, j) => {
            expect(logprob).toBeCloseTo(uninterrupted[i][j], 5);
          });
        });
        await engine.load(saved, { optimizer: false });
        expect(await engine.score(sequences)).toEqual(atSave);
        if (options.learns) expect(uninterrupted).not.toEqual(atSave);
      });

      it("fails on a folder that holds no model", async () => {
        if (!engine.capabilities.checkpoints) return;
        const empty = await newFolder();
        const [prompt] = draw("kept", 4);
        const before = await engine.score([prompt]);
        await expect(engine.load(empty, { optimizer: false })).rejects.toThrow();
        expect(await engine.score([prompt])).toEqual(before);
      });
    });
  });
}
