// Computes the keys and values of prompts, piece by piece (prompts.ts).

import type { Tensors } from "../../runtime/runtime.ts";
import type { BlockList, BlockPool, Target } from "./block-pool.ts";
import { batchesOf, type PieceBatch, piecesOf } from "./prompts.ts";
import { blockSize } from "./step-attention.ts";
import type { Chunk } from "./step-indices.ts";
import type { StepResult, StepTokens } from "./step-session.ts";

/** Runs a step with keys and values from the given feeds. */
export type RunStep = (blocks: Tensors, step: StepTokens) => Promise<StepResult>;

/** New positions that one run computes of prompts, at most; a single piece may have more. */
const mostPromptPositions = 512;

/** A prompt and where its blocks go. */
export interface UnreadPrompt {
  readonly tokens: readonly number[];
  readonly list: BlockList;
}

/** What is there of all of these prompts already: whole pieces, in a pool that is handed to steps as the shared one. */
export interface Beginning {
  readonly pool: BlockPool;
  readonly list: BlockList;
}

/** Computes what is behind the common beginning into blocks of `pool`, which each prompt has for itself. */
export async function computePrompts(
  prompts: readonly UnreadPrompt[],
  { pool: shared, list: common }: Beginning,
  pool: BlockPool,
  run: RunStep,
): Promise<void> {
  for (const pieces of piecesOf(prompts.map(({ tokens }) => tokens))) {
    if (pieces[0].start < common.blocks.length * blockSize) continue;
    for (const batch of batchesOf(pieces, mostPromptPositions)) {
      const rows = batch.pieces.map(({ prompts: [first], keys, from }) => ({
        keys,
        from,
        chunks: [
          ...common.blocks.map((block): Chunk => ({ pool: "shared", block, places: blockSize })),
          ...prompts[first].list.blocks.map((block): Chunk => ({ pool: "own", block, places: blockSize })),
        ],
      }));
      const { tokens, positions, time } = batch;
      const sizes = { shared: shared.size, own: pool.size };
      const { states } = await run(
        { ...shared.feeds("shared"), ...pool.feeds("own") },
        { rows, time, sizes, tokens, positions, draws: [], uniforms: [] },
      );
      pool.write(states, targetsOf(batch, prompts, pool));
    }
  }
}

/** New blocks for every prompt that a piece is part of, and where the piece's positions go. */
function targetsOf({ pieces }: PieceBatch, prompts: readonly UnreadPrompt[], pool: BlockPool): Target[] {
  return pieces.flatMap(({ keys, prompts: sharing }) =>
    sharing.flatMap((i) => {
      const { list } = prompts[i];
      const before = list.blocks.length;
      for (let place = 0; place < keys.length; place += blockSize) pool.extend(list);
      return keys.map((from, place) => ({
        from,
        block: list.blocks[before + Math.floor(place / blockSize)],
        place: place % blockSize,
      }));
    }),
  );
}
