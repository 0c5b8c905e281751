// Packs sequences of different lengths into padded micro-batches of few shapes, so that each shape's graph is built once.
import type { BatchShape } from "./training-graph.ts";

export interface MicroBatch extends BatchShape {
  /** Indices of the sequences in this batch, one a row; rows beyond them are padding. */
  readonly rows: readonly number[];
}

/**
 * Micro-batches that together hold every sequence once, longest first; equal input gives the equal plan.
 * `lengths` are in tokens; a sequence of n tokens takes n − 1 columns, because each column predicts the next token.
 */
export function planBatches(lengths: readonly number[], tokensPerBatch: number): MicroBatch[] {
  const order = lengths.map((_, index) => index).sort((a, b) => lengths[b] - lengths[a] || a - b);
  const batches: MicroBatch[] = [];
  for (let start = 0; start < order.length; ) {
    const time = roundUpTime(Math.max(1, lengths[order[start]] - 1));
    const largest = Math.max(1, Math.floor(tokensPerBatch / time));
    const rows = order.slice(start, start + largest);
    batches.push({
      rows,
      time,
      batch: rows.length === largest ? largest : Math.min(largest, nextPowerOfTwo(rows.length)),
    });
    start += rows.length;
  }
  return batches;
}

/** The next width at which graphs are built: steps of at most a sixth, never less than 4 columns. */
function roundUpTime(columns: number): number {
  const step = columns <= 32 ? 4 : 2 ** Math.floor(Math.log2(columns) - 2);
  return Math.ceil(columns / step) * step;
}

function nextPowerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}
