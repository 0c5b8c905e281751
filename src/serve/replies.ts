// Replies in the form of the OpenAI protocol, whole or in chunks. Pure functions of what was sampled.
import type { Choice, Piece } from "./choices.ts";
import type { Plan } from "./plan.ts";

export interface ReplyFacts {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  readonly prompts: Plan["asks"];
  readonly logprobs: boolean;
  /** 1 where the drawn token is listed as the likeliest too. */
  readonly alternatives: number;
}

function usageOf(prompts: ReplyFacts["prompts"], choices: readonly Choice[]) {
  const promptTokens = prompts.reduce((sum, ask) => sum + ask.promptTokens.length, 0);
  const completionTokens = choices.reduce((sum, { tokens }) => sum + tokens, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** How one kind of reply is written. Choices are numbered prompt by prompt. */
export interface ReplyKind {
  readonly idPrefix: string;
  whole(facts: ReplyFacts, choices: readonly Choice[]): object;
  /** The chunk before a choice's first piece; null where there is none. */
  opening(facts: ReplyFacts, index: number): object | null;
  /** @param offset of the piece in the text of its choice */
  chunk(facts: ReplyFacts, index: number, piece: Piece, offset: number): object;
  closing(facts: ReplyFacts, index: number, reason: Choice["finishReason"]): object;
  /** The last chunk where usage is asked for. */
  usageChunk(facts: ReplyFacts, choices: readonly Choice[]): object;
}

const textOf = (pieces: readonly Piece[]): string => pieces.map(({ text }) => text).join("");

function chatLogprobs(pieces: readonly Piece[], { logprobs, alternatives }: ReplyFacts) {
  if (!logprobs) return null;
  const content = pieces.map(({ text, logprob }) => {
    const token = { token: text, logprob, bytes: [...Buffer.from(text)] };
    return { ...token, top_logprobs: alternatives > 0 ? [token] : [] };
  });
  return { content, refusal: null };
}

/** @param offset of the first piece in the text of its choice */
function completionLogprobs(pieces: readonly Piece[], { logprobs, alternatives }: ReplyFacts, offset = 0) {
  if (!logprobs) return null;
  let next = offset;
  return {
    tokens: pieces.map(({ text }) => text),
    token_logprobs: pieces.map(({ logprob }) => logprob),
    top_logprobs: alternatives > 0 ? pieces.map(({ text, logprob }) => ({ [text]: logprob })) : null,
    text_offset: pieces.map(({ text }) => {
      const at = next;
      next += text.length;
      return at;
    }),
  };
}

const head = ({ id, created, model }: ReplyFacts, object: string) => ({ id, object, created, model });

function chatChunk(facts: ReplyFacts, index: number, delta: object, logprobs: object | null, reason: string | null) {
  return {
    ...head(facts, "chat.completion.chunk"),
    choices: [{ index, delta, logprobs, finish_reason: reason }],
  };
}

export const chatReplies: ReplyKind = {
  idPrefix: "chatcmpl",
  whole: (facts, choices) => ({
    ...head(facts, "chat.completion"),
    choices: choices.map(({ pieces, finishReason }, index) => ({
      index,
      message: { role: "assistant", content: textOf(pieces), refusal: null },
      logprobs: chatLogprobs(pieces, facts),
      finish_reason: finishReason,
    })),
    usage: usageOf(facts.prompts, choices),
  }),
  opening: (facts, index) => chatChunk(facts, index, { role: "assistant", content: "" }, null, null),
  chunk: (facts, index, piece) => chatChunk(facts, index, { content: piece.text }, chatLogprobs([piece], facts), null),
  closing: (facts, index, reason) => chatChunk(facts, index, {}, null, reason),
  usageChunk: (facts, choices) => ({
    ...head(facts, "chat.completion.chunk"),
    choices: [],
    usage: usageOf(facts.prompts, choices),
  }),
};

function completionChunk(
  facts: ReplyFacts,
  index: number,
  text: string,
  logprobs: object | null,
  reason: string | null,
) {
  return {
    ...head(facts, "text_completion"),
    choices: [{ index, text, logprobs, finish_reason: reason }],
  };
}

export const completionReplies: ReplyKind = {
  idPrefix: "cmpl",
  whole: (facts, choices) => ({
    ...head(facts, "text_completion"),
    choices: choices.map(({ pieces, finishReason }, index) => ({
      index,
      text: textOf(pieces),
      logprobs: completionLogprobs(pieces, facts),
      finish_reason: finishReason,
    })),
    usage: usageOf(facts.prompts, choices),
  }),
  opening: () => null,
  chunk: (facts, index, piece, offset) =>
    completionChunk(facts, index, piece.text, completionLogprobs([piece], facts, offset), null),
  closing: (facts, index, reason) => completionChunk(facts, index, "", null, reason),
  usageChunk: (facts, choices) => ({
    ...head(facts, "text_completion"),
    choices: [],
    usage: usageOf(facts.prompts, choices),
  }),
};
