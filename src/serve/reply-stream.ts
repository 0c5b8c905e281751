// A reply while it is sampled: reads every choice as its tokens come, makes chunks of what is certain, and knows when all is there, which
// may be long before those that are sampled with it.
import type { Piece as TokenPiece } from "../engine/engine.ts";
import type { Tokenizer } from "../types.ts";
import { type Choice, ChoiceReader } from "./choices.ts";
import type { Plan } from "./plan.ts";
import type { ReplyFacts, ReplyKind } from "./replies.ts";

export interface ReplyStreamOptions {
  readonly kind: ReplyKind;
  readonly facts: ReplyFacts;
  readonly tokenizer: Pick<Tokenizer, "decode">;
  readonly options: Plan["options"];
  readonly stops: readonly string[];
  /** Told of chunks, choice by choice in their order; null where they are not wanted. */
  readonly onChunk: ((chunk: object) => void) | null;
}

interface Reading {
  readonly reader: ChoiceReader;
  /** Length of the text that was sent. */
  offset: number;
  opened: boolean;
  closed: boolean;
}

export class ReplyStream {
  readonly #options: ReplyStreamOptions;
  /** Choices of each prompt. */
  readonly #readings: Reading[][];
  readonly #over = Promise.withResolvers<void>();
  #open: number;

  constructor(options: ReplyStreamOptions) {
    this.#options = options;
    const { tokenizer, stops } = options;
    const ends = { maxTokens: options.options.maxTokens, stop: options.options.stop, stops };
    this.#readings = options.facts.prompts.map(({ numSamples }) =>
      Array.from({ length: numSamples }, () => ({
        reader: new ChoiceReader(tokenizer, ends),
        offset: 0,
        opened: false,
        closed: false,
      })),
    );
    this.#open = this.#readings.flat().length;
  }

  /** Resolves when every choice has ended. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  get choices(): Choice[] {
    return this.#readings.flat().map(({ reader }) => reader.choice());
  }

  /** Takes tokens of a choice; whether it goes on. */
  add({ ask, sample, tokens, logprobs }: TokenPiece): boolean {
    const reading = this.#readings[ask][sample];
    if (reading.closed) return false;
    reading.reader.add(tokens, logprobs);
    this.#send(reading, this.#readings.slice(0, ask).flat().length + sample);
    if (!reading.reader.over) return true;
    reading.closed = true;
    this.#open--;
    if (this.#open === 0) this.#over.resolve();
    return false;
  }

  #send(reading: Reading, index: number): void {
    const { kind, facts, onChunk } = this.#options;
    if (onChunk === null) return;
    const { reader } = reading;
    if (!reading.opened) {
      const opening = kind.opening(facts, index);
      if (opening !== null) onChunk(opening);
      reading.opened = true;
    }
    for (const piece of reader.take()) {
      // One that says nothing is sent only where its log-probability is asked for.
      if (facts.logprobs || piece.text !== "") onChunk(kind.chunk(facts, index, piece, reading.offset));
      reading.offset += piece.text.length;
    }
    if (reader.over) onChunk(kind.closing(facts, index, reader.choice().finishReason));
  }
}
