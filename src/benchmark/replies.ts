// What a reply to a benchmark's question says: its text, up to where a base model begins something else.

import type { Reply } from "../evaluate/exam.ts";
import { decodeCompletion } from "../play/prompts.ts";
import type { Tokenizer } from "../types.ts";

export interface ReplyOptions {
  readonly tokenizer: Tokenizer;
  /** The model takes conversations: it has a chat template. */
  readonly chat: boolean;
  /** Longest answer, in tokens. */
  readonly maxTokens: number;
}

/** The text before the first of `ends`; `whole` where it ended by itself or by one of them, not at its longest length. */
export function replyText(
  reply: Reply,
  { tokenizer }: Pick<ReplyOptions, "tokenizer">,
  ends: readonly string[],
): { readonly text: string; readonly whole: boolean } {
  const text = decodeCompletion(tokenizer, reply);
  const found = ends.map((end) => text.indexOf(end)).filter((at) => at >= 0);
  return found.length > 0
    ? { text: text.slice(0, Math.min(...found)), whole: true }
    : { text, whole: reply.stopReason === "stop" };
}
