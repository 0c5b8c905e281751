// Generation for many sequences at once: which sequence sits in which row of the decode graph, and when a row is given to
// another. The graph runs until enough rows are free, finished sequences leave, waiting ones take their place on top of
// their prompt's shared keys and values, and the graph runs again; at the end the batch shrinks with the work.
// It leaves out the arithmetic (decode-graph.ts), prompts (prefix-cache.ts) and threads (the worker calls it).
import { uniformAt } from "../../random.ts";
import type { Completion } from "../../types.ts";
import type { SampleOptions } from "../engine.ts";
import { buildDecodeGraph, type Choice, cacheNames } from "./decode-graph.ts";
import { type ModelConfig, rotaryTables } from "./model-config.ts";
import { createPrefillSession, PrefixCache } from "./prefix-cache.ts";
import {
  createSession,
  float32Data,
  float32Tensor,
  int32Tensor,
  int64Tensor,
  type Session,
  type Tensor,
  type Tensors,
} from "./runtime.ts";
import { checkSampleRequest } from "./sample-request.ts";

/** Samples with the weights as they are at the time of the call. Calls may not overlap. */
export interface Sampler {
  /** Completions as [prompt][sample]. Throws UnsupportedError before any work for what cannot be honoured. */
  sample(prompts: readonly (readonly number[])[], options: SampleOptions): Promise<Completion[][]>;
  dispose(): Promise<void>;
}

export interface SamplerOptions {
  readonly threads: number;
  /** Sequences that are generated at the same time; bounds memory. */
  readonly maxBatch?: number;
}

/** While sequences wait, rows are refilled when no more than this fraction is still busy. */
const refillFraction = 0.75;
/** When none wait, the batch shrinks when no more than this fraction is still busy, … */
const shrinkFraction = 0.5;
/** … unless it is this small already. */
const smallBatch = 8;
/** The greatest number that the graph's float32 arithmetic keeps below the whole when it takes that part of it. */
const greatestUniform = 1 - 2 ** -23;

/** A sequence on its way. What it draws depends on (seed, number, position) alone. */
interface Sequence {
  readonly number: number;
  readonly prompt: readonly number[];
  readonly tokens: number[];
  readonly logprobs: number[];
}

/** `weights`: live float32 tensors by Hugging Face name, in Hugging Face layout, read at every call. */
export function createSampler(
  config: ModelConfig,
  weights: ReadonlyMap<string, Tensor>,
  { threads, maxBatch = 128 }: SamplerOptions,
): Sampler {
  const sessions = new Map<string, Promise<Session>>();
  const cached = (name: string, create: () => Promise<Session>): Promise<Session> => {
    const session = sessions.get(name) ?? create();
    sessions.set(name, session);
    return session;
  };
  const decodeSession = (choice: Choice): Promise<Session> =>
    cached(choice, () => createSession(buildDecodeGraph(config, choice), { threads }));
  const prefillSession = (): Promise<Session> => cached("prefill", () => createPrefillSession(config, threads));
  const rotaryFeeds = rotaryFeedsFor(config);

  return {
    sample: async (prompts, options) => {
      checkSampleRequest(config, prompts, options);
      const sequences = prompts.flatMap((prompt, i) =>
        Array.from({ length: options.numSamples }, (_, sample) => newSequence(i * options.numSamples + sample, prompt)),
      );
      const longest = Math.max(0, ...prompts.map(({ length }) => length)) + options.maxTokens;
      const shared = { ...Object.fromEntries(weights), ...rotaryFeeds(longest) };
      const choice = choiceFor(config, options);
      // Long prompts first: the cache is as wide as its longest row.
      const waiting = sequences.toSorted((a, b) => b.prompt.length - a.prompt.length);
      const prefixes = new PrefixCache(
        config,
        prefillSession,
        shared,
        waiting.map(({ prompt }) => prompt),
      );
      const stop = new Set(options.stop);
      const settings = choiceFeeds(config, options, choice);
      let rows: Sequence[] = [];
      let kept = emptyCache(config);
      while (rows.length + waiting.length > 0) {
        const admitted = waiting.splice(0, maxBatch - rows.length);
        const prefix = await prefixes.gather(admitted.map(({ prompt }) => prompt));
        prefixes.keepOnly(waiting.map(({ prompt }) => prompt));
        const sources = [...rows.keys(), ...prefix.rows.map((row) => rows.length + row)];
        rows = [...rows, ...admitted];
        const session = await decodeSession(choice);
        const output = await session.run({
          ...shared,
          ...settings,
          ...kept,
          ...prefix.feeds,
          ...rowFeeds(rows, sources, options),
          leave_at: int32Tensor([], [leaveAt(rows.length, waiting.length)]),
          ...(choice === "greedy" ? {} : { uniforms: uniformsFor(rows, options) }),
        });
        appendTokens(rows, output, options.maxTokens, stop);
        rows = rows.filter((sequence) => !isFinished(sequence, options.maxTokens, stop));
        kept = renameKept(config, output);
      }
      return prompts.map((_, i) =>
        sequences.slice(i * options.numSamples, (i + 1) * options.numSamples).map(({ tokens, logprobs }) => ({
          tokens,
          logprobs,
          stopReason: stop.has(tokens.at(-1)!) ? "stop" : "length",
        })),
      );
    },
    dispose: async () => {
      for (const session of sessions.values()) await (await session).dispose();
      sessions.clear();
    },
  };
}

