// Generation for many sequences: prompts are grouped by length, each group's keys and values are computed at once (every
// prompt once, however many sequences continue it), and one run of the decode graph generates all that follow.
// It leaves out the arithmetic and the scheduling of rows (decode-graph.ts) and threads (the worker calls it).

import { type ModelConfig, rotaryTables } from "../../../model/model-config.ts";
import { uniformAt } from "../../../random.ts";
import type { Completion } from "../../../types.ts";
import type { Ask, SampleOptions } from "../../engine.ts";
import { checkModelShape, checkTokens } from "../check-request.ts";
import type { Graph } from "../graph/graph.ts";
import {
  boolTensor,
  createSession,
  float32Data,
  float32Tensor,
  int32Tensor,
  int64Tensor,
  type Session,
  type Tensor,
  type Tensors,
} from "../runtime/runtime.ts";
import type { FrozenWeights } from "../transformer/frozen-weights.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { buildDecodeGraph } from "./decode-graph.ts";
import { buildPrefillGraph, prefixNames } from "./prefill-graph.ts";
import type { Choice } from "./token-choice.ts";

/** Samples from any weights of one shape, as they are at the time of the call. Calls may not overlap. */
export interface Sampler {
  /**
   * Completions as [ask][sample]. `weights`: what trains, float32 tensors by name, matrices
   * [out, in]. Throws
   * UnsupportedError before any work for what cannot be honoured.
   */
  sample(weights: ReadonlyMap<string, Tensor>, asks: readonly Ask[], options: SampleOptions): Promise<Completion[][]>;
  dispose(): Promise<void>;
}

export interface SamplerOptions {
  readonly threads: number;
  /** Sequences that are generated at the same time; bounds memory. */
  readonly maxBatch?: number;
  /**
   * Weights that never change. They become constants of the one decode graph that is kept, memory is given back after each run,
   * and rows are bounded by the size of their caches: the ways of large models.
   */
  readonly frozen?: FrozenWeights | null;
  /** Called after each run of the decode graph with the completions so far, all of the call, and the tokens so far. */
  readonly onProgress?: (done: number, total: number, tokens: number) => void;
}

/** Steps between two refills: with fewer no row is idle for long, with more less is copied. 4 to 8 were alike, 16 slower. */
const stretch = 5;
/** Steps of a stretch when nothing waits for a row, so that an idle one costs nothing more. */
const lastStretch = 10;
/** Prompts of one group take at most this many bytes of keys and values, … */
const groupBytes = 2 ** 26;
/** … and their sequences at most this many tokens. */
const groupTokens = 2 ** 22;
/** Keys and values of all rows together, where rows are bounded. */
const cacheBytes = 2 ** 29;
/** More rows are no faster. */
export const largestBatch = 128;
/** Fewer rows are not worth a run. */
const smallestBatch = 8;
/** Prompts up to this length share a group with any shorter ones. */
const shortPrompt = 16;
/** The greatest number whose product with a float32 is always less than it. */
const greatestUniform = 1 - 2 ** -23;

/** A sequence to be generated. What it draws depends on (seed, number, position) alone. */
interface Sequence {
  /** Index of its ask in the call. */
  readonly ask: number;
  readonly seed: number;
  readonly number: number;
  readonly prompt: readonly number[];
}

function sequencesOf({ promptTokens, numSamples, seed, first }: Ask, ask: number): Sequence[] {
  return Array.from({ length: numSamples }, (_, i) => ({ ask, seed, number: first + i, prompt: promptTokens }));
}

/** Throws UnsupportedError for a model that generation cannot compute. */
export function createSampler(layout: WeightLayout, options: SamplerOptions): Sampler {
  const { config } = layout;
  const { maxBatch = largestBatch, frozen = null, onProgress = () => undefined } = options;
  checkModelShape(config);
  const sessions = generationSessions(layout, options);
  const rotaryFeeds = rotaryFeedsFor(config);

  return {
    sample: async (weights, asks, settings) => {
      const prompts = asks.map(({ promptTokens }) => promptTokens);
      checkTokens(config, prompts);
      const { maxTokens } = settings;
      const longest = Math.max(0, ...prompts.map(({ length }) => length)) + maxTokens;
      const shared = { ...Object.fromEntries(frozen ?? []), ...Object.fromEntries(weights), ...rotaryFeeds(longest) };
      const choice = frozen === null ? choiceFor(config, settings) : constantChoice(choiceFor(config, settings));
      const adapted = layout.lora !== null && changesAnything(weights);
      const completions: Completion[][] = asks.map(() => []);
      const total = asks.reduce((sum, { numSamples }) => sum + numSamples, 0);
      let [done, tokens] = [0, 0];
      for (const { group, rows: rowLimit } of plannedGroups(config, asks, maxTokens, maxBatch, frozen !== null)) {
        const { rows, inputs } = uniquePrefixes(group);
        const prefixes =
          inputs === null ? noPrefix(config) : await (await sessions.prefill(adapted)).run({ ...shared, ...inputs });
        const output = await (await sessions.decode(choice, adapted)).run({
          ...shared,
          ...choiceFeeds(config, settings, choice),
          ...prefixes,
          ...queueFeeds(group, rows, Math.min(rowLimit, group.length)),
          ...(choice === "greedy" ? {} : { uniforms: uniformsFor(group, maxTokens) }),
        });
        for (const [i, { ask }] of group.entries()) {
          const completion = readCompletion(output, i, settings);
          completions[ask].push(completion);
          tokens += completion.tokens.length;
        }
        done += group.length;
        onProgress(done, total, tokens);
      }
      return completions;
    },
    dispose: () => sessions.dispose(),
  };
}

