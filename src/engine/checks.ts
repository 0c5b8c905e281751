// What every engine refuses before any work, from its capabilities alone. What depends on a device or a server (memory,
// rank limits) is the engine's own affair.
import { UnsupportedError } from "../errors.ts";
import type { Datum, LossFn } from "../types.ts";
import type { AdamParams, Ask, EngineCapabilities, LossConfig, SampleOptions } from "./engine.ts";

/** Options that not every engine has. */
export interface OptionalSupport {
  readonly topP?: number;
  readonly topK?: number;
  readonly lossFn?: LossFn;
  readonly klPenaltyCoef?: number;
  readonly gradClipNorm?: number;
  /** Above 0: samples are scored again before they are learned from. */
  readonly importanceCap?: number;
}

/** Throws UnsupportedError unless the engine has what these options, of a run or of one call, ask for. */
export function checkSupport(
  capabilities: EngineCapabilities,
  { topP = 1, topK = 0, lossFn, klPenaltyCoef = 0, gradClipNorm = 0, importanceCap = 0 }: OptionalSupport,
): void {
  const refuse = refusal(capabilities);
  if (topP < 1 && !capabilities.topP) throw refuse("cannot honour topP", "Leave topP at 1.");
  if (topK > 0 && !capabilities.topK) throw refuse("cannot honour topK", "Leave topK at 0.");
  if (lossFn !== undefined && !capabilities.lossFunctions.includes(lossFn)) {
    throw refuse(`has no loss "${lossFn}"`, `Use one of ${capabilities.lossFunctions.join(", ")}.`);
  }
  if (klPenaltyCoef > 0 && !capabilities.klPenalty) throw refuse("has no KL penalty", "Leave klPenaltyCoef at 0.");
  if (gradClipNorm > 0 && capabilities.gradientClip === false) {
    throw refuse("does not clip gradients on this server", "Set gradClipNorm to 0: --grad-clip-norm 0.");
  }
  if (importanceCap > 0 && capabilities.scores === false) {
    throw refuse("cannot score on this server", "Leave importanceCap at 0.");
  }
}

/** Throws UnsupportedError unless the engine can honour this call of `sample`. */
export function checkSampling(capabilities: EngineCapabilities, asks: readonly Ask[], options: SampleOptions): void {
  const refuse = refusal(capabilities);
  const { maxTokens, temperature, topP = 1, topK = 0 } = options;
  for (const { numSamples, seed, first } of asks) {
    if (!Number.isInteger(numSamples) || numSamples < 1) throw refuse(`cannot draw ${numSamples} samples of an ask`);
    if (!Number.isSafeInteger(seed)) throw refuse(`needs a whole number as seed, not ${seed}`);
    if (!Number.isSafeInteger(first) || first < 0) throw refuse(`cannot begin with sample ${first} of an ask`);
  }
  if (!Number.isInteger(maxTokens) || maxTokens < 1) throw refuse(`cannot sample ${maxTokens} tokens`);
  if (!Number.isFinite(temperature) || temperature < 0) throw refuse(`cannot sample at temperature ${temperature}`);
  if (!(topP > 0 && topP <= 1)) throw refuse(`needs topP above 0 and up to 1, not ${topP}`);
  if (!Number.isInteger(topK) || topK < 0) throw refuse(`needs a whole topK of at least 0, not ${topK}`);
  checkSupport(capabilities, { topP, topK });
  checkSequences(
    capabilities,
    asks.map(({ promptTokens }) => promptTokens),
    maxTokens,
  );
}

/**
 * Throws UnsupportedError unless every sequence has a token and, with `room` tokens more, fits the engine.
 */
export function checkSequences(
  capabilities: EngineCapabilities,
  sequences: readonly (readonly number[])[],
  room = 0,
): void {
  const refuse = refusal(capabilities);
  const limit = capabilities.maxSequenceTokens;
  for (const { length } of sequences) {
    if (length === 0) {
      const hint =
        "A prompt is empty, or the model's tokenizer knows no character of it: change the prompt or the model.";
      throw refuse("cannot take a sequence without tokens", hint);
    }
    if (length + room > limit) {
      const needed = room > 0 ? `${length} tokens with ${room} more to sample` : `${length} tokens`;
      throw refuse(`takes at most ${limit} tokens a sequence, not ${needed}`, "Shorten prompts or lower maxTokens.");
    }
  }
}

/** Throws UnsupportedError unless the engine can honour this call of `forwardBackward`. */
export function checkTraining(
  capabilities: EngineCapabilities,
  data: readonly Datum[],
  loss: LossFn,
  lossConfig: LossConfig = {},
): void {
  const refuse = refusal(capabilities);
  if (!capabilities.lossFunctions.includes(loss)) {
    throw refuse(`has no loss "${loss}"`, `Use one of ${capabilities.lossFunctions.join(", ")}.`);
  }
  for (const [name, value] of Object.entries(lossConfig)) {
    if (!(Number.isFinite(value) && value >= 0)) throw refuse(`needs a ${name} of at least 0, not ${value}`);
  }
  const penalised = (lossConfig.klPenaltyCoef ?? 0) > 0;
  if (penalised && !capabilities.klPenalty) throw refuse("has no KL penalty", "Leave klPenaltyCoef at 0.");
  if ((lossConfig.importanceCap ?? 0) > 0 && capabilities.correctsForSampler !== true) {
    throw refuse(
      "does not correct for the sampler while it trains",
      "Score the data first, and correct their weights.",
    );
  }
  checkSequences(
    capabilities,
    data.map(({ tokens }) => tokens),
  );
  for (const [row, datum] of data.entries()) {
    const { tokens, weights, logprobs, advantages, referenceLogprobs } = datum;
    const arrays = { weights, logprobs, advantages, ...(referenceLogprobs && { referenceLogprobs }) };
    for (const [name, array] of Object.entries(arrays)) {
      if (array.length === tokens.length) continue;
      throw refuse(`needs arrays of one length: datum ${row} has ${tokens.length} tokens but ${array.length} ${name}`);
    }
    if (weights[0] !== 0) throw refuse(`cannot train the first token of datum ${row}: nothing precedes it`);
    if (penalised && referenceLogprobs === undefined) {
      throw refuse(`needs referenceLogprobs for the KL penalty; datum ${row} has none`);
    }
  }
}

/** Throws UnsupportedError unless the numbers give an update: a NaN here would spoil every weight. */
export function checkAdam(capabilities: EngineCapabilities, adam: AdamParams): void {
  const refuse = refusal(capabilities);
  const { learningRate, beta1, beta2, eps, weightDecay, gradClipNorm } = adam;
  for (const [name, value] of Object.entries({ learningRate, weightDecay, gradClipNorm })) {
    if (!(Number.isFinite(value) && value >= 0)) throw refuse(`needs a ${name} of at least 0, not ${value}`);
  }
  for (const [name, value] of Object.entries({ beta1, beta2 })) {
    if (!(value >= 0 && value < 1)) throw refuse(`needs a ${name} from 0 to below 1, not ${value}`);
  }
  if (gradClipNorm > 0 && capabilities.gradientClip === false) throw refuse("does not clip gradients on this server");
  if (!(Number.isFinite(eps) && eps > 0)) throw refuse(`needs an eps above 0, not ${eps}`);
}

function refusal(capabilities: EngineCapabilities): (what: string, hint?: string) => UnsupportedError {
  return (what, hint = "Correct the call; nothing has been done yet.") =>
    new UnsupportedError(`The ${capabilities.name} engine ${what}.`, hint);
}
