// What the tests of the engine contract share: one open engine, a folder that is removed, and input drawn from named streams.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { askEach } from "../engine/asks.ts";
import type { AdamParams, Ask, Engine, Player, Policy, SampleOptions } from "../engine/engine.ts";
import { randomStream } from "../random.ts";
import type { Completion, Datum } from "../types.ts";

export interface EngineContractOptions {
  /** Opens the engine, always on the same model; may be called again. */
  readonly open: () => Promise<Engine>;
  /** Token ids from 0 to below this are valid. */
  readonly vocabularySize: number;
  /** The engine has a model: it learns, and its samples follow the distribution that it scores. */
  readonly learns: boolean;
  /** A text that the tokenizer can write and read back. */
  readonly text: string;
  /**
   * True where the same is computed alike up to rounding only: a server may put sequences together as it likes. To the last bit
   * otherwise.
   */
  readonly rounds?: boolean;
}

export const contractAdam: AdamParams = {
  learningRate: 5e-3,
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-8,
  weightDecay: 0,
  gradClipNorm: 1,
};

export interface EngineFixture {
  readonly options: EngineContractOptions;
  /** The open engine; only inside of tests. */
  readonly engine: Engine;
  /** A policy of it that all tests share; only inside of tests. */
  readonly policy: Policy;
  /** Valid token ids without the end tokens; only inside of tests. */
  readonly ids: readonly number[];
  /** Sequences of these lengths; equal names give equal ones. */
  draw(stream: string, ...lengths: number[]): number[][];
  /** Samples an ask for each prompt: 3 completions of up to 6 tokens with seed 7, unless changed. */
  sample(
    prompts: readonly (readonly number[])[],
    change?: Partial<SampleOptions & Omit<Ask, "promptTokens">>,
    player?: Player,
  ): Promise<Completion[][]>;
  newFolder(): Promise<string>;
  /** Expects the same log-probabilities, to the last bit unless the options say that a policy and a frozen player round. */
  expectSame(actual: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void;
  /** The same tokens, and log-probabilities that are the same as far as the engine computes the same twice. */
  expectSameSamples(actual: readonly (readonly Completion[])[], expected: readonly (readonly Completion[])[]): void;
  /** Data whose old log-probabilities are near the policy's, so that some ratios are clipped and some are not. */
  drawData(stream: string, ...lengths: number[]): Promise<Datum[]>;
  /** Norm of the gradient that these batches accumulate; the weights stay. */
  gradNormOf(...batches: Datum[][]): Promise<number>;
}

/** Opens the engine before the tests of the enclosing `describe` and disposes of it after them. */
export function engineFixture(options: EngineContractOptions): EngineFixture {
  let engine: Engine;
  let policy: Policy;
  let folder: string;
  let ids: number[];
  beforeAll(async () => {
    engine = await options.open();
    policy = await engine.openPolicy();
    folder = await mkdtemp(join(tmpdir(), "sqlm-engine-"));
    const ends = new Set(engine.tokenizer.endTokens);
    ids = Array.from({ length: options.vocabularySize }, (_, id) => id).filter((id) => !ends.has(id));
  });
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  const draw = (stream: string, ...lengths: number[]): number[][] => {
    const random = randomStream("engine contract", stream);
    return lengths.map((length) => Array.from({ length }, () => random.pick(ids)));
  };
  return {
    options,
    get engine() {
      return engine;
    },
    get policy() {
      return policy;
    },
    get ids() {
      return ids;
    },
    draw,
    sample: (prompts, { numSamples = 3, seed = 7, first = 0, ...change } = {}, player = policy) =>
      player.sample(askEach(prompts, { numSamples, seed, first }), {
        maxTokens: 6,
        temperature: 1,
        stop: engine.tokenizer.endTokens,
        ...change,
      }),
    expectSame(actual, expected) {
      if (options.rounds !== true) return expect(actual).toEqual(expected);
      expect(actual.map((row) => row.length)).toEqual(expected.map((row) => row.length));
      for (const [i, row] of actual.entries()) {
        for (const [j, value] of row.entries()) expect(Math.abs(value - expected[i][j])).toBeLessThan(1e-5);
      }
    },
    expectSameSamples(actual, expected) {
      if (options.rounds !== true) return expect(actual).toEqual(expected);
      const bare = (rows: typeof actual) => rows.map((row) => row.map(({ logprobs: _, ...completion }) => completion));
      expect(bare(actual)).toEqual(bare(expected));
      const logprobs = (rows: typeof actual) => rows.flatMap((row) => row.map((completion) => completion.logprobs));
      this.expectSame(logprobs(actual), logprobs(expected));
    },
    newFolder: () => mkdtemp(join(folder, "checkpoint-")),
    async drawData(stream, ...lengths) {
      const random = randomStream("engine contract data", stream);
      const sequences = draw(stream, ...lengths);
      const scored = await policy.score(sequences);
      const perRow = (tokens: number[], value: (i: number) => number) => tokens.map((_, i) => (i < 2 ? 0 : value(i)));
      return sequences.map((tokens, row) => ({
        tokens,
        weights: perRow(tokens, () => 0.25),
        logprobs: perRow(tokens, (i) => scored[row][i] + random.normal() / 4),
        advantages: perRow(tokens, () => random.normal()),
        referenceLogprobs: perRow(tokens, (i) => scored[row][i] + random.normal() / 4),
      }));
    },
    async gradNormOf(...batches) {
      for (const batch of batches) await policy.forwardBackward(batch, "cross_entropy");
      return (await policy.optimStep({ ...contractAdam, learningRate: 0 })).metrics.gradNorm;
    },
  };
}
