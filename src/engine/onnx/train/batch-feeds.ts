// From sequences and data to the tensors of a micro-batch, and from its results back.
import type { ModelConfig } from "../../../model/model-config.ts";
import type { Datum, LossFn } from "../../../types.ts";
import type { LossConfig } from "../../engine.ts";
import { checkTokens } from "../check-request.ts";
import { float32Tensor, int64Tensor, type Tensor } from "../runtime/runtime.ts";
import { type MicroBatch, planBatches } from "./batches.ts";

/** Large enough for efficient matrix products (1024 is a tenth slower); memory grows with it. */
const tokensPerMicroBatch = 2048;

/** Micro-batches that hold every sequence once. Throws UnsupportedError for tokens that the model does not have. */
export function microBatches(config: ModelConfig, sequences: readonly (readonly number[])[]): MicroBatch[] {
  checkTokens(config, sequences);
  return planBatches(
    sequences.map((tokens) => tokens.length),
    tokensPerMicroBatch,
  );
}

/** Column t of a row holds token t and, as its target, token t + 1. */
export function tokenFeeds(
  { rows, batch, time }: MicroBatch,
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
  return { tokens: int64Tensor([batch * time], tokens), targets: int64Tensor([batch * time], targets) };
}

/** The inputs of the training graph that this loss has, beside tokens, weights and gradients. */
export function lossFeeds(
  batch: MicroBatch,
  data: readonly Datum[],
  lossFn: LossFn,
  { clipLow, clipHigh, klPenaltyCoef }: Required<LossConfig>,
): Record<string, Tensor> {
  const column = (values: (datum: Datum) => readonly number[]): Tensor => {
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

/** Takes the rows of a padded result apart again; entry 0 of each is 0, because nothing predicts the first token. */
export function unpackRows(
  { rows, time }: MicroBatch,
  sequences: readonly (readonly number[])[],
  packed: Float32Array,
  into: number[][],
): void {
  for (const [row, index] of rows.entries()) {
    into[index] = [0, ...packed.subarray(row * time, row * time + sequences[index].length - 1)];
  }
}