interface GenerationSessions {
  prefill(adapted: boolean): Promise<Session>;
  decode(choice: Choice, adapted: boolean): Promise<Session>;
  dispose(): Promise<void>;
}

/**
 * Sessions as they are asked for. `adapted` false leaves the adapter out, which changes nothing as long as its B is zero. With
 * frozen weights only one decode session is kept: each packs the weights for itself.
 */
function generationSessions(layout: WeightLayout, { threads, frozen = null }: SamplerOptions): GenerationSessions {
  const sessions = new Map<string, Session>();
  const get = async (name: string, build: () => Graph): Promise<Session> => {
    const session = sessions.get(name) ?? (await createSession(build(), { threads, keepMemory: frozen === null }));
    sessions.set(name, session);
    return session;
  };
  const layoutFor = (adapted: boolean): WeightLayout => (adapted ? layout : { ...layout, lora: null });
  return {
    prefill: (adapted) => get(`prefill${adapted ? "+adapter" : ""}`, () => buildPrefillGraph(layoutFor(adapted))),
    decode: async (choice, adapted) => {
      const name = `${choice}${adapted ? "+adapter" : ""}`;
      if (frozen !== null && !sessions.has(name)) {
        for (const [other, session] of sessions) {
          if (other.startsWith("prefill")) continue;
          sessions.delete(other);
          await session.dispose();
        }
      }
      return get(name, () => buildDecodeGraph(layoutFor(adapted), choice, frozen));
    },
    dispose: async () => {
      for (const session of sessions.values()) await session.dispose();
      sessions.clear();
    },
  };
}

const constantChoice = (choice: Choice): Choice => (choice === "truncated" ? choice : "switched");

/** Whether an adapter among these weights does anything yet: its B are zero at first. */
function changesAnything(weights: ReadonlyMap<string, Tensor>): boolean {
  return [...weights].some(
    ([name, tensor]) => name.endsWith("lora_B.weight") && float32Data(tensor).some((x) => x !== 0),
  );
}

/**
 * Sequences that one run of the decode graph generates, and how many rows at a time. Bounded: as many rows as caches have room for,
 * and runs of twice as many sequences, so that progress shows.
 */
function plannedGroups(
  config: ModelConfig,
  asks: readonly Ask[],
  maxTokens: number,
  maxBatch: number,
  bounded: boolean,
): { readonly group: Sequence[]; readonly rows: number }[] {
  const groups = groupAsks(config, asks, maxTokens).map((group) => group.flatMap((ask) => sequencesOf(asks[ask], ask)));
  if (!bounded) return groups.map((group) => ({ group, rows: maxBatch }));
  return groups.flatMap((sequences) => {
    const rows = rowsAtOnce(config, sequences[0].prompt.length + maxTokens, maxBatch);
    const runs = Math.ceil(sequences.length / (2 * rows));
    return Array.from({ length: runs }, (_, i) => ({ group: sequences.slice(2 * rows * i, 2 * rows * (i + 1)), rows }));
  });
}

/** Rows of this many tokens that are sampled at a time with frozen weights. */
export function rowsAtOnce(config: ModelConfig, length: number, maxBatch = largestBatch): number {
  // Caches stand twice in memory when a stretch ends.
  const room = length * cacheBytesPerToken(config) * 2;
  return Math.min(maxBatch, Math.max(smallestBatch, Math.floor(cacheBytes / room)));
}

/** Bytes of one token's keys and values in all layers. */
export function cacheBytesPerToken({ layers, keyValueHeads, headSize }: ModelConfig): number {
  return layers * 2 * keyValueHeads * headSize * 4;
}

/**
 * Indices of asks, longest prompt first, in groups that fit the limits and in which the longest, unless it is short, is at
 * most twice as long as the shortest, since a group's keys and values are as wide as its longest prompt.
 */
function groupAsks(config: ModelConfig, asks: readonly Ask[], maxTokens: number): number[][] {
  const bytesPerToken = cacheBytesPerToken(config);
  const groups: number[][] = [];
  let samples = 0;
  const length = (ask: number): number => asks[ask].promptTokens.length;
  for (const ask of [...asks.keys()].sort((a, b) => length(b) - length(a) || a - b)) {
    const group = groups.at(-1);
    const longest = group === undefined ? 0 : length(group[0]);
    const together = samples + asks[ask].numSamples;
    const fits =
      (longest <= shortPrompt || length(ask) * 2 >= longest) &&
      ((group?.length ?? 0) + 1) * longest * bytesPerToken <= groupBytes &&
      together * maxTokens <= groupTokens;
    if (group !== undefined && fits) group.push(ask);
    else groups.push([ask]);
    samples = group !== undefined && fits ? together : asks[ask].numSamples;
  }
  return groups;
}

