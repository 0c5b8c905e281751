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

/** Rows that take part in a step, each with its chunks in their order. */
export interface StepShape {
  readonly rows: readonly (readonly Chunk[])[];
  /** New positions of every row. */
  readonly time: number;
  /** Blocks in the pools. */
  readonly sizes: Readonly<Record<Chunk["pool"], number>>;
}

/** Added to the scores of places that are not a row's own; its exponential is 0. */
const masked = -1e9;

/** Inputs of `declareIndices`, but for `positions`. */
export function stepIndices({ heads, keyValueHeads }: ModelConfig, { rows, time, sizes }: StepShape): Tensors {
  const perHead = (heads / keyValueHeads) * time;
  // An even number, so that places come in groups of 64: kernels that sum up many at a time then treat each place alike,
  // however many blocks other rows have.
  const chunkCount = 2 * Math.ceil(Math.max(1, ...rows.map(({ length }) => length)) / 2);
  const slots = assignSlots(rows, sizes);
  // A product of a single row has a kernel of its own, whose sums differ in the last digits from those of several.
  const least = perHead === 1 ? 2 : 1;
  const slotCounts = { shared: Math.max(least, slots.most.shared), own: Math.max(least, slots.most.own) };
  const queries = { shared: emptyQueries("shared"), own: emptyQueries("own") };
  const shares = { shared: emptyShares("shared"), own: emptyShares("own") };
  const chunks = new Int32Array(rows.length * heads * time * chunkCount);
  const visible = new Float32Array(rows.length * chunkCount * blockSize).fill(masked);
  const ownScores = sizes.shared * keyValueHeads * slotCounts.shared * perHead;

  for (const [row, list] of rows.entries()) {
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
    chunks: int32Tensor([rows.length, keyValueHeads, heads / keyValueHeads, time, chunkCount], chunks),
    visible: float32Tensor([rows.length, 1, 1, 1, chunkCount * blockSize], visible),
    causal: causalMask(time),
  };
}

/** Rows that see the same block get different slots of it. */
function assignSlots(
  rows: StepShape["rows"],
  sizes: StepShape["sizes"],
): { readonly of: readonly (readonly number[])[]; readonly most: Readonly<Record<Chunk["pool"], number>> } {
  const used = { shared: new Int32Array(sizes.shared), own: new Int32Array(sizes.own) };
  const of = rows.map((list) => list.map(({ pool, block }) => used[pool][block]++));
  const most = (pool: Chunk["pool"]): number => used[pool].reduce((a, b) => Math.max(a, b), 0);
  return { of, most: { shared: most("shared"), own: most("own") } };
}

function causalMask(time: number): Tensors[string] {
  const mask = new Float32Array(time * time);
  for (let query = 0; query < time; query++) mask.fill(masked, query * time + query + 1, (query + 1) * time);
  return float32Tensor([time, time], mask);
}
