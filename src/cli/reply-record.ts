// What a model has replied in an evaluation, written down as it goes: one that was killed goes on where it was, and the same
// model is not asked the same again when it is compared with another. Replies are what takes time, so only they are kept: they are read and judged
// anew each time, and a reply counts only where prompt, seed and sampling are the same to the last token.
import { createHash } from "node:crypto";
import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Ask, Player, SampleOptions } from "../engine/engine.ts";
import type { Examinee, Reply } from "../evaluate/exam.ts";
import { makeFolder } from "../store/make-folder.ts";

const replySchema = z.object({ tokens: z.array(z.int()), stopReason: z.enum(["stop", "length"]), text: z.string() });
const lineSchema = z.object({ ask: z.string(), replies: z.array(replySchema) });

/** An evaluation that takes no longer than this leaves nothing behind. */
const quietSeconds = 5;

/** Replies of one model. */
export class ReplyRecord implements Disposable {
  readonly path: string;
  readonly #known: Map<string, readonly Reply[]>;
  readonly #began = Date.now();
  readonly #quietSeconds: number;
  #open: number | null = null;
  #waiting: string;

  /**
   * The record of a model in this folder; what is in it counts again.
   * @param name tells one model from another, so that no other's replies are taken for its own
   * @param options `fresh`: what it holds does not count, and is replaced when it is asked again
   */
  constructor(
    folder: string,
    name: string,
    options: { readonly fresh?: boolean; readonly quietSeconds?: number } = {},
  ) {
    this.path = join(folder, `${name}.jsonl`);
    this.#quietSeconds = options.quietSeconds ?? quietSeconds;
    const text = existsSync(this.path) ? readFileSync(this.path, "utf8") : "";
    this.#known = options.fresh === true ? new Map() : readKnown(text);
    // A killed process may have left half a line: what follows begins on its own.
    this.#waiting = text === "" || text.endsWith("\n") ? "" : "\n";
  }

  find(key: string): readonly Reply[] | undefined {
    return this.#known.get(key);
  }

  /** Adds replies; they are on disk when this returns, unless the evaluation has only just begun. */
  add(
    entries: readonly { readonly key: string; readonly replies: readonly (Reply & { readonly text: string })[] }[],
  ): void {
    for (const { key, replies } of entries) {
      this.#known.set(key, replies);
      this.#waiting += `${JSON.stringify({ ask: key, replies })}\n`;
    }
    if ((Date.now() - this.#began) / 1000 < this.#quietSeconds) return;
    if (this.#open === null) {
      makeFolder(dirname(this.path));
      this.#open = openSync(this.path, "a");
    }
    appendFileSync(this.#open, this.#waiting);
    fsyncSync(this.#open);
    this.#waiting = "";
  }

  [Symbol.dispose](): void {
    if (this.#open !== null) closeSync(this.#open);
    this.#open = null;
  }
}

/** A line that is damaged, or of another form, is as good as none: its ask is asked again. */
function readKnown(text: string): Map<string, readonly Reply[]> {
  const known = new Map<string, readonly Reply[]>();
  for (const line of text.split("\n")) {
    const read = lineSchema.safeParse(parsed(line));
    if (read.success) known.set(read.data.ask, read.data.replies);
  }
  return known;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** The player, which is asked only what the record does not know. `onKnown` is called once, when something is known. */
export function withRecord(player: Player, record: ReplyRecord, onKnown?: () => void): Examinee {
  const { capabilities, tokenizer } = player;
  let [said, sampled] = [false, 0];
  return {
    capabilities,
    tokenizer,
    get sampled() {
      return sampled;
    },
    sample: async (asks, options) => {
      const keys = asks.map((ask) => keyOf(ask, options));
      const missing = [...asks.keys()].filter((index) => record.find(keys[index]) === undefined);
      if (missing.length < asks.length && !said) {
        said = true;
        onKnown?.();
      }
      if (missing.length > 0) {
        const completions = await player.sample(
          missing.map((index) => asks[index]),
          options,
        );
        sampled += completions.length;
        record.add(
          missing.map((index, row) => ({
            key: keys[index],
            replies: completions[row].map(({ tokens, stopReason }) => ({
              tokens,
              stopReason,
              text: tokenizer.decode(tokens),
            })),
          })),
        );
      }
      return keys.map((key) => [...(record.find(key) ?? [])]);
    },
  };
}

/** Everything that decides a reply beside the model. */
function keyOf({ promptTokens, numSamples, seed, first }: Ask, options: SampleOptions): string {
  const { maxTokens, temperature, topP = 1, topK = 0, stop } = options;
  // At temperature 0 nothing is drawn.
  const drawn = temperature === 0 ? [] : [seed, first];
  const parts = [promptTokens, numSamples, drawn, maxTokens, temperature, topP, topK, [...stop].sort((a, b) => a - b)];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}
