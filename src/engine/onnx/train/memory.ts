// How many bytes a micro-batch takes while it is trained. The planner of micro-batches cuts by it, and `sqlm plan` shows it. Pure.
import type { WeightLayout } from "../transformer/linear.ts";

/** What of a micro-batch decides about its memory. */
export interface PackedSize {
  /** Tokens that are computed, each once however many sequences share it. */
  readonly rows: number;
  /** Pairs of a token and one that it may attend to, padding included. */
  readonly scores: number;
}

/** What a micro-batch may take. */
const activationBytes = 512 * 2 ** 20;
/** Above, matrix products are no faster. */
const mostRows = 2048;

/** Whether a micro-batch of this size stays within the memory that is set apart for it. */
export function fitsBudget(layout: WeightLayout, size: PackedSize): boolean {
  return size.rows <= mostRows && trainingBytes(layout, size) <= activationBytes;
}

/**
 * Bytes of a micro-batch at the height of its backward pass: hidden states before every layer, and of one layer everything that its
 * gradients are made of.
 */
function trainingBytes({ config }: WeightLayout, { rows, scores }: PackedSize): number {
  const { layers, hiddenSize, intermediateSize, heads, keyValueHeads, headSize } = config;
  const widths = 10 * hiddenSize + 6 * heads * headSize + 6 * keyValueHeads * headSize + 7 * intermediateSize;
  return 4 * (rows * ((layers + 2) * hiddenSize + widths) + scores * heads * 4);
}
