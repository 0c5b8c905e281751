// Keys and values of the sequences under way. A prompt is computed once. Then either its blocks are shared by all of its rows, or, where
// all prompts begin alike and few rows share the rest, only that beginning is, by all rows, and each row has the
// rest for itself: whichever is less to read at every step. What a row gets is the same.

import type { ModelConfig } from "../../../../model/model-config.ts";
import type { Sequence } from "../sequences.ts";
import { type BlockList, BlockPool, type Target } from "./block-pool.ts";
import { computePrompts, type RunStep, type UnreadPrompt } from "./compute-prompts.ts";
import type { CacheLimits } from "./limits.ts";
import { blocksOf, commonBlocks, placesInBlocks } from "./prompts.ts";
import { blockSize } from "./step-attention.ts";
import type { Chunk } from "./step-indices.ts";
import type { StepResult } from "./step-session.ts";

/** A sequence under way. */
export interface Row {
  readonly sequence: Sequence;
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly prompt: Prompt;
  state: RowState;
}

/** What rows share that have drawn the same tokens behind the same prompt: until they differ, a step computes them once. */
interface RowState {
  /** The part of the prompt that is not shared, then the tokens. */
  readonly own: BlockList;
  /** Rows that share it. */
  rows: number;
}

/** A prompt without its last token, which is the first that a row computes. */
interface Prompt {
  readonly tokens: readonly number[];
  /** Blocks that its rows see in the shared pool. */
  readonly shared: BlockList;
  /** Blocks that each of its rows begins with a copy of. */
  readonly kept: BlockList;
  /** Sequences that have not begun, and those that have not ended. */
  waiting: number;
  left: number;
}

/** For each row. */
export type Drawn = Pick<StepResult, "next"> & { readonly logprobs: readonly number[] };

/** Owns the memory of keys and values until it is disposed of. */
export class RowCaches implements Disposable {
  readonly #pools: Readonly<Record<"shared" | "own" | "kept" | "none", BlockPool>>;
  readonly #run: RunStep;
  readonly #aheadBlocks: number;
  readonly #prompts = new Map<string, Prompt>();
  /** What all prompts begin with, where only that is shared. */
  readonly #common: { readonly tokens: readonly number[]; readonly list: BlockList };

