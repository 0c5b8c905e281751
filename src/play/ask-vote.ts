// One question asked many times, in all its forms, as `sqlm ask` does: answers, mapped onto the original, that may stop when their vote
// is decided.
import type { PlaySettings } from "../config/play.ts";
import type { Player } from "../engine/engine.ts";
import { seedFrom } from "../random.ts";
import type { Topic } from "../topics/topic.ts";
import type { Completion, Question } from "../types.ts";
import { concludeReplies } from "./conclude.ts";
import { encodePrompt, sample, stopTokens } from "./prompts.ts";
import { originalForm, readAnswer } from "./read-answer.ts";
import { answersToElect, firstLook, formVote } from "./voters.ts";

/** One form of the question with the answers to it, mapped back to the original. */
export interface AskedForm {
  readonly question: string;
  readonly values: readonly (string | null)[];
}

/** Tokens that an answer goes on with. */
export interface AskedPiece {
  /** Number of the form, and of the answer among those to it. */
  readonly form: number;
  readonly answer: number;
  readonly tokens: readonly number[];
}

type Finished = Pick<Completion, "tokens" | "stopReason">;

export interface AskVoteOptions {
  /** Answers in all, an equal share to each form; the first forms get one more where it does not divide. */
  readonly votes: number;
  readonly seed: number;
  /** Ask no more once the winner is decided, and whether all forms elect it. */
  readonly stop: boolean;
  readonly truncatedReplies: PlaySettings["truncatedReplies"];
  /** Told of tokens as they come. */
  readonly onPiece?: (piece: AskedPiece) => void;
  /** Ends the asking; answers that are on their way are left out. */
  readonly signal?: AbortSignal;
}

/**
 * Asks and reads. What stops early has the answers that come first in the whole vote, and its winner. Where answers can be ended at
 * any time all are sampled together, which takes hardly longer than a few, and ended when the vote is decided; else in rounds.
 */
export async function askVote(
  player: Player,
  topic: Topic,
  original: Question,
  { votes, seed, stop, truncatedReplies, onPiece = () => undefined, signal }: AskVoteOptions,
): Promise<AskedForm[]> {
  const { tokenizer } = player;
  const restatements = [originalForm(original), ...(topic.restatements?.(original) ?? [])].slice(0, votes);
  const forms = restatements.map((restatement, index) => ({
    restatement,
    promptTokens: encodePrompt(tokenizer, topic.solvePrompt(restatement.question)),
    limit: Math.ceil((votes - index) / restatements.length),
    seed: seedFrom(seed, "ask", index),
  }));
  const read = (form: number, completion: Finished): string | null =>
    readAnswer(tokenizer, topic, restatements[form], completion, truncatedReplies).value;
  const tally = new Tally(
    forms.map(({ limit }) => limit),
    stop,
    read,
  );
  // One that ended without an answer counts when it is concluded, and so does what comes behind it in its form.
  const isWhole = (form: number, completion: Finished): boolean =>
    topic.conclusion === undefined || read(form, completion) !== null;
  const settings = { temperature: 1, topP: 1, topK: 0, maxTokens: topic.maxTokens.solve };
  const ends = stopTokens(tokenizer, topic.stopText?.solve);
  const isEnded = (): boolean => signal?.aborted === true;
  const together = player.capabilities.tellsTokens === true;
  while (tally.isOpen) {
    const open = forms.flatMap((form, index) => {
      const first = tally.counts[index];
      const numSamples = together ? form.limit - first : tally.wanted[index];
      return numSamples > 0 ? [{ ...form, index, first, numSamples, coming: new Map<number, number[]>() }] : [];
    });
    const rows = await sample(player, open, { ...settings, stopText: topic.stopText?.solve }, (piece) => {
      const { index, first, coming } = open[piece.ask];
      onPiece({ form: index, answer: first + piece.sample, tokens: piece.tokens });
      const tokens = coming.get(piece.sample) ?? [];
      coming.set(piece.sample, tokens);
      tokens.push(...piece.tokens);
      const stopped = ends.includes(tokens[tokens.length - 1]);
      if (stopped || tokens.length >= settings.maxTokens) {
        const completion: Finished = { tokens, stopReason: stopped ? "stop" : "length" };
        if (isWhole(index, completion)) tally.add(index, first + piece.sample, completion);
      }
      return !isEnded() && tally.isOpen;
    });
    if (isEnded()) break;
    for (const [row, { index, first }] of open.entries()) {
      for (const [i, completion] of rows[row].entries()) {
        if (isWhole(index, completion)) tally.add(index, first + i, completion);
      }
    }
    if (!tally.isOpen) break;
    const saysOne = (completion: Completion, row: number): boolean => isWhole(open[row].index, completion);
    const concluded = await concludeReplies(player, topic.conclusion, { asks: open, rows, saysOne }, settings);
    if (isEnded()) break;
    for (const [row, { index, first }] of open.entries()) {
      for (const [i, { whole, from }] of concluded[row].entries()) {
        if (from < whole.tokens.length) onPiece({ form: index, answer: first + i, tokens: whole.tokens.slice(from) });
        tally.add(index, first + i, whole);
      }
    }
  }
  return restatements.map(({ question }, form) => ({ question: question.text, values: tally.values[form] }));
}

/** Completions as they come, in any order; they count in the order in which rounds would have asked for them. */
class Tally {
  readonly values: (string | null)[][];
  /** Answers of each form that are still to count before it is looked again whether the vote is decided; all 0 when it is. */
  wanted: readonly number[];
  readonly #limits: readonly number[];
  readonly #stop: boolean;
  readonly #read: (form: number, completion: Finished) => string | null;
  readonly #waiting: Map<number, Finished>[];

  constructor(limits: readonly number[], stop: boolean, read: (form: number, completion: Finished) => string | null) {
    this.#limits = limits;
    this.#stop = stop;
    this.#read = read;
    this.values = limits.map(() => []);
    this.#waiting = limits.map(() => new Map());
    this.wanted = limits.map((limit) => (stop ? firstLook(limit) : limit));
  }

  /** Whether more answers are still to count. */
  get isOpen(): boolean {
    return this.wanted.some((answers) => answers > 0);
  }

  /** Answers of each form that count. */
  get counts(): readonly number[] {
    return this.values.map(({ length }) => length);
  }

  /** Takes a completion that has ended; one that came already, or comes when the vote is decided, changes nothing. */
  add(form: number, answer: number, completion: Finished): void {
    if (answer < this.values[form].length) return;
    this.#waiting[form].set(answer, completion);
    while (this.isOpen && this.wanted.every((answers, i) => this.#have(i, answers))) {
      for (const [i, answers] of this.wanted.entries()) this.#count(i, answers);
      const votes = this.values.map((values, i) => formVote(values, this.#limits[i]));
      this.wanted = this.#stop ? answersToElect(votes) : votes.map(() => 0);
    }
  }

  #have(form: number, answers: number): boolean {
    const first = this.values[form].length;
    return Array.from({ length: answers }, (_, i) => first + i).every((answer) => this.#waiting[form].has(answer));
  }

  #count(form: number, answers: number): void {
    for (let i = 0; i < answers; i++) {
      const completion = this.#waiting[form].get(this.values[form].length);
      if (completion !== undefined) this.values[form].push(this.#read(form, completion));
    }
  }
}
