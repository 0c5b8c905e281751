// Which rows take part in a step: sequences begin as soon as there is room and end when they end; where memory runs short, the
// youngest go back and begin again. When does not matter to what they draw.

import type { Completion } from "../../../../types.ts";
import type { Piece, SampleOptions } from "../../../engine.ts";
import type { SampleWatch } from "../sampler.ts";
import { type Sequence, uniformOf } from "../sequences.ts";
import type { GenerationLimits } from "./limits.ts";
import type { Row, RowCaches } from "./row-caches.ts";
import { blockSize } from "./step-attention.ts";

export interface GenerationOptions {
  readonly caches: RowCaches;
  readonly sequences: readonly Sequence[];
  readonly settings: SampleOptions;
  readonly limits: GenerationLimits;
  readonly watch?: SampleWatch | undefined;
  readonly onProgress: (done: number, total: number, tokens: number, mostLeft: number) => void;
}

/** Rows wait for others to begin with: the prompt of one takes nearly as long as those of several. */
const beginTogether = 8;
/** Tokens that a sequence is expected to have as long as none has ended. */
const firstExpectation = 128;
/** Progress is told this often, in milliseconds. */
const progressInterval = 200;

/** Completions of all sequences, in their order. */
export async function generate(options: GenerationOptions): Promise<Completion[]> {
  const { caches, sequences, settings, limits, watch, onProgress } = options;
  const queue = [...sequences];
  const completions = new Map<Sequence, Completion>();
  /** What sequences had drawn that went back: they take it again. */
  const drawnBefore = new Map<Sequence, Row>();
  let rows: Row[] = [];
  let [drawn, told] = [0, Date.now()];
  while (rows.length + queue.length > 0) {
    const beginning = queue.splice(0, countBeginning(options, rows, queue.length, completions));
    if (beginning.length > 0) rows.push(...(await caches.begin(beginning)));
    rows = putBackYoungest(caches, limits, rows, (row) => {
      queue.unshift(row.sequence);
      const before = drawnBefore.get(row.sequence);
      if ((before?.tokens.length ?? 0) < row.tokens.length) drawnBefore.set(row.sequence, row);
    });
    const { next, logprobs } = await caches.advance(
      rows,
      rows.map(({ sequence, tokens }) => uniformOf(sequence, tokens.length)),
      limits.states,
    );
    const pieces: Piece[] = [];
    rows = rows.filter((row, i) => {
      const at = row.tokens.length;
      const before = drawnBefore.get(row.sequence);
      const again = before !== undefined && at < before.tokens.length;
      const token = again ? before.tokens[at] : next[i];
      const logprob = again ? before.logprobs[at] : logprobs[i];
      row.tokens.push(token);
      row.logprobs.push(logprob);
      const { ask, sample } = row.sequence;
      if (!again) {
        drawn++;
        pieces.push({ ask, sample, tokens: [token], logprobs: [logprob] });
      }
      const stopped = settings.stop.includes(token);
      const going = !stopped && at + 1 < settings.maxTokens && watch?.isEnough(ask, sample) !== true;
      if (going) return true;
      caches.end(row);
      completions.set(row.sequence, {
        tokens: row.tokens,
        logprobs: row.logprobs,
        stopReason: stopped ? "stop" : "length",
      });
      return false;
    });
    watch?.tell(pieces);
    if (Date.now() - told > progressInterval || rows.length + queue.length === 0) {
      told = Date.now();
      const mostLeft = rows.reduce(
        (sum, { tokens }) => sum - tokens.length,
        settings.maxTokens * (rows.length + queue.length),
      );
      onProgress(completions.size, sequences.length, drawn, mostLeft);
    }
  }
  return sequences.map((sequence) => completions.get(sequence)!);
}

/** Rows at a time: where answers are short, more than are computed at once, for many of them are equal. */
function rowsOf({ rows, states }: GenerationLimits, { maxTokens }: SampleOptions): number {
  return maxTokens <= blockSize ? rows : Math.min(rows, states);
}

/** How many of the waiting sequences begin now: as many as there is room for, should they get as long as is expected. */
function countBeginning(
  { caches, settings, limits }: GenerationOptions,
  rows: readonly Row[],
  waiting: number,
  completions: ReadonlyMap<Sequence, Completion>,
): number {
  const places = Math.min(waiting, rowsOf(limits, settings) - rows.length);
  if (places === 0 || (rows.length > 0 && places < Math.min(beginTogether, waiting))) return 0;
  let sum = 0;
  for (const { tokens } of completions.values()) sum += tokens.length;
  const mean = completions.size === 0 ? firstExpectation : sum / completions.size;
  const expected = Math.ceil(Math.min(settings.maxTokens, mean) / blockSize) + caches.promptBlocks;
  const coming = rows.reduce((blocks, { state: { own, rows } }) => {
    return blocks + Math.max(0, expected - own.blocks.length / rows);
  }, 0);
  const affordable = Math.floor((limits.blocks - caches.blocks - coming) / expected);
  return Math.max(0, Math.min(places, Math.max(affordable, limits.fewestRows - rows.length)));
}

/** The rows that go on: those that have drawn least go back where blocks run short. */
function putBackYoungest(
  caches: RowCaches,
  { blocks, fewestRows }: GenerationLimits,
  rows: readonly Row[],
  wentBack: (row: Row) => void,
): Row[] {
  const going = [...rows];
  while (going.length > fewestRows && caches.blocks + caches.blocksToAdvance(going) > blocks) {
    let youngest = 0;
    for (const [i, { tokens }] of going.entries()) if (tokens.length <= going[youngest].tokens.length) youngest = i;
    const [row] = going.splice(youngest, 1);
    caches.putBack(row);
    wentBack(row);
  }
  return going;
}
