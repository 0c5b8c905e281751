// Policy-gradient losses over token logprobs, as differentiable graphs. src/engine/losses.ts has the same formulas in plain
// numbers, with their sources; a test holds the two together.
import type { LossFn } from "../../../types.ts";
import type { Value } from "../graph/graph.ts";
import {
  add,
  exponential,
  maximum,
  minimum,
  multiply,
  negate,
  reduceSum,
  stopGradient,
  subtract,
} from "../graph/operators.ts";

/** Per-token inputs [tokens] and scalars that a loss may use. Only those that it uses may be read, so that graphs stay small. */
export interface LossInputs {
  readonly weights: Value;
  readonly advantages: () => Value;
  /** Logprobs under the policy that sampled the tokens. */
  readonly oldLogprobs: () => Value;
  readonly referenceLogprobs: () => Value;
  /** 1 − clipLow and 1 + clipHigh. */
  readonly lowestRatio: () => Value;
  readonly highestRatio: () => Value;
  readonly klPenaltyCoef: () => Value;
}

/** Scalar Σ weight · (token loss + klPenaltyCoef · KL estimate). */
export function lossValue(lossFn: LossFn, withKl: boolean, logprobs: Value, inputs: LossInputs): Value {
  let tokenLoss = tokenLosses[lossFn](logprobs, inputs);
  if (withKl) {
    tokenLoss = add(tokenLoss, multiply(inputs.klPenaltyCoef(), klEstimate(logprobs, inputs.referenceLogprobs())));
  }
  return reduceSum(multiply(inputs.weights, tokenLoss), [0], false);
}

const tokenLosses: Readonly<Record<LossFn, (logprobs: Value, inputs: LossInputs) => Value>> = {
  cross_entropy: (logprobs) => negate(logprobs),
  importance_sampling: (logprobs, inputs) => negate(multiply(ratio(logprobs, inputs), inputs.advantages())),
  ppo: (logprobs, inputs) => {
    const r = ratio(logprobs, inputs);
    const advantages = inputs.advantages();
    return negate(minimum(multiply(r, advantages), multiply(clipped(r, inputs), advantages)));
  },
  cispo: (logprobs, inputs) => {
    const weight = stopGradient(clipped(ratio(logprobs, inputs), inputs));
    return negate(multiply(multiply(weight, inputs.advantages()), logprobs));
  },
};

function ratio(logprobs: Value, inputs: LossInputs): Value {
  return exponential(subtract(logprobs, inputs.oldLogprobs()));
}

function clipped(r: Value, inputs: LossInputs): Value {
  return minimum(maximum(r, inputs.lowestRatio()), inputs.highestRatio());
}

/** exp(d) − d − 1 with d = reference − policy (Schulman 2020, "Approximating KL divergence", k3). */
function klEstimate(logprobs: Value, referenceLogprobs: Value): Value {
  const difference = subtract(referenceLogprobs, logprobs);
  return subtract(subtract(exponential(difference), difference), logprobs.graph.scalar(1));
}
