// Keys and values of the sequences under way. A prompt is computed once. Then either its blocks are shared by all of its rows, or, where
// all prompts begin alike and few rows share the rest, only that beginning is, by all rows, and each row has the
// rest for itself: whichever is less to read at every step. What a row gets is the same.

import type { ModelConfig } from "../../../../model/model-config.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import type { Sequence } from "../sequences.ts";
import { type BlockList, BlockPool, type Target } from "./block-pool.ts";
import { commonBlocks, type Piece, pieceLength, piecesOf, placesInBlocks } from "./prompts.ts";
import { blockSize } from "./step-attention.ts";
import type { Chunk } from "./step-indices.ts";
import type { StepResult, StepTokens } from "./step-session.ts";

/** A sequence under way. */
export interface Row {
  readonly sequence: Sequence;
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly prompt: Prompt;
  /** Blocks of its own: the part of the prompt that it does not share, then those of its tokens. */
  readonly own: BlockList;
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

/** Runs a step with keys and values from the given feeds. */
export type RunStep = (blocks: Tensors, step: StepTokens) => Promise<StepResult>;

/** New positions that one run computes of prompts, at most; a single piece may have more. */
const mostPromptPositions = 512;

/** Owns the memory of keys and values until it is disposed of. */
export class RowCaches implements Disposable {
  readonly #pools: Readonly<Record<"shared" | "own" | "kept" | "none", BlockPool>>;
  readonly #run: RunStep;
  readonly #prompts = new Map<string, Prompt>();
  /** What all prompts begin with, where only that is shared. */
  readonly #common: { readonly tokens: readonly number[]; readonly list: BlockList };

  /** `sequences`: all that will begin. */
  constructor(config: ModelConfig, sequences: readonly Sequence[], run: RunStep) {
    const pool = (): BlockPool => new BlockPool(config);
    this.#pools = { shared: pool(), own: pool(), kept: pool(), none: pool() };
    this.#run = run;
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
  }

  /** Blocks in use. */
  get blocks(): number {
    return this.#pools.shared.size + this.#pools.own.size + this.#pools.kept.size;
  }

