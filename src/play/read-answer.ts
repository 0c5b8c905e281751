// Reads a solver's completion into a canonical answer to the question that was meant: the one reading for training,
// evaluation and `ask`, so that what counts in one counts in the others.
import type { Topic } from "../topics/topic.ts";
import type { Answer, Completion, Question, Restatement, Tokenizer } from "../types.ts";
import { decodeCompletion } from "./prompts.ts";

/** Reads a completion of `form`'s prompt. The value answers the original question. */
export function readAnswer(
  tokenizer: Tokenizer,
  topic: Topic,
  { question, toOriginal }: Restatement,
  completion: Pick<Completion, "tokens">,
): Pick<Answer, "text" | "value" | "reason"> {
  const text = decodeCompletion(tokenizer, completion);
  const reading = topic.readAnswer(text, question);
  return reading.ok ? { text, value: toOriginal(reading.value) } : { text, value: null, reason: reading.reason };
}

/** The original question as a form of itself. */
export function originalForm(question: Question): Restatement {
  return { question, toOriginal: (answer) => answer };
}
