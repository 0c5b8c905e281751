// Keys and values of prompts, each prompt computed once however many sequences continue it. The last token of a prompt is
// left out: generation begins with it. Memory is given back when the last sequence that waits for a prompt has begun.
import { buildPrefillGraph, cacheNames } from "./decode-graph.ts";
import type { ModelConfig } from "./model-config.ts";
import {
  createSession,
  float32Data,
  float32Tensor,
  int32Tensor,
  int64Tensor,
  type Session,
  type Tensors,
} from "./runtime.ts";

/** Prompts are computed together up to this many tokens, padding included: enough for full speed, little memory. */
const tokensPerBatch = 4096;

/** Where one prompt's keys and values lie: row `row` of the tensors of the batch that it was computed in. */
interface Prefix {
  readonly batch: Tensors;
  readonly row: number;
  readonly length: number;
}

/** Opens a cache for one call of `sample`. `prompts` in the order in which they will be needed. */
export class PrefixCache {
  readonly #config: ModelConfig;
  readonly #session: () => Promise<Session>;
  readonly #sharedFeeds: Tensors;
  readonly #waiting: (readonly number[])[];
  readonly #prefixes = new Map<string, Prefix>();

  constructor(
    config: ModelConfig,
    session: () => Promise<Session>,
    sharedFeeds: Tensors,
    prompts: Iterable<readonly number[]>,
  ) {
    this.#config = config;
    this.#session = session;
    this.#sharedFeeds = sharedFeeds;
    const unique = new Map(
      [...prompts].filter((prompt) => prompt.length > 1).map((prompt) => [prefixKey(prompt), prompt]),
    );
    this.#waiting = [...unique.values()];
  }

  /**
   * The keys and values of prompts as inputs of the decode graph, with zeros behind the shorter ones, and the row of each
   * prompt in them. There is at least one row and one position even if no prompt has a prefix.
   */
  async gather(prompts: readonly (readonly number[])[]): Promise<{ feeds: Tensors; rows: number[]; count: number }> {
    const rowOf = new Map<string, number>();
    const needed: Prefix[] = [];
    const rows: number[] = [];
    for (const prompt of prompts) {
      const key = prefixKey(prompt);
      let row = prompt.length === 1 ? 0 : rowOf.get(key);
      if (row === undefined) {
        row = needed.length;
        rowOf.set(key, row);
        needed.push(await this.#find(key));
      }
      rows.push(row);
    }
    return { feeds: this.#assemble(needed), rows, count: Math.max(1, needed.length) };
  }

  /** Forgets the prompts that no sequence waits for any more. */
  keepOnly(prompts: Iterable<readonly number[]>): void {
    const kept = new Set([...prompts].map(prefixKey));
    for (const key of this.#prefixes.keys()) {
      if (!kept.has(key)) this.#prefixes.delete(key);
    }
  }

  async #find(key: string): Promise<Prefix> {
    for (;;) {
      const known = this.#prefixes.get(key);
      if (known !== undefined) return known;
      if (this.#waiting.length === 0) throw new Error("A prompt was asked for that the cache was not opened with.");
      await this.#computeNextBatch();
    }
  }

  async #computeNextBatch(): Promise<void> {
    const time = this.#waiting[0].length - 1;
    const count = Math.max(1, Math.floor(tokensPerBatch / time));
    const fitting = this.#waiting.findIndex((prompt, i) => i >= count || prompt.length - 1 > time);
    const prompts = this.#waiting.splice(0, fitting === -1 ? this.#waiting.length : fitting);
    const tokens = new BigInt64Array(prompts.length * time);
    for (const [row, prompt] of prompts.entries()) {
      for (let i = 0; i < prompt.length - 1; i++) tokens[row * time + i] = BigInt(prompt[i]);
    }
    const session = await this.#session();
    const batch = await session.run({
      ...this.#sharedFeeds,
      tokens: int64Tensor([prompts.length, time], tokens),
      last_positions: int32Tensor([prompts.length], new Int32Array(prompts.length).fill(time - 1)),
      total: int32Tensor([1], [time]),
    });
    for (const [row, prompt] of prompts.entries()) {
      this.#prefixes.set(prefixKey(prompt), { batch, row, length: prompt.length - 1 });
    }
  }

  #assemble(prefixes: readonly Prefix[]): Tensors {
    const { layers, keyValueHeads, headSize } = this.#config;
    const time = Math.max(1, ...prefixes.map(({ length }) => length));
    const shape = [Math.max(1, prefixes.length), keyValueHeads, time, headSize];
    const feeds: Record<string, ReturnType<typeof float32Tensor>> = {};
    for (let layer = 0; layer < layers; layer++) {
      for (const name of Object.values(cacheNames("prefix", layer))) {
        const tensor = float32Tensor(shape);
        const target = float32Data(tensor);
        for (const [i, { batch, row, length }] of prefixes.entries()) {
          const source = float32Data(batch[name]);
          const sourceTime = batch[name].dims[2];
          for (let head = 0; head < keyValueHeads; head++) {
            const start = (row * keyValueHeads + head) * sourceTime * headSize;
            const part = source.subarray(start, start + length * headSize);
            target.set(part, (i * keyValueHeads + head) * time * headSize);
          }
        }
        feeds[name] = tensor;
      }
    }
    return feeds;
  }
}

export function createPrefillSession(config: ModelConfig, threads: number): Promise<Session> {
  return createSession(buildPrefillGraph(config), { threads });
}

const prefixKey = (prompt: readonly number[]): string => prompt.slice(0, -1).join(",");