  /** Blocks that a row has of its prompt for itself, at most. */
  get promptBlocks(): number {
    if (this.#common.tokens.length === 0) return 0;
    const longest = Math.max(...[...this.#prompts.values()].map(({ tokens }) => tokens.length));
    return Math.ceil((longest - this.#common.tokens.length) / blockSize);
  }

  /** Makes rows of sequences, computing prompts that are not there yet. */
  async begin(sequences: readonly Sequence[]): Promise<Row[]> {
    const prompts = sequences.map(({ prompt }) => this.#promptOf(prompt));
    await this.#compute(
      [...new Set(prompts)].filter(({ shared, kept }) => shared.blocks.length + kept.blocks.length === 0),
    );
    const { own, kept } = this.#pools;
    return sequences.map((sequence, i) => {
      const prompt = prompts[i];
      const row: Row = { sequence, tokens: [], logprobs: [], prompt, own: { blocks: [] } };
      own.copyFrom(kept, prompt.kept.blocks, row.own);
      prompt.waiting--;
      if (prompt.waiting === 0) kept.release(prompt.kept);
      return row;
    });
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
      await this.#computePieces([{ tokens, list: beginning }]);
      shared.copyFrom(kept, beginning.blocks, list);
      kept.release(beginning);
    }
    await this.#computePieces(prompts.map((prompt) => ({ tokens: prompt.tokens, list: prompt.kept })));
    if (tokens.length > 0) return;
    for (const prompt of prompts) {
      shared.copyFrom(kept, prompt.kept.blocks, prompt.shared);
      kept.release(prompt.kept);
    }
  }

  /** Computes what is behind the common beginning, as soon as that is there, into blocks of the pool `kept`. */
  async #computePieces(
    prompts: readonly { readonly tokens: readonly number[]; readonly list: BlockList }[],
  ): Promise<void> {
    const { kept, shared, none } = this.#pools;
    const { list: common } = this.#common;
    const beginning = common.blocks.length * blockSize;
    const depths = piecesOf(prompts.map(({ tokens }) => tokens));
    for (const [depth, pieces] of depths.entries()) {
      const start = depth * pieceLength;
      if (start < beginning) continue;
      for (const batch of batchesOf(pieces)) {
        const time = batch[0].tokens.length;
        const rows = batch.map(({ prompts: [first] }) => [
          ...common.blocks.map((block): Chunk => ({ pool: "shared", block, places: blockSize })),
          ...prompts[first].list.blocks.map((block): Chunk => ({ pool: "own", block, places: blockSize })),
        ]);
        const earlier = beginning > 0 ? shared : none;
        const { states } = await this.#run(
          { ...earlier.feeds("shared"), ...kept.feeds("own") },
          {
            rows,
            time,
            sizes: { shared: earlier.size, own: kept.size },
            tokens: batch.flatMap(({ tokens }) => tokens),
            starts: batch.map(() => start),
            uniforms: [],
          },
        );
        const lists = batch.map((piece) => piece.prompts.map((i) => prompts[i].list));
        kept.write(states, this.#pieceTargets(lists, time));
      }
    }
  }

  /** New blocks for a piece of each list of lists, and where its positions go. */
  #pieceTargets(lists: readonly (readonly BlockList[])[], time: number): Target[] {
    return lists.flatMap((sharing, row) =>
      sharing.flatMap((list) => {
        for (let place = 0; place < time; place += blockSize) this.#pools.kept.extend(list);
        const blocks = list.blocks.slice(-time / blockSize);
        return Array.from({ length: time }, (_, i) => ({
          from: row * time + i,
          block: blocks[Math.floor(i / blockSize)],
          place: i % blockSize,
        }));
      }),
    );
  }

  /** What a row sees beside the position that it computes next. */
  chunksOf({ prompt, own, tokens }: Row): Chunk[] {
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

  /** The next position of every row; `step` says what it is, but for what the rows see. */
  async advance(rows: readonly Row[], uniforms: readonly number[]): Promise<StepResult> {
    const { shared, own } = this.#pools;
    const result = await this.#run(
      { ...shared.feeds("shared"), ...own.feeds("own") },
      {
        rows: rows.map((row) => this.chunksOf(row)),
        time: 1,
        sizes: { shared: shared.size, own: own.size },
        tokens: rows.map(({ sequence, tokens }) => tokens.at(-1) ?? sequence.prompt[sequence.prompt.length - 1]),
        starts: rows.map(({ prompt, tokens }) => prompt.tokens.length + tokens.length),
        uniforms,
      },
    );
    own.write(
      result.states,
      rows.map((row, from) => this.#targetOf(row, from)),
    );
    return result;
  }

  #targetOf({ own, tokens }: Row, from: number): Target {
    const place = tokens.length % blockSize;
    if (place === 0) this.#pools.own.extend(own);
    return { from, block: own.blocks[own.blocks.length - 1], place };
  }

  /** Gives the memory of a row back that has ended. */
  end({ prompt, own }: Row): void {
    this.#pools.own.release(own);
    prompt.left--;
    if (prompt.left === 0) this.#pools.shared.release(prompt.shared);
  }

  /** Gives the memory of a row back that will begin again. */
  putBack({ prompt, own }: Row): void {
    this.#pools.own.release(own);
    prompt.waiting++;
  }

  [Symbol.dispose](): void {
    for (const pool of Object.values(this.#pools)) pool.dispose();
  }
}

function newPrompt(prompt: readonly number[]): Prompt {
  return { tokens: prompt.slice(0, -1), shared: { blocks: [] }, kept: { blocks: [] }, waiting: 1, left: 1 };
}

/**
 * Whether rows shall share only what all prompts begin with. Blocks that a step reads, c of them common to all p prompts and t
 * others of each: p · (c + t) where each prompt is shared by its own rows, c + rows · t where the beginning is by all rows.
 */
function sharesBeginningOnly(prompts: readonly (readonly number[])[], rows: number): boolean {
  const common = commonBlocks(prompts);
  const all = prompts.reduce((sum, { length }) => sum + Math.ceil(length / blockSize), 0);
  const rest = all / prompts.length - common;
  return common > 0 && common + rows * rest < all;
}

/** Pieces of equal length together, as many as one run shall compute. */
function batchesOf(pieces: readonly Piece[]): Piece[][] {
  const batches: Piece[][] = [];
  for (const piece of [...pieces].sort((a, b) => b.tokens.length - a.tokens.length)) {
    const last = batches.at(-1);
    const time = piece.tokens.length;
    if (last !== undefined && last[0].tokens.length === time && (last.length + 1) * time <= mostPromptPositions) {
      last.push(piece);
    } else batches.push([piece]);
  }
  return batches;
}