function newSequence(number: number, prompt: readonly number[]): Sequence {
  return { number, prompt, tokens: [], logprobs: [] };
}

function isFinished({ tokens }: Sequence, maxTokens: number, stop: ReadonlySet<number>): boolean {
  return tokens.length > 0 && (tokens.length >= maxTokens || stop.has(tokens[tokens.length - 1]));
}

function choiceFor(config: ModelConfig, { temperature, topK = 0, topP = 1 }: SampleOptions): Choice {
  if (temperature === 0) return "greedy";
  return topP < 1 || (topK > 0 && topK < config.vocabSize) ? "truncated" : "full";
}

/** Inputs that stay the same for a whole call. */
function choiceFeeds(config: ModelConfig, options: SampleOptions, choice: Choice): Tensors {
  const unstopped = new Int32Array(config.vocabSize).fill(1);
  for (const token of options.stop) unstopped[token] = 0;
  const feeds = { unstopped: int32Tensor([config.vocabSize], unstopped) };
  if (choice === "greedy") return feeds;
  const temperature = float32Tensor([], Float32Array.of(options.temperature));
  if (choice === "full") return { ...feeds, temperature };
  const { topP = 1, topK = 0 } = options;
  const count = topK === 0 ? config.vocabSize : Math.min(topK, config.vocabSize);
  return { ...feeds, temperature, top_p: float32Tensor([], Float32Array.of(topP)), top_k: int64Tensor([1], [count]) };
}

function rowFeeds(rows: readonly Sequence[], sources: readonly number[], { maxTokens }: SampleOptions): Tensors {
  const lengths = rows.map(({ prompt, tokens }) => prompt.length + tokens.length - 1);
  const remaining = rows.map(({ tokens }) => maxTokens - tokens.length);
  const count = [rows.length];
  return {
    sources: int64Tensor(count, sources),
    cache_size: int64Tensor([1], [Math.max(1, ...lengths)]),
    last_tokens: int64Tensor(
      count,
      rows.map(({ prompt, tokens }) => tokens.at(-1) ?? prompt[prompt.length - 1]),
    ),
    lengths: int32Tensor(count, lengths),
    remaining: int32Tensor(count, remaining),
    max_trips: int64Tensor([], [Math.max(...remaining)]),
  };
}

/** One number in [0, 1) for each trip and row; zeros where the row is at its limit. */
function uniformsFor(rows: readonly Sequence[], { seed, maxTokens }: SampleOptions): Tensor {
  const trips = Math.max(...rows.map(({ tokens }) => maxTokens - tokens.length));
  const data = new Float32Array(trips * rows.length);
  for (const [row, { number, tokens }] of rows.entries()) {
    for (let position = tokens.length; position < maxTokens; position++) {
      const uniform = uniformAt(seed, number, position);
      data[(position - tokens.length) * rows.length + row] = Math.min(uniform, greatestUniform);
    }
  }
  return float32Tensor([trips, rows.length], data);
}

function leaveAt(rows: number, waiting: number): number {
  if (waiting > 0) return Math.floor(rows * refillFraction);
  return rows > smallBatch ? Math.floor(rows * shrinkFraction) : 0;
}

/** Moves what the graph gave, [trip][row], to the sequences, up to the end of each. */
function appendTokens(rows: readonly Sequence[], output: Tensors, maxTokens: number, stop: ReadonlySet<number>): void {
  const tokens = output["tokens"].data as BigInt64Array;
  const logprobs = float32Data(output["logprobs"]);
  for (let i = 0; i < tokens.length; i++) {
    const sequence = rows[i % rows.length];
    if (isFinished(sequence, maxTokens, stop)) continue;
    sequence.tokens.push(Number(tokens[i]));
    sequence.logprobs.push(logprobs[i]);
  }
}

function emptyCache(config: ModelConfig): Tensors {
  const empty = float32Tensor([0, config.keyValueHeads, 1, config.headSize]);
  return Object.fromEntries(cacheInputs(config).map((name) => [name, empty]));
}

/** The unfinished rows' cache, as an input of the next run. */
function renameKept(config: ModelConfig, output: Tensors): Tensors {
  return Object.fromEntries(cacheInputs(config).map((name) => [name, output[`${name}_next`]]));
}

function cacheInputs(config: ModelConfig): string[] {
  return Array.from({ length: config.layers }, (_, layer) => Object.values(cacheNames("kept", layer))).flat();
}

/** Rotary tables for at least a number of positions; kept, since one call is much like another. */
function rotaryFeedsFor(config: ModelConfig): (positions: number) => Tensors {
  const bySize = new Map<number, Tensors>();
  return (positions) => {
    const size = Math.min(config.maxPositions, 2 ** Math.ceil(Math.log2(Math.max(16, positions))));
    const known = bySize.get(size);
    if (known !== undefined) return known;
    const { cosines, sines } = rotaryTables(config, size);
    const shape = [size, config.headSize / 2];
    const feeds = { cosines: float32Tensor(shape, cosines), sines: float32Tensor(shape, sines) };
    bySize.set(size, feeds);
    return feeds;
  };
}
