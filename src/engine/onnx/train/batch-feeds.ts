// From sequences and data to the tensors of a micro-batch, and from its results back.
import type { ModelConfig } from "../../../model/model-config.ts";
import type { Datum, LossFn } from "../../../types.ts";
import type { LossConfig } from "../../engine.ts";
import { checkTokens } from "../check-request.ts";
import { float32Tensor, int64Tensor, type Tensor } from "../runtime/runtime.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { type MicroBatch, planBatches } from "./batches.ts";
import { sliceRows } from "./sliced-head.ts";

/** Large enough for efficient matrix products (1024 is a tenth slower); memory grows with it. */
export const tokensPerMicroBatch = 2048;
/** What the activations of a micro-batch may take where micro-batches are planned by memory. */
const activationBytes = 512 * 2 ** 20;

/** A position of a micro-batch whose log-probability is wanted. */
interface Pick {
  /** Index of the sequence in the call, and the column, which predicts the token behind it. */
  readonly index: number;
  readonly column: number;
  /** Row of the hidden states. */
  readonly row: number;
}

/** A micro-batch and the positions at which its log-probabilities are computed; null: at all of them. */
export interface PlannedBatch extends MicroBatch {
  readonly picks: readonly Pick[] | null;
}

/**
 * Micro-batches that hold every sequence once. `wanted` tells whether the log-probability of a token is needed. Throws
 * UnsupportedError for tokens that the model does not have.
 */
export function microBatches(
  layout: WeightLayout,
  sequences: readonly (readonly number[])[],
  wanted: (sequence: number, token: number) => boolean = () => true,
): PlannedBatch[] {
  checkTokens(layout.config, sequences);
  const lengths = sequences.map((tokens) => tokens.length);
  if (!layout.sliced) return planBatches(lengths, tokensPerMicroBatch).map((batch) => ({ ...batch, picks: null }));
  return planBatches(lengths, (time) => tokensWithin(layout.config, time)).map((batch) => ({
    ...batch,
    picks: batch.rows.flatMap((index, row) =>
      Array.from({ length: sequences[index].length - 1 }, (_, column) => column)
        .filter((column) => wanted(index, column + 1))
        .map((column) => ({ index, column, row: row * batch.time + column })),
    ),
  }));
}

/**
 * Tokens whose activations, kept from the forward to the backward pass, take about `activationBytes`, between 128 and 2048: a layer keeps
 * some 12 vectors of the hidden size, 5 of the feed-forward block's and two rows of attention for each head.
 */
export function tokensWithin({ layers, hiddenSize, intermediateSize, heads }: ModelConfig, time: number): number {
  const perToken = layers * (12 * hiddenSize + 5 * intermediateSize + 2 * heads * time) * 4;
  return Math.min(tokensPerMicroBatch, Math.max(128, Math.floor(activationBytes / perToken)));
}

/** Column t of a row holds token t and, as its target, token t + 1. */
export function tokenFeeds(
  layout: WeightLayout,
  { rows, batch, time, picks }: PlannedBatch,
  sequences: readonly (readonly number[])[],
): Record<string, Tensor> {
  const tokens = new BigInt64Array(batch * time);
  const targets = new BigInt64Array(batch * time);
  for (const [row, index] of rows.entries()) {
    const sequence = sequences[index];
    for (let t = 0; t + 1 < sequence.length; t++) {
      tokens[row * time + t] = BigInt(sequence[t]);
      targets[row * time + t] = BigInt(sequence[t + 1]);
    }
  }
  if (picks === null)
    return { tokens: int64Tensor([batch * time], tokens), targets: int64Tensor([batch * time], targets) };
  const count = pickSlots(layout, picks);
  return {
    tokens: int64Tensor([batch * time], tokens),
    picks: int64Tensor(
      [count],
      padded(picks, count, ({ row }) => row),
    ),
    targets: int64Tensor(
      [count],
      padded(picks, count, ({ row }) => Number(targets[row])),
    ),
    slices: int64Tensor([], [count / sliceRows(layout.config)]),
  };
}

/** As many places as whole slices have. */
export function pickSlots({ config }: WeightLayout, picks: readonly Pick[]): number {
  const rows = sliceRows(config);
  return Math.max(1, Math.ceil(picks.length / rows)) * rows;
}

/** A number for each place; those behind the picks get 0, the first row, which a weight of 0 makes count nothing. */
function padded(picks: readonly Pick[], count: number, value: (pick: Pick) => number): number[] {
  return Array.from({ length: count }, (_, i) => (i < picks.length ? value(picks[i]) : 0));
}

/** The inputs of the training graph that this loss has, beside tokens, weights and gradients. */
export function lossFeeds(
  layout: WeightLayout,
  batch: PlannedBatch,
  data: readonly Datum[],
  lossFn: LossFn,
  { clipLow, clipHigh, klPenaltyCoef }: Required<LossConfig>,
): Record<string, Tensor> {
  const { picks } = batch;
  const column = (values: (datum: Datum) => readonly number[]): Tensor => {
    if (picks !== null) {
      const count = pickSlots(layout, picks);
      const chosen = padded(picks, count, ({ index, column }) => values(data[index])[column + 1]);
      return float32Tensor([count], Float32Array.from(chosen));
    }
    const packed = new Float32Array(batch.batch * batch.time);
    for (const [row, index] of batch.rows.entries()) packed.set(values(data[index]).slice(1), row * batch.time);
    return float32Tensor([packed.length], packed);
  };
  const scalar = (value: number): Tensor => float32Tensor([], Float32Array.of(value));
  const feeds: Record<string, Tensor> = { weights: column(({ weights }) => weights) };
  if (lossFn !== "cross_entropy") {
    feeds["advantages"] = column(({ advantages }) => advantages);
    feeds["oldLogprobs"] = column(({ logprobs }) => logprobs);
  }
  if (lossFn === "ppo" || lossFn === "cispo") {
    feeds["lowestRatio"] = scalar(1 - clipLow);
    feeds["highestRatio"] = scalar(1 + clipHigh);
  }
  if (klPenaltyCoef > 0) {
    feeds["referenceLogprobs"] = column(({ referenceLogprobs = [] }) => referenceLogprobs);
    feeds["klPenaltyCoef"] = scalar(klPenaltyCoef);
  }
  return feeds;
}

/**
 * Takes the rows of a padded result apart again. Entry 0 of each is 0, because nothing predicts the first token, and so are
 * those that were not picked.
 */
export function unpackRows(
  { rows, time, picks }: PlannedBatch,
  sequences: readonly (readonly number[])[],
  packed: Float32Array,
  into: number[][],
): void {
  if (picks === null) {
    for (const [row, index] of rows.entries()) {
      into[index] = [0, ...packed.subarray(row * time, row * time + sequences[index].length - 1)];
    }
    return;
  }
  for (const index of rows) into[index] = sequences[index].map(() => 0);
  for (const [i, { index, column }] of picks.entries()) into[index][column + 1] = packed[i];
}
