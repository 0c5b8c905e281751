// Packs sequences of different lengths into padded micro-batches of few shapes, so that each shape's graph is built once.
import type { BatchShape } from "./training-graph.ts";

export interface MicroBatch extends BatchShape {
  /** Indices of the sequences in this batch, one a row; rows beyond them are padding. */
  readonly rows: readonly number[];
}

/**
 * Micro-batches that together hold every sequence once, longest first; equal input gives the equal plan.
 * `lengths` are in tokens; a sequence of n tokens takes n − 1 columns, because each column predicts the next token.
 * A width has at most four shapes: its full batch has a power of two of rows, the last batch of a call a quarter, a half,
 * three quarters or all of them. The budget may depend on the width, `tokensPerBatch(time)`.
 */
export function planBatches(
  lengths: readonly number[],
  tokensPerBatch: number | ((time: number) => number),
): MicroBatch[] {
  const order = lengths.map((_, index) => index).sort((a, b) => lengths[b] - lengths[a] || a - b);
  const batches: MicroBatch[] = [];
  for (let start = 0; start < order.length; ) {
    const time = roundUpTime(Math.max(1, lengths[order[start]] - 1));
    const budget = typeof tokensPerBatch === "number" ? tokensPerBatch : tokensPerBatch(time);
    const largest = 2 ** Math.floor(Math.log2(Math.max(1, budget / time)));
    const rows = order.slice(start, start + largest);
    const quarter = Math.max(1, largest / 4);
    batches.push({ rows, time, batch: Math.ceil(rows.length / quarter) * quarter });
    start += rows.length;
  }
  return batches;
}

/** The next width at which graphs are built: steps of at most a quarter, never less than 4 columns. */
function roundUpTime(columns: number): number {
  const step = columns <= 32 ? 4 : 2 ** Math.floor(Math.log2(columns) - 2);
  return Math.ceil(columns / step) * step;
}
