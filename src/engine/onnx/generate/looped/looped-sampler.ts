// Generation for many sequences: prompts are grouped by length, each group's keys and values are computed at once (every
// prompt once, however many sequences continue it), and one run of the decode graph generates all that follow.
// It leaves out the arithmetic and the scheduling of rows (decode-graph.ts) and threads (the worker calls it). For large models
// see ../stepped: here the whole of a call is one run, which costs least where a step is short, but tells nothing before its end.

import { type ModelConfig, rotaryTables } from "../../../../model/model-config.ts";
import type { Completion } from "../../../../types.ts";
import type { Ask, SampleOptions } from "../../../engine.ts";
import { checkModelShape } from "../../check-request.ts";
import type { Graph } from "../../graph/graph.ts";
import {
  createSession,
  float32Data,
  float32Tensor,
  int32Tensor,
  int64Tensor,
  type Session,
  type Tensor,
  type Tensors,
} from "../../runtime/runtime.ts";
import type { WeightLayout } from "../../transformer/linear.ts";
import type { Sampler, SamplerOptions } from "../sampler.ts";
import { type Sequence, sequencesOf, uniformOf } from "../sequences.ts";
import type { Choice } from "../token-choice.ts";
import { buildDecodeGraph } from "./decode-graph.ts";
import { buildPrefillGraph, prefixNames } from "./prefill-graph.ts";

/** Steps between two refills: with fewer no row is idle for long, with more less is copied. 4 to 8 were alike, 16 slower. */
const stretch = 5;
/** Steps of a stretch when nothing waits for a row, so that an idle one costs nothing more. */
const lastStretch = 10;
/** Prompts of one group take at most this many bytes of keys and values, … */
const groupBytes = 2 ** 26;
/** … and their sequences at most this many tokens. */
const groupTokens = 2 ** 22;
/** Prompts up to this length share a group with any shorter ones. */
const shortPrompt = 16;

/** A sampler of small models. Throws UnsupportedError for a model that generation cannot compute. */
export function createLoopedSampler(layout: WeightLayout, options: SamplerOptions): Sampler {
  const { config } = layout;
  const { maxBatch = 128, onProgress = () => undefined } = options;
  checkModelShape(config);
  const sessions = generationSessions(layout, options);
  const rotaryFeeds = rotaryFeedsFor(config);

  return {
    sample: async (weights, asks, settings, watch) => {
      const { maxTokens } = settings;
      const longest = Math.max(0, ...asks.map(({ promptTokens }) => promptTokens.length)) + maxTokens;
      const shared = { ...Object.fromEntries(weights), ...rotaryFeeds(longest) };
      const choice = choiceFor(config, settings);
      const completions: Completion[][] = asks.map(() => []);
      const total = asks.reduce((sum, { numSamples }) => sum + numSamples, 0);
      let [done, tokens] = [0, 0];
      for (const indices of groupAsks(config, asks, maxTokens)) {
        const group = indices.flatMap((ask) => sequencesOf(asks[ask], ask));
        const { rows, inputs } = uniquePrefixes(group);
        const prefixes =
          inputs === null ? noPrefix(config) : await (await sessions.prefill()).run({ ...shared, ...inputs });
        const output = await (await sessions.decode(choice)).run({
          ...shared,
          ...choiceFeeds(config, settings, choice),
          ...prefixes,
          ...queueFeeds(group, rows, Math.min(maxBatch, group.length)),
          ...(choice === "greedy" ? {} : { uniforms: uniformsFor(group, maxTokens) }),
        });
        for (const [i, { ask }] of group.entries()) {
          const completion = readCompletion(output, i, settings);
          completions[ask].push(completion);
          tokens += completion.tokens.length;
        }
        watch?.tell(group.map(({ ask, sample }) => ({ ask, sample, ...completions[ask][sample] })));
        done += group.length;
        onProgress(done, total, tokens);
      }
      return completions;
    },
    dispose: () => sessions.dispose(),
  };
}

interface GenerationSessions {
  prefill(): Promise<Session>;
  decode(choice: Choice): Promise<Session>;
  dispose(): Promise<void>;
}

/** Sessions as they are asked for. */
function generationSessions(layout: WeightLayout, { threads }: SamplerOptions): GenerationSessions {
  const sessions = new Map<string, Session>();
  const get = async (name: string, build: () => Graph): Promise<Session> => {
    const session = sessions.get(name) ?? (await createSession(build(), { threads }));
    sessions.set(name, session);
    return session;
  };
  return {
    prefill: () => get("prefill", () => buildPrefillGraph(layout)),
    decode: (choice) => get(choice, () => buildDecodeGraph(layout, choice)),
    dispose: async () => {
      for (const session of sessions.values()) await session.dispose();
      sessions.clear();
    },
  };
}

function cacheBytesPerToken({ layers, keyValueHeads, headSize }: ModelConfig): number {
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
  const temperature = float32Tensor([], Float32Array.of(options.temperature));
  if (choice === "full") return { ...feeds, temperature };
  const { topP = 1, topK = 0 } = options;
  const count = topK === 0 ? config.vocabSize : Math.min(topK, config.vocabSize);
  return { ...feeds, temperature, top_p: float32Tensor([], Float32Array.of(topP)), top_k: int64Tensor([1], [count]) };
}

/** One number in [0, 1) for each sequence and position, and one more for rows that have finished. */
function uniformsFor(sequences: readonly Sequence[], maxTokens: number): Tensor {
  const data = new Float32Array(sequences.length * maxTokens + 1);
  for (const [i, sequence] of sequences.entries()) {
    for (let position = 0; position < maxTokens; position++) {
      data[i * maxTokens + position] = uniformOf(sequence, position);
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
