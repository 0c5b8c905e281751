// From tokens to what a client is sent of them: text by token, as it comes, cut where a stop text begins.
import type { SampleOptions } from "../engine/engine.ts";
import { TokenTexts } from "../play/token-texts.ts";
import type { Tokenizer } from "../types.ts";

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

export interface ChoiceEnds extends Pick<SampleOptions, "maxTokens"> {
  /** Tokens that end it. */
  readonly stop: SampleOptions["stop"];
  /** Texts that end it. */
  readonly stops: readonly string[];
}

/**
 * Reads a completion as it comes, as one that ends with the first stop text to be complete, of several that end together the
 * longest; the stop text itself is left out. Stop texts are looked for in the text, so they may begin and end within tokens.
 */
export class ChoiceReader {
  readonly #ends: ChoiceEnds;
  readonly #texts: TokenTexts;
  readonly #logprobs: number[] = [];
  readonly #pieces: Piece[] = [];
  #text = "";
  #cut: Cut | null = null;
  #ended = false;
  #count = 0;
  /** Pieces that have been taken, and their length. */
  #taken = 0;
  #takenLength = 0;

  constructor(tokenizer: Pick<Tokenizer, "decode">, ends: ChoiceEnds) {
    this.#texts = new TokenTexts(tokenizer);
    this.#ends = ends;
  }

  /** Whether nothing that comes changes the choice. */
  get over(): boolean {
    return this.#ended || this.#cut !== null || this.#count >= this.#ends.maxTokens;
  }

  /** What comes after the end is left out. */
  add(tokens: readonly number[], logprobs: readonly number[]): void {
    for (const [i, token] of tokens.entries()) {
      if (this.over) return;
      this.#count++;
      this.#ended = this.#ends.stop.includes(token);
      if (!this.#ended) {
        this.#logprobs.push(logprobs[i]);
        this.#read(this.#texts.add(token));
      }
      if (this.over) this.#read(this.#texts.rest());
    }
  }

  #read(texts: readonly string[]): void {
    for (const text of texts) {
      if (this.#cut !== null) return;
      this.#pieces.push({ text, logprob: this.#logprobs[this.#pieces.length] });
      this.#text += text;
      this.#cut = firstStop(this.#text, this.#ends.stops);
    }
  }

  /** Pieces that have not been taken and will not change, whatever comes: none that a stop text may begin in. */
  take(): readonly Piece[] {
    const { pieces } = this.over ? this.choice() : { pieces: this.#pieces };
    const held = this.over ? 0 : heldBack(this.#text, this.#ends.stops);
    const certain = this.over ? Number.POSITIVE_INFINITY : this.#text.length - held;
    const first = this.#taken;
    for (const { text } of pieces.slice(first)) {
      const end = this.#takenLength + text.length;
      // One without text begins a character, perhaps the first that is held back.
      if (end > certain || (end === certain && text === "" && held > 0)) break;
      this.#takenLength = end;
      this.#taken++;
    }
    return pieces.slice(first, this.#taken);
  }

  /** All of it, as far as it has come. */
  choice(): Choice {
    if (this.#cut === null) {
      // Where pieces have gone out already, their text stays as it was.
      const pieces = this.#taken === 0 && this.over ? this.#righted() : this.#pieces;
      return { pieces, finishReason: this.#ended ? "stop" : "length", tokens: this.#count };
    }
    const kept: Piece[] = [];
    let [start, used] = [0, 0];
    for (const { text, logprob } of this.#pieces) {
      if (start >= this.#cut.end) break;
      if (start < this.#cut.start) kept.push({ text: text.slice(0, this.#cut.start - start), logprob });
      start += text.length;
      used++;
    }
    return { pieces: kept, finishReason: "stop", tokens: used };
  }

  /** Pieces with the text of all tokens, also of a decoder that looks further back, which says not where it comes from. */
  #righted(): readonly Piece[] {
    const all = this.#texts.whole();
    if (this.#text === all) return this.#pieces;
    return this.#pieces.map(({ logprob }, i) => ({ text: i === this.#pieces.length - 1 ? all : "", logprob }));
  }
}

interface Cut {
  readonly start: number;
  readonly end: number;
}

/** Where the first stop text that is complete stands; null where there is none. */
function firstStop(text: string, stops: readonly string[]): Cut | null {
  let first: Cut | null = null;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    const end = start + stop.length;
    if (start >= 0 && (first === null || end < first.end || (end === first.end && start < first.start))) {
      first = { start, end };
    }
  }
  return first;
}

/** Length of the longest end of a text that a stop text begins with. */
function heldBack(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(stop.slice(0, length))) longest = length;
    }
  }
  return longest;
}
