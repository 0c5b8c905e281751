// From tokens to text while they come.
import type { Tokenizer } from "../types.ts";

const incomplete = "\u{FFFD}";

/** No character takes more bytes than four, nor more tokens than bytes: what goes on longer is no beginning of one. */
const mostHeld = 8;

/**
 * The text that each token adds, as tokens come; together they are `decode(tokens)`. A token is decoded after those before it since
 * the last whole character, for decoders treat the beginning of a text in a way of its own and a character may be cut by tokens.
 */
export class TokenTexts {
  readonly #tokenizer: Pick<Tokenizer, "decode">;
  readonly #tokens: number[] = [];
  /** Tokens from `known` to `shown` are context: their text has been given. */
  #known = 0;
  #shown = 0;
  /** Tokens whose text has been told. */
  #told = 0;

  constructor(tokenizer: Pick<Tokenizer, "decode">) {
    this.#tokenizer = tokenizer;
  }

  /** The texts of the tokens without one so far, this one included; none as long as a character is not whole. */
  add(token: number): string[] {
    this.#tokens.push(token);
    return this.#next(false);
  }

  /** The texts of the tokens without one so far, when no more will come. */
  rest(): string[] {
    return this.#told === this.#tokens.length ? [] : this.#next(true);
  }

  #next(last: boolean): string[] {
    const { length } = this.#tokens;
    const before = this.#tokenizer.decode(this.#tokens.slice(this.#known, this.#shown));
    const now = this.#tokenizer.decode(this.#tokens.slice(this.#known));
    const whole = last || !now.endsWith(incomplete) || length - 1 - this.#shown >= mostHeld;
    const found = now.length > before.length && whole;
    if (!found && !last) return [];
    const texts = Array.from({ length: length - this.#told }, () => "");
    this.#told = length;
    if (found) {
      texts[texts.length - 1] = now.slice(before.length);
      [this.#known, this.#shown] = [this.#shown, length];
    }
    return texts;
  }

  /** The text of all tokens, decoded at once. */
  whole(): string {
    return this.#tokenizer.decode(this.#tokens);
  }
}