  /** `sequences`: all that will begin. */
  constructor(
    config: ModelConfig,
    sequences: readonly Sequence[],
    run: RunStep,
    { ownBlocks, aheadBlocks }: CacheLimits,
  ) {
    this.#run = run;
    this.#aheadBlocks = aheadBlocks;
    for (const { prompt } of sequences) {
      const key = prompt.join();
      const known = this.#prompts.get(key);
      if (known === undefined) this.#prompts.set(key, newPrompt(prompt));
      else {
        known.waiting++;
        known.left++;
      }
    }
    const prompts = [...this.#prompts.values()].map(({ tokens }) => tokens);
    const shared = sharesBeginningOnly(prompts, sequences.length) ? commonBlocks(prompts) : 0;
    this.#common = { tokens: prompts[0].slice(0, shared * blockSize), list: { blocks: [] } };
    const ofPrompts = prompts.reduce((sum, { length }) => sum + blocksOf(length), shared);
    const pool = (blocks: number): BlockPool => new BlockPool(config, blocks);
    this.#pools = { shared: pool(ofPrompts), own: pool(ownBlocks), kept: pool(ofPrompts), none: pool(0) };
  }

  /** Blocks in use. */
  get blocks(): number {
    return this.#pools.shared.size + this.#pools.own.size + this.#pools.kept.size;
  }

  /** Blocks that a row has of its prompt for itself, at most. */
  get promptBlocks(): number {
    if (this.#common.tokens.length === 0) return 0;
    const longest = Math.max(...[...this.#prompts.values()].map(({ tokens }) => tokens.length));
    return blocksOf(longest - this.#common.tokens.length);
  }

  /** Makes rows of sequences, computing prompts that are not there yet. */
  async begin(sequences: readonly Sequence[]): Promise<Row[]> {
    const prompts = sequences.map(({ prompt }) => this.#promptOf(prompt));
    const unread = new Set(prompts.filter((prompt) => !isRead(prompt)));
    if (unread.size > 0) await this.#compute([...unread, ...this.#ahead(unread)]);
    if (this.#common.tokens.length === 0) this.#share(prompts);
    const { own, kept } = this.#pools;
    const states = new Map(prompts.map((prompt): [Prompt, RowState] => [prompt, { own: { blocks: [] }, rows: 0 }]));
    for (const [prompt, state] of states) own.copyFrom(kept, prompt.kept.blocks, state.own);
    return sequences.map((sequence, i) => {
      const prompt = prompts[i];
      const state = states.get(prompt)!;
      state.rows++;
      prompt.waiting--;
      if (prompt.waiting === 0) kept.release(prompt.kept);
      return { sequence, tokens: [], logprobs: [], prompt, state };
    });
  }

  /** Moves the blocks of prompts to where all of their rows see them. */
  #share(prompts: readonly Prompt[]): void {
    const { shared, kept } = this.#pools;
    for (const prompt of prompts) {
      shared.copyFrom(kept, prompt.kept.blocks, prompt.shared);
      kept.release(prompt.kept);
    }
  }

  #promptOf(prompt: readonly number[]): Prompt {
    const found = this.#prompts.get(prompt.join());
    if (found === undefined) throw new Error("A sequence begins that was not planned.");
    return found;
  }

  async #compute(prompts: readonly Prompt[]): Promise<void> {
    const { shared, kept } = this.#pools;
    const { tokens, list } = this.#common;
    if (tokens.length > 0 && list.blocks.length === 0) {
      const beginning = { blocks: [] };
      await this.#read([{ tokens, list: beginning }]);
      shared.copyFrom(kept, beginning.blocks, list);
      kept.release(beginning);
    }
    await this.#read(prompts.map((prompt) => ({ tokens: prompt.tokens, list: prompt.kept })));
  }

  /** Behind the common beginning, as soon as that is there. */
  #read(prompts: readonly UnreadPrompt[]): Promise<void> {
    const { kept, shared, none } = this.#pools;
    const { list } = this.#common;
    return computePrompts(prompts, { pool: list.blocks.length > 0 ? shared : none, list }, kept, this.#run);
  }

  /** The prompts that come next, as many as there is room for: read together with others, what they begin with like those is computed once. */
  #ahead(reading: ReadonlySet<Prompt>): Prompt[] {
    let room = this.#aheadBlocks - this.#pools.kept.size;
    return [...this.#prompts.values()].filter((prompt) => {
      if (prompt.waiting === 0 || reading.has(prompt) || isRead(prompt)) return false;
      room -= blocksOf(prompt.tokens.length - this.#common.tokens.length);
      return room >= 0;
    });
  }

  /** What a row sees beside the position that it computes next. */
  #chunksOf({ prompt, state: { own }, tokens }: Row): Chunk[] {
    const inPrompt = placesInBlocks(prompt.tokens.length);
    const shared = [...this.#common.list.blocks, ...prompt.shared.blocks];
    const mine = own.blocks.slice(0, inPrompt.length - shared.length);
    const seen = [
      ...shared.map((block) => ({ pool: "shared" as const, block })),
      ...mine.map((block) => ({ pool: "own" as const, block })),
    ].map((chunk, i): Chunk => ({ ...chunk, places: inPrompt[i] }));
    const ofTokens = placesInBlocks(tokens.length);
    const written = ofTokens.map((places, i): Chunk => ({ pool: "own", block: own.blocks[mine.length + i], places }));
    return [...seen, ...written];
  }

  /** Blocks that `advance` will take for these rows. */
  blocksToAdvance(rows: readonly Row[]): number {
    let blocks = 0;
    for (const [{ own }, parts] of partsOf(rows)) {
      const [[{ tokens }]] = parts;
      blocks += (parts.length - 1) * own.blocks.length + (tokens.length % blockSize === 0 ? parts.length : 0);
    }
    return blocks;
  }

  /**
   * The next token of every row, drawn with its number in [0, 1); `most` states at a time, since each has logits. Rows that have come
   * to differ get states of their own first.
   */
  async advance(rows: readonly Row[], uniforms: readonly number[], most: number): Promise<Drawn> {
    this.#separate(rows);
    const sharing = [...Map.groupBy(rows.keys(), (i) => rows[i].state).values()];
    const [next, logprobs] = [Array<number>(rows.length), Array<number>(rows.length)];
    for (let from = 0; from < sharing.length; from += most) {
      const part = sharing.slice(from, from + most);
      const drawn = part.flat();
      const result = await this.#advanceStates(
        part.map(([first]) => rows[first]),
        part.flatMap((sharers, place) => sharers.map(() => place)),
        drawn.map((i) => uniforms[i]),
      );
      for (const [at, i] of drawn.entries()) [next[i], logprobs[i]] = [result.next[at], result.logprobs[at]];
    }
    return { next, logprobs };
  }

  /** A step of rows with states of their own, and draws from them. */
  async #advanceStates(
    rows: readonly Row[],
    draws: readonly number[],
    uniforms: readonly number[],
  ): Promise<StepResult> {
    const { shared, own } = this.#pools;
    const result = await this.#run(
      { ...shared.feeds("shared"), ...own.feeds("own") },
      {
        rows: rows.map((row, i) => ({ chunks: this.#chunksOf(row), keys: [i], from: 0 })),
        time: 1,
        sizes: { shared: shared.size, own: own.size },
        tokens: rows.map(lastToken),
        positions: rows.map(({ prompt, tokens }) => prompt.tokens.length + tokens.length),
        draws,
        uniforms,
      },
    );
    own.write(
      result.states,
      rows.map((row, from) => this.#targetOf(row, from)),
    );
    return result;
  }

  #separate(rows: readonly Row[]): void {
    for (const [{ own }, [, ...others]] of partsOf(rows)) {
      for (const part of others) {
        const state: RowState = { own: { blocks: [] }, rows: 0 };
        this.#pools.own.copyFrom(this.#pools.own, own.blocks, state.own);
        for (const row of part) {
          row.state.rows--;
          row.state = state;
          state.rows++;
        }
      }
    }
  }

  #targetOf({ state: { own }, tokens }: Row, from: number): Target {
    const place = tokens.length % blockSize;
    if (place === 0) this.#pools.own.extend(own);
    return { from, block: own.blocks[own.blocks.length - 1], place };
  }

  /** Gives the memory of a row back that has ended. */
  end(row: Row): void {
    const { prompt } = row;
    this.#leave(row);
    prompt.left--;
    if (prompt.left === 0) this.#pools.shared.release(prompt.shared);
  }

  /** Gives the memory of a row back that will begin again. */
  putBack(row: Row): void {
    this.#leave(row);
    row.prompt.waiting++;
  }

  #leave({ state }: Row): void {
    state.rows--;
    if (state.rows === 0) this.#pools.own.release(state.own);
  }

  [Symbol.dispose](): void {
    for (const pool of Object.values(this.#pools)) pool.dispose();
  }
}

const lastToken = ({ sequence, tokens }: Row): number => tokens.at(-1) ?? sequence.prompt[sequence.prompt.length - 1];

/** The rows of each state by the token that they come to now; those of a part go on as one. */
function partsOf(rows: readonly Row[]): Map<RowState, Row[][]> {
  const states = Map.groupBy(rows, ({ state }) => state);
  return new Map([...states].map(([state, sharing]) => [state, [...Map.groupBy(sharing, lastToken).values()]]));
}

/** Whether its blocks are there. */
const isRead = ({ shared, kept }: Prompt): boolean => shared.blocks.length + kept.blocks.length > 0;

function newPrompt(prompt: readonly number[]): Prompt {
  return { tokens: prompt.slice(0, -1), shared: { blocks: [] }, kept: { blocks: [] }, waiting: 1, left: 1 };
}

/**
 * Whether rows shall share only what all prompts begin with. Blocks that a step reads, c of them common to all p prompts and t
 * others of each: p · (c + t) where each prompt is shared by its own rows, c + rows · t where the beginning is by all rows.
 */
function sharesBeginningOnly(prompts: readonly (readonly number[])[], rows: number): boolean {
  const common = commonBlocks(prompts);
  const all = prompts.reduce((sum, { length }) => sum + blocksOf(length), 0);
  const rest = all / prompts.length - common;
  return common > 0 && common + rows * rest < all;
}
