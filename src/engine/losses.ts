// The losses in plain numbers, one token at a time: the definition that every engine is tested against. Engines compute
// loss and gradient on their own device; what they report beside them (clipFraction, kl) is what this file says.

import type { Datum, LossFn } from "../types.ts";
import type { LossConfig } from "./engine.ts";

/** Everything that the loss of one token depends on. Log-probabilities in nats. */
export interface TokenLossInput {
  /** Under the policy that is trained. */
  readonly logprob: number;
  /** Under the policy that sampled the token. */
  readonly oldLogprob: number;
  readonly advantage: number;
  readonly weight: number;
}

/** A loss and its derivative with respect to the policy's log-probability of the token. */
export interface TokenLoss {
  readonly value: number;
  readonly derivative: number;
  /** The ratio was outside the clip range in the direction that the advantage pushes it (`ppo`), or was clipped (`cispo`). */
  readonly clipped: boolean;
}

/** Values that LossConfig documents as its defaults. */
export const lossDefaults = { clipLow: 0.2, clipHigh: 0.2, klPenaltyCoef: 0, importanceCap: 0 } as const;

/**
 * Corrects a token for a sampler that is not quite the policy (coarser weights): its weight is multiplied by min(π / π_sampler, cap),
 * truncated importance sampling (Ionides 2008; for roll-outs of language models FlashRL, Yao et al. 2025), held constant, and the
 * policy's log-probability takes the place of the sampler's. A cap of 0 corrects nothing.
 */
export function correctForSampler(input: TokenLossInput, cap: number): TokenLossInput {
  if (cap === 0) return input;
  const { logprob, oldLogprob, weight } = input;
  return { ...input, oldLogprob: logprob, weight: weight * Math.min(cap, Math.exp(logprob - oldLogprob)) };
}

/**
 * Loss of one token, with r = exp(logprob − oldLogprob), A the advantage and w the weight:
 * - `cross_entropy`: −w · logprob;
 * - `importance_sampling`: −w · A · r, the policy gradient corrected for the policy that sampled;
 * - `ppo`: −w · min(r · A, clip(r, 1 − clipLow, 1 + clipHigh) · A) (arXiv 1707.06347); no gradient where the clipped term
 *   is the smaller one;
 * - `cispo`: −w · A · clip(r) · logprob, the clipped ratio held constant, so that every token keeps a gradient
 *   (MiniMax-M1, arXiv 2506.13585).
 */
export function tokenLoss(loss: LossFn, input: TokenLossInput, config: LossConfig = {}): TokenLoss {
  const { logprob, oldLogprob, advantage, weight } = input;
  if (loss === "cross_entropy") return { value: -weight * logprob, derivative: -weight, clipped: false };
  const ratio = Math.exp(logprob - oldLogprob);
  const clippedRatio = clipRatio(ratio, config);
  switch (loss) {
    case "importance_sampling": {
      const value = -weight * advantage * ratio;
      return { value, derivative: value, clipped: false };
    }
    case "ppo": {
      const clipped = clippedRatio * advantage < ratio * advantage;
      const value = -weight * (clipped ? clippedRatio : ratio) * advantage;
      return { value, derivative: clipped ? 0 : value, clipped };
    }
    case "cispo": {
      const derivative = -weight * advantage * clippedRatio;
      return { value: derivative * logprob, derivative, clipped: clippedRatio !== ratio };
    }
  }
}

/**
 * KL penalty of one token: coef · w · (exp(d) − d − 1) with d = reference − policy logprob, the low-variance, never
 * negative estimate of KL(policy ‖ reference) (k3 of Schulman 2020, "Approximating KL divergence"; used by GRPO).
 */
export function tokenKlPenalty(
  logprob: number,
  referenceLogprob: number,
  weight: number,
  klPenaltyCoef: number,
): Omit<TokenLoss, "clipped"> {
  const difference = referenceLogprob - logprob;
  const scale = klPenaltyCoef * weight;
  return {
    value: scale * (Math.exp(difference) - difference - 1),
    derivative: scale * (1 - Math.exp(difference)),
  };
}

/** Loss over a batch, as an engine's `forwardBackward` reports it. */
export interface BatchLoss {
  /** Sum over tokens of loss and KL penalty. */
  readonly loss: number;
  /** Mean over trained tokens of the KL estimate; 0 where no penalty was asked for. */
  readonly kl: number;
  /** Part of the trained tokens that was clipped, 0 to 1. */
  readonly clipFraction: number;
  /** Tokens with a weight other than 0. */
  readonly tokens: number;
  /** d loss / d logprob, in the shape of the data. */
  readonly gradients: number[][];
}

/**
 * Loss of a whole batch given the policy's log-probabilities, in the shape of the data.
 * Throws RangeError where a KL penalty is asked for and a datum has no reference log-probabilities.
 */
export function batchLoss(
  data: readonly Datum[],
  logprobs: readonly (readonly number[])[],
  loss: LossFn,
  config: LossConfig = {},
): BatchLoss {
  const { klPenaltyCoef, importanceCap } = { ...lossDefaults, ...config };
  let [total, kl, clippedTokens, tokens] = [0, 0, 0, 0];
  const gradients = data.map((datum, row) => {
    const reference = datum.referenceLogprobs;
    if (klPenaltyCoef > 0 && reference === undefined) {
      throw new RangeError(`Datum ${row} has no reference logprobs, which the KL penalty needs.`);
    }
    return datum.weights.map((own, i) => {
      if (own === 0) return 0;
      const logprob = logprobs[row][i];
      const given = { logprob, oldLogprob: datum.logprobs[i], advantage: datum.advantages[i], weight: own };
      const input = correctForSampler(given, importanceCap);
      const { weight } = input;
      const { value, derivative, clipped } = tokenLoss(loss, input, config);
      tokens += 1;
      if (clipped) clippedTokens += 1;
      total += value;
      if (klPenaltyCoef === 0 || reference === undefined) return derivative;
      const penalty = tokenKlPenalty(logprob, reference[i], weight, klPenaltyCoef);
      total += penalty.value;
      kl += tokenKlPenalty(logprob, reference[i], 1, 1).value;
      return derivative + penalty.derivative;
    });
  });
  const mean = (sum: number): number => (tokens === 0 ? 0 : sum / tokens);
  return { loss: total, kl: mean(kl), clipFraction: mean(clippedTokens), tokens, gradients };
}

function clipRatio(ratio: number, config: LossConfig): number {
  const low = 1 - (config.clipLow ?? lossDefaults.clipLow);
  const high = 1 + (config.clipHigh ?? lossDefaults.clipHigh);
  return Math.min(Math.max(ratio, low), high);
}
