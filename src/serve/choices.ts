// From a completion to what a client is sent of it: text by token, cut where a stop text begins. Pure functions.
import type { Completion, Tokenizer } from "../types.ts";

/** What one token adds to the text. */
export interface Piece {
  /** Empty where a character needs more tokens: its last one has it. */
  readonly text: string;
  /** In nats, under the model at temperature 1. */
  readonly logprob: number;
}

export interface Choice {
  /** The text is theirs, one after another. The end token has none. */
  readonly pieces: readonly Piece[];
  readonly finishReason: "stop" | "length";
  /** Tokens up to where the choice ended, an end token and those of the stop text included. */
  readonly tokens: number;
}

/**
 * Reads a completion as one that ended with the first stop text to be complete, of several that end together the longest;
 * the stop text itself is left out. Stop texts are looked for in the text, so they may begin and end within tokens.
 */
export function readChoice(
  tokenizer: Pick<Tokenizer, "decode" | "endTokens">,
  { tokens, logprobs, stopReason }: Completion,
  stops: readonly string[],
): Choice {
  const ended = tokens.length > 0 && tokenizer.endTokens.includes(tokens[tokens.length - 1]);
  const texts = tokenTexts(tokenizer, ended ? tokens.slice(0, -1) : tokens);
  const pieces = texts.map((text, i) => ({ text, logprob: logprobs[i] }));
  const cut = firstStop(texts.join(""), stops);
  if (cut === null) return { pieces, finishReason: stopReason, tokens: tokens.length };
  const kept: Piece[] = [];
  let [start, used] = [0, 0];
  for (const { text, logprob } of pieces) {
    if (start >= cut.end) break;
    if (start < cut.start) kept.push({ text: text.slice(0, cut.start - start), logprob });
    start += text.length;
    used++;
  }
  return { pieces: kept, finishReason: "stop", tokens: used };
}

/** Where the first stop text that is complete stands; null where there is none. */
function firstStop(text: string, stops: readonly string[]): { readonly start: number; readonly end: number } | null {
  let first: { readonly start: number; readonly end: number } | null = null;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    const end = start + stop.length;
    if (start >= 0 && (first === null || end < first.end || (end === first.end && start < first.start))) {
      first = { start, end };
    }
  }
  return first;
}

const incomplete = "\u{FFFD}";

/** No character takes more bytes than four, nor more tokens than bytes: what goes on longer is no beginning of one. */
const mostHeld = 8;

/**
 * The text that each token adds; together they are `decode(tokens)`. A token is decoded after those before it since the last
 * whole character, for decoders treat the beginning of a text in a way of its own and a character may be cut by tokens.
 */
export function tokenTexts(tokenizer: Pick<Tokenizer, "decode">, tokens: readonly number[]): string[] {
  const texts = tokens.map(() => "");
  // Tokens from `known` to `shown` are context: their text has been given.
  let [known, shown] = [0, 0];
  for (let i = 0; i < tokens.length; i++) {
    const before = tokenizer.decode(tokens.slice(known, shown));
    const now = tokenizer.decode(tokens.slice(known, i + 1));
    const last = i === tokens.length - 1;
    const whole = last || !now.endsWith(incomplete) || i - shown >= mostHeld;
    if (now.length > before.length && whole) {
      texts[i] = now.slice(before.length);
      [known, shown] = [shown, i + 1];
    }
  }
  // A decoder that looks further back gives the right text, though not where it comes from.
  const all = tokenizer.decode(tokens);
  if (tokens.length > 0 && texts.join("") !== all) return texts.map((_, i) => (i === tokens.length - 1 ? all : ""));
  return texts;
}
