// Replies in the form of the OpenAI protocol, whole or in chunks. Pure functions of what was sampled.
import type { Completion, Tokenizer } from "../types.ts";
import { type Choice, type Piece, readChoice } from "./choices.ts";
import type { Plan } from "./plan.ts";

export interface ReplyFacts {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  readonly prompts: Plan["asks"];
  readonly choices: readonly Choice[];
  readonly logprobs: boolean;
  /** 1 where the drawn token is listed as the likeliest too. */
  readonly alternatives: number;
}

/** Reads completions, as [prompt][sample], in the order in which choices are numbered. */
export function readChoices(
  tokenizer: Tokenizer,
  rows: readonly (readonly Completion[])[],
  stops: readonly string[],
): Choice[] {
  return rows.flat().map((completion) => readChoice(tokenizer, completion, stops));
}

function usageOf({ prompts, choices }: Pick<ReplyFacts, "prompts" | "choices">) {
  const promptTokens = prompts.reduce((sum, ask) => sum + ask.promptTokens.length, 0);
  const completionTokens = choices.reduce((sum, { tokens }) => sum + tokens, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** How one kind of reply is written. */
export interface ReplyKind {
  readonly idPrefix: string;
  whole(facts: ReplyFacts): object;
  /** Every chunk but those about usage, choice by choice. */
  chunks(facts: ReplyFacts): Generator<object>;
  /** The last chunk where usage is asked for. */
  usageChunk(facts: ReplyFacts): object;
}

const textOf = (pieces: readonly Piece[]): string => pieces.map(({ text }) => text).join("");

/** Pieces that are sent: those that say nothing are, only where their log-probability is asked for. */
const sent = ({ pieces }: Choice, { logprobs }: ReplyFacts): readonly Piece[] =>
  logprobs ? pieces : pieces.filter(({ text }) => text !== "");

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

export const chatReplies: ReplyKind = {
  idPrefix: "chatcmpl",
  whole: (facts) => ({
    ...head(facts, "chat.completion"),
    choices: facts.choices.map(({ pieces, finishReason }, index) => ({
      index,
      message: { role: "assistant", content: textOf(pieces), refusal: null },
      logprobs: chatLogprobs(pieces, facts),
      finish_reason: finishReason,
    })),
    usage: usageOf(facts),
  }),
  *chunks(facts) {
    const chunk = (index: number, delta: object, logprobs: object | null, reason: string | null) => ({
      ...head(facts, "chat.completion.chunk"),
      choices: [{ index, delta, logprobs, finish_reason: reason }],
    });
    for (const [index, choice] of facts.choices.entries()) {
      yield chunk(index, { role: "assistant", content: "" }, null, null);
      for (const piece of sent(choice, facts)) {
        yield chunk(index, { content: piece.text }, chatLogprobs([piece], facts), null);
      }
      yield chunk(index, {}, null, choice.finishReason);
    }
  },
  usageChunk: (facts) => ({ ...head(facts, "chat.completion.chunk"), choices: [], usage: usageOf(facts) }),
};

export const completionReplies: ReplyKind = {
  idPrefix: "cmpl",
  whole: (facts) => ({
    ...head(facts, "text_completion"),
    choices: facts.choices.map(({ pieces, finishReason }, index) => ({
      index,
      text: textOf(pieces),
      logprobs: completionLogprobs(pieces, facts),
      finish_reason: finishReason,
    })),
    usage: usageOf(facts),
  }),
  *chunks(facts) {
    const chunk = (index: number, text: string, logprobs: object | null, reason: string | null) => ({
      ...head(facts, "text_completion"),
      choices: [{ index, text, logprobs, finish_reason: reason }],
    });
    for (const [index, choice] of facts.choices.entries()) {
      let offset = 0;
      for (const piece of sent(choice, facts)) {
        yield chunk(index, piece.text, completionLogprobs([piece], facts, offset), null);
        offset += piece.text.length;
      }
      yield chunk(index, "", null, choice.finishReason);
    }
  },
  usageChunk: (facts) => ({ ...head(facts, "text_completion"), choices: [], usage: usageOf(facts) }),
};