/** Inputs of the prefill graph for prompts without their last tokens, each once, and the row of each sequence in it. */
function uniquePrefixes(sequences: readonly Sequence[]): { rows: number[]; inputs: Tensors | null } {
  const prefixes = new Map<string, { readonly row: number; readonly tokens: readonly number[] }>();
  const rows = sequences.map(({ prompt }) => {
    const tokens = prompt.slice(0, -1);
    const key = tokens.join();
    const known = prefixes.get(key) ?? { row: prefixes.size, tokens };
    prefixes.set(key, known);
    return known.row;
  });
  const time = Math.max(...sequences.map(({ prompt }) => prompt.length - 1));
  if (time === 0) return { rows, inputs: null };
  const count = prefixes.size;
  const table = new BigInt64Array(count * time);
  for (const { row, tokens } of prefixes.values()) {
    for (const [i, token] of tokens.entries()) table[row * time + i] = BigInt(token);
  }
  const inputs = {
    tokens: int64Tensor([count, time], table),
    last_positions: int32Tensor([count], new Int32Array(count).fill(time - 1)),
    total: int32Tensor([1], [time]),
  };
  return { rows, inputs };
}

/** Stands for the keys and values of prompts of a single token: one place that belongs to none. */
function noPrefix(config: ModelConfig): Tensors {
  const empty = float32Tensor([1, config.keyValueHeads, 1, config.headSize]);
  return Object.fromEntries(prefixNames(config).map((name) => [name, empty]));
}

function queueFeeds(sequences: readonly Sequence[], prefixRows: readonly number[], rows: number): Tensors {
  const count = [sequences.length];
  return {
    queue_tokens: int64Tensor(
      count,
      sequences.map(({ prompt }) => prompt[prompt.length - 1]),
    ),
    queue_lengths: int64Tensor(
      count,
      sequences.map(({ prompt }) => prompt.length - 1),
    ),
    queue_prefixes: int64Tensor(count, prefixRows),
    places: int64Tensor(
      [rows],
      Array.from({ length: rows }, (_, row) => row),
    ),
    stretch: int64Tensor([1], [stretch]),
    last_stretch: int64Tensor([1], [lastStretch]),
  };
}

function choiceFor(config: ModelConfig, { temperature, topK = 0, topP = 1 }: SampleOptions): Choice {
  if (temperature === 0) return "greedy";
  return topP < 1 || (topK > 0 && topK < config.vocabSize) ? "truncated" : "full";
}

/** Inputs that stay the same for a whole call. */
function choiceFeeds(config: ModelConfig, options: SampleOptions, choice: Choice): Tensors {
  const unstopped = new BigInt64Array(config.vocabSize).fill(1n);
  for (const token of options.stop) unstopped[token] = 0n;
  const feeds = {
    unstopped: int64Tensor([config.vocabSize], unstopped),
    max_tokens: int64Tensor([1], [options.maxTokens]),
  };
  if (choice === "greedy") return feeds;
  const isGreedy = options.temperature === 0;
  const temperature = float32Tensor([], Float32Array.of(isGreedy ? 1 : options.temperature));
  if (choice === "switched") return { ...feeds, temperature, greedy: boolTensor([], [isGreedy]) };
  if (choice === "full") return { ...feeds, temperature };
  const { topP = 1, topK = 0 } = options;
  const count = topK === 0 ? config.vocabSize : Math.min(topK, config.vocabSize);
  return { ...feeds, temperature, top_p: float32Tensor([], Float32Array.of(topP)), top_k: int64Tensor([1], [count]) };
}

/** One number in [0, 1) for each sequence and position, and one more for rows that have finished. */
function uniformsFor(sequences: readonly Sequence[], maxTokens: number): Tensor {
  const data = new Float32Array(sequences.length * maxTokens + 1);
  for (const [i, { seed, number }] of sequences.entries()) {
    for (let position = 0; position < maxTokens; position++) {
      data[i * maxTokens + position] = Math.min(uniformAt(seed, number, position), greatestUniform);
    }
  }
  return float32Tensor([data.length], data);
}

function readCompletion(output: Tensors, index: number, { maxTokens, stop }: SampleOptions): Completion {
  const start = index * maxTokens;
  const all = (output["tokens"].data as BigInt64Array).subarray(start, start + maxTokens);
  const stopAt = all.findIndex((token) => stop.includes(Number(token)));
  const length = stopAt === -1 ? maxTokens : stopAt + 1;
  return {
    tokens: Array.from(all.subarray(0, length), Number),
    logprobs: [...float32Data(output["logprobs"]).subarray(start, start + length)],
    stopReason: stopAt === -1 ? "length" : "stop",
  };
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
