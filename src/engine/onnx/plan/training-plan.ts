// The micro-batches that a step's training would be cut into, by the planner that cuts the real ones, on sequences of the same lengths.
// Pure.
import type { SampledWork } from "../../work.ts";
import { tokensPerMicroBatch, tokensWithin } from "../train/batch-feeds.ts";
import { planBatches } from "../train/batches.ts";
import { leastMicroBatch, planMicroBatches, scoringWork, trainingWork } from "../train/memory.ts";
import { planPacked, sizeOf } from "../train/shared-prefixes.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { sequencesOf } from "./planned-sequences.ts";

export interface TrainingPlan {
  /** Bytes of the largest micro-batch. */
  readonly bytes: number;
  readonly batches: number;
  /** Work of training and of scoring, in rows, with what a micro-batch costs beside its rows. */
  readonly trainingRows: number;
  readonly scoringRows: number;
}

/**
 * One update on this work, where an adapter trains and a micro-batch may take `budget` bytes. Replies are `share` as long as they may be,
 * on average.
 */
export function planPackedTraining(layout: WeightLayout, work: SampledWork, budget: number, share = 1): TrainingPlan {
  const sequences = sequencesOf(work, share);
  const strands = sequences.map(({ length }, index) => ({ index, length: length - 1 }));
  const sizesFor = (workOf: typeof trainingWork) =>
    planPacked(sequences, strands, (size) => workOf(layout, size, budget)).map(sizeOf);
  const trained = sizesFor(trainingWork);
  const rowsOf = (sizes: typeof trained, workOf: typeof trainingWork): number =>
    sizes.reduce((sum, size) => {
      const rows = workOf(layout, size, budget);
      return sum + (Number.isFinite(rows) ? rows : size.rows);
    }, 0);
  const plans = planMicroBatches(layout, trained, budget);
  return {
    bytes: largest(plans.map(({ total }) => total)),
    batches: trained.length,
    trainingRows: rowsOf(trained, trainingWork),
    scoringRows: rowsOf(sizesFor(scoringWork), scoringWork),
  };
}

/** Bytes of a micro-batch that holds one sequence of this work and no more: less is not possible. */
export function leastBytes(layout: WeightLayout, { promptTokens, maxTokens }: SampledWork): number {
  const rows = promptTokens + maxTokens;
  return leastMicroBatch(layout, { rows, scores: rows * rows }).total;
}

/** One update on this work where all weights train: whole sequences, padded, through the whole graph. */
export function planWholeTraining({ config, sliced }: WeightLayout, work: SampledWork, share = 1): TrainingPlan {
  const lengths = sequencesOf(work, share).map(({ length }) => length);
  const batches = planBatches(lengths, sliced ? (time) => tokensWithin(config, time) : tokensPerMicroBatch);
  const { layers, hiddenSize, intermediateSize, heads, vocabSize } = config;
  const bytesOf = ({ batch, time }: { readonly batch: number; readonly time: number }): number => {
    const kept = layers * (12 * hiddenSize + 5 * intermediateSize + 2 * heads * time);
    return 4 * batch * time * (kept + (sliced ? 0 : 4 * vocabSize));
  };
  const rows = batches.reduce((sum, { batch, time }) => sum + batch * time, 0);
  return {
    bytes: largest(batches.map(bytesOf)),
    batches: batches.length,
    trainingRows: rows,
    scoringRows: rows,
  };
}

const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);
