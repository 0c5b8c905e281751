// Reads a solver's completion into a canonical answer to the question that was meant: the one reading for training,
// evaluation and `ask`, so that what counts in one counts in the others.
import type { PlaySettings } from "../config/play.ts";
import { refuse } from "../reading.ts";
import type { Topic } from "../topics/topic.ts";
import type { Answer, Completion, Question, Reading, Restatement, Tokenizer } from "../types.ts";
import { decodeCompletion } from "./prompts.ts";

/** What decides of a reply that was cut off. */
export type ReadSettings = Pick<PlaySettings, "truncatedReplies">;

/** Reads a completion of `form`'s prompt. The value answers the original question. */
export function readAnswer(
  tokenizer: Tokenizer,
  topic: Topic,
  { question, toOriginal }: Restatement,
  completion: Pick<Completion, "tokens" | "stopReason">,
  truncatedReplies: PlaySettings["truncatedReplies"],
): Pick<Answer, "text" | "value" | "reason"> {
  const text = decodeCompletion(tokenizer, completion);
  const reading = cutOff(completion, truncatedReplies) ?? topic.readAnswer(text, question);
  return reading.ok ? { text, value: toOriginal(reading.value) } : { text, value: null, reason: reading.reason };
}

/**
 * The refusal of a reply that ended at its longest length, null where there is none. The model had more to say: `12` may be
 * the beginning of 123, and what was cut off must neither vote nor be asked.
 */
export function cutOff(
  { tokens, stopReason }: Pick<Completion, "tokens" | "stopReason">,
  truncatedReplies: PlaySettings["truncatedReplies"],
): Extract<Reading<never>, { readonly ok: false }> | null {
  return stopReason === "length" && truncatedReplies === "refuse"
    ? refuse(`cut off after ${tokens.length} tokens`)
    : null;
}

/** The original question as a form of itself. */
export function originalForm(question: Question): Restatement {
  return { question, toOriginal: (answer) => answer };
}
