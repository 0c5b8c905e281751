// How much is sampled at a time, in rows and in bytes; pure, so that a plan can say it before anything is loaded.
import type { ModelConfig } from "../../../../model/model-config.ts";

/** Keys and values of all rows together, in bytes: what keeps a step of SmolLM2-135M, in float32, within 2 GiB. */
export const mostCacheBytes = 7 * 2 ** 27;
/** Rows that are computed together, at most, … */
export const mostRows = 128;
/** … and their logits, which are held several times over. */
const mostLogits = 2 ** 23;
/** Fewer rows are not worth a step, whatever the memory. */
export const fewestRows = 8;

/** Rows of a step, at most. */
export function rowsAtOnce({ vocabSize }: ModelConfig, maxBatch = mostRows): number {
  return Math.min(maxBatch, Math.max(fewestRows, Math.floor(mostLogits / vocabSize)));
}

/** Bytes of one token's keys and values in all layers. */
export function cacheBytesPerToken({ layers, keyValueHeads, headSize }: ModelConfig): number {
  return layers * 2 * keyValueHeads * headSize * 4;
}
