// From samples and advantages to training sequences: masks, loss aggregation, and the split of a batch into optimizer
// updates. Pure data in, pure data out; the losses themselves are in losses.ts and in the engines.
import type { LearningSettings } from "../config/learn.ts";
import type { Random } from "../random.ts";
import type { Completion, Datum } from "../types.ts";

export type LossAggregation = LearningSettings["lossAggregation"];

/** A completion, what it continued, and how much better than expected it was. */
export interface TrainingSample extends Pick<Completion, "tokens" | "logprobs"> {
  readonly promptTokens: readonly number[];
  readonly advantage: number;
}

/**
 * One training sequence. Every completion token, the end token too, gets weight 1 and the sample's advantage; prompt
 * tokens get 0. Aggregation over the batch comes after, with `aggregateLoss`.
 * Throws RangeError when tokens and logprobs differ in length.
 */
export function buildDatum(sample: TrainingSample): Datum {
  const { promptTokens, tokens, logprobs, advantage } = sample;
  if (tokens.length !== logprobs.length) {
    throw new RangeError(`A sample has ${tokens.length} tokens but ${logprobs.length} logprobs.`);
  }
  const prompt = promptTokens.map(() => 0);
  // Entry 0 has nothing before it to be predicted from, so without a prompt the first token is not trained.
  const weights = [...prompt, ...tokens.map(() => 1)];
  if (weights.length > 0) weights[0] = 0;
  return {
    tokens: [...promptTokens, ...tokens],
    weights,
    logprobs: [...prompt, ...logprobs],
    advantages: [...prompt, ...tokens.map(() => advantage)],
  };
}

/**
 * Scales the weights of one optimizer update so that the loss, which engines sum over tokens, becomes
 * - `token-mean`: the mean over all trained tokens of the batch (DAPO, arXiv 2503.14476): long completions count more;
 * - `sequence-mean`: the mean over sequences of each one's mean over tokens (GRPO, arXiv 2402.03300);
 * - `token-sum`: the plain sum.
 * A token is trained where its weight is not 0; sequences without one are kept and count nothing.
 */
export function aggregateLoss(batch: readonly Datum[], aggregation: LossAggregation): Datum[] {
  const trained = batch.map(({ weights }) => weights.filter((weight) => weight !== 0).length);
  const tokens = trained.reduce((sum, count) => sum + count, 0);
  const sequences = trained.filter((count) => count > 0).length;
  const factors: Readonly<Record<LossAggregation, (count: number) => number>> = {
    "token-mean": () => 1 / tokens,
    "sequence-mean": (count) => 1 / (count * sequences),
    "token-sum": () => 1,
  };
  return batch.map((datum, i) => (trained[i] === 0 ? datum : scaleOne(datum, factors[aggregation](trained[i]))));
}

/** Multiplies all loss weights by `factor`; the proposer's data are scaled by `proposerLossWeight` with it. */
export function scaleLoss(batch: readonly Datum[], factor: number): Datum[] {
  return batch.map((datum) => scaleOne(datum, factor));
}

function scaleOne(datum: Datum, factor: number): Datum {
  return { ...datum, weights: datum.weights.map((weight) => weight * factor) };
}

/**
 * Joins data that are equal but for their weights, which are added: every loss is linear in the weights, so the result
 * is the same and costs less. A group that mostly agrees is mostly one sequence, repeated. Keeps the order of first
 * appearance.
 */
export function mergeRepeated(batch: readonly Datum[]): Datum[] {
  const merged = new Map<string, Datum>();
  for (const datum of batch) {
    const key = JSON.stringify([datum.tokens, datum.advantages, datum.logprobs]);
    const known = merged.get(key);
    const weights = known?.weights.map((weight, i) => weight + datum.weights[i]);
    merged.set(key, weights === undefined ? datum : { ...datum, weights });
  }
  return [...merged.values()];
}

/** The same data with log-probabilities under the reference policy, in the shape that `Player.score` returns. */
export function withReference(batch: readonly Datum[], referenceLogprobs: readonly (readonly number[])[]): Datum[] {
  return batch.map((datum, i) => ({ ...datum, referenceLogprobs: referenceLogprobs[i] }));
}

/**
 * Corrects for a sampler that is not quite the policy that trains (coarser weights): each token's weight is multiplied by
 * min(π_train / π_sample, cap), truncated importance sampling (Ionides 2008; for roll-outs of language models FlashRL, Yao et al.
 * 2025), and the log-probabilities become those of the trainer. `logprobs` are the trainer's before the first update, in the
 * shape that `Player.score` returns. Engines that do it in the pass itself follow the definition in engine/losses.ts.
 */
export function withImportance(
  batch: readonly Datum[],
  logprobs: readonly (readonly number[])[],
  cap: number,
): Datum[] {
  return batch.map((datum, row) => ({
    ...datum,
    weights: datum.weights.map((weight, t) =>
      weight === 0 ? 0 : weight * Math.min(cap, Math.exp(logprobs[row][t] - datum.logprobs[t])),
    ),
    logprobs: [...logprobs[row]],
  }));
}

/**
 * How far sampler and trainer are apart over the trained tokens: mean and largest |Δ log-probability|, and the estimate
 * r − 1 − log r, r = π_train / π_sample, of KL(sampler ‖ trainer), never negative (k3 of Schulman 2020).
 */
export function samplerGap(
  batch: readonly Datum[],
  logprobs: readonly (readonly number[])[],
): { readonly meanLogprobGap: number; readonly largestLogprobGap: number; readonly samplerKl: number } {
  let [tokens, sum, largest, kl] = [0, 0, 0, 0];
  for (const [row, { weights, logprobs: sampled }] of batch.entries()) {
    for (const [t, weight] of weights.entries()) {
      if (weight === 0) continue;
      const difference = logprobs[row][t] - sampled[t];
      tokens += 1;
      sum += Math.abs(difference);
      largest = Math.max(largest, Math.abs(difference));
      kl += Math.exp(difference) - 1 - difference;
    }
  }
  const count = Math.max(1, tokens);
  return { meanLogprobGap: sum / count, largestLogprobGap: largest, samplerKl: kl / count };
}

/**
 * Splits a batch into `parts` of equal size (the first ones take one more where it does not divide), one for each
 * optimizer update; empty parts are left out. With more than one part the order is drawn from `random`, so that no
 * update sees only one kind of question. Aggregate after splitting: each update is a mean of its own.
 */
export function splitBatch<Item>(batch: readonly Item[], parts: number, random: Random): Item[][] {
  const items = parts > 1 ? random.shuffle(batch) : [...batch];
  const size = Math.floor(items.length / parts);
  const larger = items.length % parts;
  const start = (part: number): number => part * size + Math.min(part, larger);
  return Array.from({ length: parts }, (_, part) => items.slice(start(part), start(part + 1))).filter(
    (part) => part.length > 0,
  );
}
