// One question and one step with everything that was recorded of them, and token by token where a tokenizer is at hand.
// What is too long to look at is cut, and how long it was is said.
import type { StepTiming } from "../events.ts";
import { allRows, firstRow } from "./database.ts";
import {
  type AnswerRow,
  answersTo,
  type Decode,
  idOf,
  type QuestionRow,
  questionColumns,
  questionRow,
  type Reader,
  type StoredQuestion,
} from "./queries.ts";
import { readAtOnce } from "./read-at-once.ts";
import { unpackTokens } from "./token-blob.ts";

/** A stretch of text with the log-probability of its tokens, in nats; null where it was not recorded. */
type TextPiece = readonly [text: string, logprob: number | null];

export interface TokenText {
  /** Empty pieces are tokens without text, such as the end token. */
  readonly pieces: readonly TextPiece[];
  readonly tokens: number;
  /** Tokens that `pieces` leave out at the end. */
  readonly left: number;
}

/** Text is shown up to this many tokens. */
export const shownTokens = 1500;

/**
 * Cuts tokens into pieces of text. A character may take several tokens; these are one piece, with the sum of their
 * log-probabilities.
 */
export function tokenText(
  tokens: readonly number[],
  logprobs: readonly number[] | null,
  decode: Decode,
  most = shownTokens,
): TokenText {
  const pieces: TextPiece[] = [];
  // As streaming decoders do: a few tokens before the new one are decoded with it, since joining may depend on them.
  const context = 4;
  let start = 0;
  let sum = 0;
  const shown = Math.min(tokens.length, most);
  for (let end = 1; end <= shown; end++) {
    sum += logprobs?.[end - 1] ?? 0;
    const from = Math.max(0, start - context);
    const before = decode(tokens.slice(from, start));
    const text = decode(tokens.slice(from, end));
    const whole = !text.endsWith("\ufffd") || end === shown || end - start >= 8;
    if (!whole) continue;
    const added = text.startsWith(before) ? text.slice(before.length) : decode(tokens.slice(start, end));
    pieces.push([added, logprobs === null ? null : sum]);
    start = end;
    sum = 0;
  }
  return { pieces, tokens: tokens.length, left: tokens.length - shown };
}

export interface AnswerView extends Omit<AnswerRow, "promptTokens" | "tokens" | "logprobs" | "prompt" | "text"> {
  /** Null without a tokenizer. */
  readonly text: TokenText | null;
}

/** What was put to the model: form 0 is the question itself, others are restatements. */
export interface FormView {
  readonly form: number;
  readonly prompt: TokenText | null;
  readonly answers: readonly AnswerView[];
}

export interface ProposalView {
  readonly position: number;
  readonly text: TokenText | null;
  readonly question: string | null;
  readonly difficulty: number | null;
  /** Why there is no question to solve: `kind: words of the topic`; null where there is one. */
  readonly refusal: string | null;
  readonly stopReason: "stop" | "length";
  readonly logprobSum: number;
  readonly reward: number;
  readonly advantage: number;
}

export interface QuestionView extends QuestionRow {
  /** The proposer's completion that the question was read from, and what it was given. */
  readonly proposal: ProposalView | null;
  readonly proposalPrompt: TokenText | null;
  readonly forms: readonly FormView[];
  /** Questions in its step. */
  readonly questionsInStep: number;
}

/** A question by its place; null where there is none. Throws UsageError for an unknown run. */
export function questionAt(
  reader: Reader,
  run: string,
  step: number,
  position: number,
  decode: Decode | null,
): QuestionView | null {
  const runId = idOf(reader, run);
  const row = readAtOnce(reader, () =>
    firstRow<StoredQuestion & { readonly proposal: number; readonly step_id: number }>(
      reader.database.prepare(
        `SELECT proposal, step_id, ${questionColumns} FROM questions
           WHERE run_id = ? AND step = ? AND superseded = 0 AND position = ?`,
      ),
      runId,
      step,
      position,
    ),
  );
  if (row === undefined) return null;
  const answers = answersTo(reader, run, step, position);
  const forms = [...new Set(answers.map(({ form }) => form))].sort((a, b) => a - b);
  const stored = storedProposals(reader, row.step_id, "AND position = ?", row.proposal)[0];
  const inStep = reader.database.prepare(
    "SELECT count(*) AS n FROM questions WHERE run_id = ? AND step = ? AND superseded = 0",
  );
  return {
    ...questionRow(row),
    proposal: stored === undefined ? null : proposalView(stored, decode),
    proposalPrompt:
      stored === undefined || decode === null ? null : tokenText(unpackTokens(stored.prompt), null, decode),
    forms: forms.map((form) => {
      const own = answers.filter((answer) => answer.form === form);
      return {
        form,
        prompt: decode === null ? null : tokenText(own[0].promptTokens, null, decode),
        answers: own.map(({ promptTokens: _, tokens, logprobs, ...answer }) => ({
          ...answer,
          text: decode === null ? null : tokenText(tokens, logprobs, decode),
        })),
      };
    }),
    questionsInStep: firstRow<{ n: number }>(inStep, runId, step)?.n ?? 0,
  };
}

