// The index tensors of a step: which blocks a row sees, and which rows' queries a block is multiplied with (step-attention.ts).

import type { ModelConfig } from "../../../../model/model-config.ts";
import { float32Tensor, int32Tensor, type Tensors } from "../../runtime/runtime.ts";
import { blockSize } from "./step-attention.ts";

/** A block that a row sees, and how many of its places from the first on. */
export interface Chunk {
  readonly pool: "shared" | "own";
  readonly block: number;
  readonly places: number;
}

/** What a row has beside its blocks, by number among the new positions of a step. */
export interface NewPositions {
  /** Positions that follow the row's blocks, in their order; rows that are alike there may have the same ones. */
  readonly keys: readonly number[];
  /** The row computes those from this place on; each position is computed by one row. */
  readonly from: number;
}

interface StepRow extends NewPositions {
  /** In their order. Every new position of the row sees all of them. */
  readonly chunks: readonly Chunk[];
}

/** Rows that take part in a step. */
export interface StepShape {
  readonly rows: readonly StepRow[];
  /** Places that the keys of every row are filled up to. */
  readonly time: number;
  /** Blocks in the pools. */
  readonly sizes: Readonly<Record<Chunk["pool"], number>>;
}

/** Added to the scores of places that are not a row's own; its exponential is 0. */
const masked = -1e9;

/** Inputs of `declareIndices`. */
export function stepIndices({ heads, keyValueHeads }: ModelConfig, { rows, time, sizes }: StepShape): Tensors {
  const width = queriesPerRow(rows, time);
  const perHead = (heads / keyValueHeads) * width;
  // An even number, so that places come in groups of 64: kernels that sum up many at a time then treat each place alike,
  // however many blocks other rows have.
  const chunkCount = 2 * Math.ceil(Math.max(1, ...rows.map(({ chunks }) => chunks.length)) / 2);
  const slots = assignSlots(rows, sizes);
  // A product of a single row has a kernel of its own, whose sums differ in the last digits from those of several.
  const least = perHead === 1 ? 2 : 1;
  const slotCounts = { shared: Math.max(least, slots.most.shared), own: Math.max(least, slots.most.own) };
  const queries = { shared: emptyQueries("shared"), own: emptyQueries("own") };
  const shares = { shared: emptyShares("shared"), own: emptyShares("own") };
  const chunks = new Int32Array(rows.length * heads * width * chunkCount);
  const visible = new Float32Array(rows.length * chunkCount * blockSize).fill(masked);
  const ownScores = sizes.shared * keyValueHeads * slotCounts.shared * perHead;

  for (const [row, { chunks: list }] of rows.entries()) {
    for (const [c, { pool, block, places }] of list.entries()) {
      const slot = slots.of[row][c];
      const start = (row * chunkCount + c) * blockSize;
      visible.fill(0, start, start + places);
      for (let head = 0; head < keyValueHeads; head++) {
        const inBlock = (block * keyValueHeads + head) * slotCounts[pool] + slot;
        queries[pool][inBlock] = row * keyValueHeads + head;
        for (let i = 0; i < perHead; i++) {
          const inRow = ((row * keyValueHeads + head) * perHead + i) * chunkCount + c;
          chunks[inRow] = (pool === "own" ? ownScores : 0) + inBlock * perHead + i;
          shares[pool][inBlock * perHead + i] = inRow;
        }
      }
    }
  }

  function emptyQueries(pool: Chunk["pool"]): Int32Array {
    return new Int32Array(sizes[pool] * keyValueHeads * slotCounts[pool]);
  }
  function emptyShares(pool: Chunk["pool"]): Int32Array {
    return new Int32Array(sizes[pool] * keyValueHeads * slotCounts[pool] * perHead);
  }
  const queryShape = (pool: Chunk["pool"]): number[] => [sizes[pool], keyValueHeads, slotCounts[pool]];
  const shareShape = (pool: Chunk["pool"]): number[] => [sizes[pool], keyValueHeads, slotCounts[pool] * perHead];
  return {
    shared_queries: int32Tensor(queryShape("shared"), queries.shared),
    own_queries: int32Tensor(queryShape("own"), queries.own),
    shared_shares: int32Tensor(shareShape("shared"), shares.shared),
    own_shares: int32Tensor(shareShape("own"), shares.own),
    chunks: int32Tensor([rows.length, keyValueHeads, heads / keyValueHeads, width, chunkCount], chunks),
    visible: float32Tensor([rows.length, 1, 1, 1, chunkCount * blockSize], visible),
    ...newIndices(rows, time, width),
  };
}

/** How many queries each row is laid out with. Of rows with several places there are two at least, for the reason above. */
function queriesPerRow(rows: StepShape["rows"], time: number): number {
  return Math.max(Math.min(2, time), ...rows.map(({ keys, from }) => keys.length - from));
}

/** Rows that see the same block get different slots of it. */
function assignSlots(
  rows: StepShape["rows"],
  sizes: StepShape["sizes"],
): { readonly of: readonly (readonly number[])[]; readonly most: Readonly<Record<Chunk["pool"], number>> } {
  const used = { shared: new Int32Array(sizes.shared), own: new Int32Array(sizes.own) };
  const of = rows.map(({ chunks }) => chunks.map(({ pool, block }) => used[pool][block]++));
  const most = (pool: Chunk["pool"]): number => used[pool].reduce((a, b) => Math.max(a, b), 0);
  return { of, most: { shared: most("shared"), own: most("own") } };
}

/** How new positions are laid out by rows, `width` queries and `time` keys each, and where they stand among the queries. */
function newIndices(rows: StepShape["rows"], time: number, width: number): Tensors {
  const count = rows.reduce((sum, { keys, from }) => sum + keys.length - from, 0);
  const queries = new Int32Array(rows.length * width);
  const keys = new Int32Array(rows.length * time);
  const back = new Int32Array(count);
  const causal = new Float32Array(rows.length * width * time).fill(masked);
  for (const [row, { keys: mine, from }] of rows.entries()) {
    keys.set(mine, row * time);
    for (let query = 0; query < width; query++) {
      const place = from + query;
      const start = (row * width + query) * time;
      causal.fill(0, start, start + Math.min(place + 1, time));
      if (place >= mine.length) continue;
      queries[row * width + query] = mine[place];
      back[mine[place]] = row * width + query;
    }
  }
  return {
    new_queries: int32Tensor([rows.length, width], queries),
    new_keys: int32Tensor([rows.length, time], keys),
    back: int32Tensor([count], back),
    causal: float32Tensor([rows.length, 1, 1, width, time], causal),
  };
}
