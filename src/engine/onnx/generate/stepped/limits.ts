// How much is sampled at a time, in rows and in bytes; pure, so that a plan can say it before anything is loaded.
import type { ModelConfig } from "../../../../model/model-config.ts";
import type { SampleOptions } from "../../../engine.ts";
import type { Sequence } from "../sequences.ts";
import { blockSize } from "./step-attention.ts";

export interface GenerationLimits {
  /** Rows at a time, at most, … */
  readonly rows: number;
  /** … and those of a step, which all differ. */
  readonly states: number;
  /** As many take part whatever `blocks` says. */
  readonly fewestRows: number;
  /** Blocks of keys and values. */
  readonly blocks: number;
}

export interface CacheLimits {
  /** Blocks that rows will have for themselves at a time, about, at most. */
  readonly ownBlocks: number;
  /** Blocks that there may be of prompts of which no row has begun. */
  readonly aheadBlocks: number;
}

/** Keys and values of all rows together, in bytes: what keeps a step of SmolLM2-135M, in float32, within 2 GiB. */
export const mostCacheBytes = 7 * 2 ** 27;
/** Rows that are computed together, at most, … */
export const mostRows = 128;
/** … and their logits, which are held several times over. */
const mostLogits = 2 ** 23;
/** One in so many blocks may be of prompts that are read ahead. */
const shareAhead = 8;
/** Fewer rows are not worth a step, whatever the memory. */
const fewestRows = 8;

/** What a sampler of this model keeps to, with `maxBatch` rows at most. */
export function generationLimits(config: ModelConfig, maxBatch = mostRows): GenerationLimits {
  return {
    rows: Math.min(maxBatch, 4 * rowsAtOnce(config, maxBatch)),
    states: rowsAtOnce(config, maxBatch),
    fewestRows: Math.min(maxBatch, fewestRows),
    blocks: Math.floor(mostCacheBytes / (blockSize * cacheBytesPerToken(config))),
  };
}

/**
 * Rows have as many blocks for themselves as the limit says, or as the fewest rows need, and those that begin. Room for more than twice
 * the limit is made when it is needed, for a machine may refuse to set so much aside.
 */
export function cacheLimits(
  sequences: readonly Sequence[],
  { maxTokens }: SampleOptions,
  { fewestRows, blocks }: GenerationLimits,
): CacheLimits {
  const longest = sequences.reduce((most, { prompt }) => Math.max(most, prompt.length), 0);
  const ofPrompt = Math.ceil(longest / blockSize);
  const ofRow = ofPrompt + Math.ceil(maxTokens / blockSize);
  const most = Math.min(2 * blocks, Math.max(blocks, fewestRows * ofRow)) + fewestRows * ofPrompt;
  return { ownBlocks: Math.min(sequences.length * ofRow, most), aheadBlocks: Math.floor(blocks / shareAhead) };
}

/** Rows of a step, at most. */
export function rowsAtOnce({ vocabSize }: ModelConfig, maxBatch = mostRows): number {
  return Math.min(maxBatch, Math.max(fewestRows, Math.floor(mostLogits / vocabSize)));
}

/** Bytes of one token's keys and values in all layers. */
export function cacheBytesPerToken({ layers, keyValueHeads, headSize }: ModelConfig): number {
  return layers * 2 * keyValueHeads * headSize * 4;
}
