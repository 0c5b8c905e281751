// Checks what is asked of the sampler before any work is done. What it cannot honour it refuses.
import { UnsupportedError } from "../../../errors.ts";
import type { ModelConfig } from "../../../model/model-config.ts";
import type { SampleOptions } from "../../engine.ts";

/** Throws UnsupportedError, in one sentence, for prompts or options that cannot be honoured exactly. */
export function checkSampleRequest(
  config: ModelConfig,
  prompts: readonly (readonly number[])[],
  { numSamples, maxTokens, temperature, topP = 1, topK = 0, seed }: SampleOptions,
): void {
  const refuse = (problem: string, hint: string): never => {
    throw new UnsupportedError(problem, hint);
  };
  if (!Number.isInteger(numSamples) || numSamples < 1)
    refuse(`numSamples is ${numSamples}.`, "Ask for a whole number of completions, at least 1.");
  if (!Number.isInteger(maxTokens) || maxTokens < 1)
    refuse(`maxTokens is ${maxTokens}.`, "Allow a whole number of tokens, at least 1.");
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    refuse(`The temperature is ${temperature}.`, "Use 0 for the most likely tokens, or a positive number such as 1.");
  if (!(topP > 0 && topP <= 1)) refuse(`topP is ${topP}.`, "Use a number above 0 and up to 1; 1 keeps all tokens.");
  if (!Number.isInteger(topK) || topK < 0) refuse(`topK is ${topK}.`, "Use a whole number; 0 keeps all tokens.");
  if (!Number.isSafeInteger(seed)) refuse(`The seed is ${seed}.`, "Use a whole number.");
  for (const [index, prompt] of prompts.entries()) {
    if (prompt.length === 0)
      refuse(`Prompt ${index} has no tokens.`, "Begin every prompt with at least one token, such as the start token.");
    const unknown = prompt.find((token) => !Number.isInteger(token) || token < 0 || token >= config.vocabSize);
    if (unknown !== undefined)
      refuse(
        `Prompt ${index} contains token ${unknown}, but the vocabulary has ${config.vocabSize} tokens.`,
        "Encode prompts with the tokenizer of this model.",
      );
    if (prompt.length + maxTokens > config.maxPositions)
      refuse(
        `Prompt ${index} has ${prompt.length} tokens and maxTokens is ${maxTokens}, but the model has ${config.maxPositions} positions.`,
        "Shorten the prompt or lower maxTokens.",
      );
  }
}

/** Throws UnsupportedError for a model that training could compute but sampling cannot. */
export function checkModelShape({ headSize }: ModelConfig): void {
  if (headSize % 8 !== 0)
    throw new UnsupportedError(
      `A head size of ${headSize} is not supported.`,
      "Use a model whose head size is a multiple of 8.",
    );
}