interface StoredProposal {
  readonly position: number;
  readonly prompt: Uint8Array;
  readonly tokens: Uint8Array;
  readonly stop_reason: "stop" | "length";
  readonly logprob_sum: number;
  readonly reward: number;
  readonly advantage: number;
  readonly reason: string | null;
  readonly question: string | null;
  readonly difficulty: number | null;
}

function storedProposals(reader: Reader, stepId: number, condition: string, ...values: number[]): StoredProposal[] {
  return readAtOnce(reader, () =>
    allRows<StoredProposal>(
      reader.database.prepare(
        `SELECT position, prompt, tokens, stop_reason, logprob_sum, reward, advantage, reason, question, difficulty
           FROM proposals WHERE step_id = ? ${condition}`,
      ),
      stepId,
      ...values,
    ),
  );
}

function proposalView(row: StoredProposal, decode: Decode | null): ProposalView {
  return {
    position: row.position,
    text: decode === null ? null : tokenText(unpackTokens(row.tokens), null, decode),
    question: row.question,
    difficulty: row.difficulty,
    refusal: row.reason,
    stopReason: row.stop_reason,
    logprobSum: row.logprob_sum,
    reward: row.reward,
    advantage: row.advantage,
  };
}

export interface StepView {
  readonly step: number;
  readonly lastStep: number;
  readonly seconds: number;
  readonly timing: StepTiming | null;
  readonly metrics: Readonly<Record<string, number | null>>;
  /** The first questions and refused proposals; how many there are is said beside them. */
  readonly questions: readonly QuestionRow[];
  readonly questionCount: number;
  readonly refused: readonly ProposalView[];
  readonly refusedCount: number;
}

/** Questions, and refused proposals, of a step that are shown. */
const shownOfStep = 200;

/** A step with its questions and what became of the proposals that are none; null where there is no such step. */
export function stepAt(reader: Reader, run: string, step: number, decode: Decode | null): StepView | null {
  const runId = idOf(reader, run);
  return readAtOnce(reader, () => {
    const { database } = reader;
    const row = firstRow<{ id: number; seconds: number; timing: string | null; questions: number }>(
      database.prepare(
        "SELECT id, seconds, timing, questions FROM steps WHERE run_id = ? AND step = ? AND superseded = 0",
      ),
      runId,
      step,
    );
    if (row === undefined) return null;
    const metrics = database.prepare("SELECT name, value FROM metrics WHERE step_id = ? ORDER BY name");
    const questions = database.prepare(
      `SELECT ${questionColumns} FROM questions WHERE run_id = ? AND step = ? AND superseded = 0 ORDER BY position LIMIT ?`,
    );
    const last = database.prepare("SELECT max(step) AS n FROM steps WHERE run_id = ? AND superseded = 0");
    const refused = database.prepare("SELECT count(*) AS n FROM proposals WHERE step_id = ? AND reason IS NOT NULL");
    return {
      step,
      lastStep: firstRow<{ n: number }>(last, runId)?.n ?? step,
      seconds: row.seconds,
      timing: row.timing === null ? null : (JSON.parse(row.timing) as StepTiming),
      metrics: Object.fromEntries(
        allRows<{ name: string; value: number | null }>(metrics, row.id).map(({ name, value }) => [name, value]),
      ),
      questions: allRows<StoredQuestion>(questions, runId, step, shownOfStep).map(questionRow),
      questionCount: row.questions,
      refused: storedProposals(reader, row.id, `AND reason IS NOT NULL ORDER BY position LIMIT ${shownOfStep}`).map(
        (proposal) => proposalView(proposal, decode),
      ),
      refusedCount: firstRow<{ n: number }>(refused, row.id)?.n ?? 0,
    };
  });
}
