// What the checks of every engine (src/engine/checks.ts) leave over, because it depends on the model. It refuses before any work.
import { UnsupportedError } from "../../errors.ts";
import type { ModelConfig } from "../../model/model-config.ts";

/** Throws UnsupportedError where a sequence has a token that is not in the vocabulary. */
export function checkTokens({ vocabSize }: ModelConfig, sequences: readonly (readonly number[])[]): void {
  for (const [index, sequence] of sequences.entries()) {
    const unknown = sequence.find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabSize));
    if (unknown === undefined) continue;
    throw new UnsupportedError(
      `Sequence ${index} contains token ${unknown}, but the vocabulary has ${vocabSize} tokens.`,
      "Encode text with the tokenizer of this model.",
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
