// Read-only questions to a workspace, for the command line and a dashboard: plain data out, superseded rows never in it.
// Safe beside a process that writes. What a run added up to comes from counts that its steps carry, so that nothing here
// visits answers but `answersTo`. Comparing two runs is in diff-runs.ts, writing tables to files in export.ts.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { UsageError } from "../errors.ts";
import type { GroupSignal, LevelResult, Question, Verdict } from "../types.ts";
import { allRows, firstRow, openDatabaseForReading } from "./database.ts";
import { readAtOnce } from "./read-at-once.ts";
import { readEvaluations, readQuestion, readVerdict } from "./read-rows.ts";
import type { RunInfo } from "./store.ts";
import { unpackLogprobs, unpackTokens } from "./token-blob.ts";
import { findRun, readRuns } from "./workspace.ts";

/** Turns token ids into text; the tokenizer is in the run's checkpoints, which the store does not open. */
export type Decode = (tokens: readonly number[]) => string;

/** A workspace opened for reading. Dispose it when done. */
export interface Reader extends Disposable {
  readonly folder: string;
  readonly path: string;
  readonly database: DatabaseSync;
}

/** Opens a workspace for reading. Throws UsageError where there is none, FileFormatError for a damaged or newer database. */
export function openReader(folder: string): Reader {
  const path = join(resolve(folder), "sqlm.db");
  if (!existsSync(path)) {
    throw new UsageError(`${folder}: there is no workspace here.`, "`sqlm run` makes one; --workspace names another.");
  }
  const database = openDatabaseForReading(path);
  return { folder: resolve(folder), path, database, [Symbol.dispose]: () => database.close() };
}

/** All runs, oldest first. */
export function listRuns(reader: Reader): readonly RunInfo[] {
  return readAtOnce(reader, () => readRuns(reader.database, reader.folder));
}

/** One run. Throws UsageError, naming the nearest, when there is none of this name. */
export function runInfo(reader: Reader, run: string): RunInfo {
  const [found] = readAtOnce(reader, () => readRuns(reader.database, reader.folder, run));
  // All of them are read only to name the nearest.
  return found ?? findRun(listRuns(reader), run);
}

export interface RunOverview extends RunInfo {
  /** Sums over the run's steps; `seconds` is the time that its steps took. */
  readonly totals: {
    readonly steps: number;
    readonly proposals: number;
    readonly questions: number;
    readonly answers: number;
    readonly trained: number;
    readonly seconds: number;
  };
  readonly metricNames: readonly string[];
  readonly evaluations: readonly { readonly step: number; readonly levels: readonly LevelResult[] }[];
  /** Checkpoints that are on the disk; absolute folders. */
  readonly checkpoints: readonly { readonly step: number; readonly folder: string; readonly bytes: number }[];
  readonly guardEvents: readonly {
    readonly step: number;
    readonly detector: string;
    readonly action: string;
    readonly message: string;
  }[];
  readonly anomalies: readonly { readonly step: number; readonly kind: string; readonly message: string }[];
  /** Steps that were done, then done again after the run had been killed. */
  readonly supersededSteps: number;
}

/** Everything about a run but its questions. */
export function runOverview(reader: Reader, run: string): RunOverview {
  return readAtOnce(reader, () => {
    const { database } = reader;
    const info = runInfo(reader, run);
    const { trial, sources, created, status, lastStep } = info;
    const runId = idOf(reader, info.run);
    const totals = firstRow<RunOverview["totals"]>(
      database.prepare(
        `SELECT count(*) AS steps, coalesce(sum(proposals), 0) AS proposals, coalesce(sum(questions), 0) AS questions,
           coalesce(sum(answers), 0) AS answers, coalesce(sum(trained), 0) AS trained, coalesce(sum(seconds), 0) AS seconds
         FROM steps WHERE run_id = ? AND superseded = 0`,
      ),
      runId,
    )!;
    const names = database.prepare(
      `SELECT DISTINCT name FROM steps JOIN metrics ON metrics.step_id = steps.id
         WHERE run_id = ? AND superseded = 0 ORDER BY name`,
    );
    const checkpoints = database.prepare(
      "SELECT step, folder, bytes FROM checkpoints WHERE run_id = ? AND superseded = 0 AND removed = 0 ORDER BY step",
    );
    const guard = database.prepare(
      "SELECT step, detector, action, message FROM guard_events WHERE run_id = ? AND superseded = 0 ORDER BY id",
    );
    const anomalies = database.prepare(
      "SELECT step, kind, message FROM anomalies WHERE run_id = ? AND superseded = 0 ORDER BY id",
    );
    const superseded = database.prepare("SELECT count(*) AS n FROM steps WHERE run_id = ? AND superseded = 1");
    return {
      run: info.run,
      trial,
      sources,
      created,
      status,
      lastStep,
      get config() {
        return info.config;
      },
      totals: { ...totals },
      metricNames: allRows<{ name: string }>(names, runId).map((row) => row.name),
      evaluations: readEvaluations(database, runId),
      checkpoints: allRows<{ step: number; folder: string; bytes: number }>(checkpoints, runId).map((row) => ({
        ...row,
        folder: join(reader.folder, row.folder),
      })),
      guardEvents: allRows<RunOverview["guardEvents"][number]>(guard, runId).map((row) => ({ ...row })),
      anomalies: allRows<RunOverview["anomalies"][number]>(anomalies, runId).map((row) => ({ ...row })),
      supersededSteps: firstRow<{ n: number }>(superseded, runId)?.n ?? 0,
    };
  });
}

export interface MetricSeries {
  readonly name: string;
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/** Metrics of a run over its steps, by name; all of them, or those named. */
export function metricSeries(reader: Reader, run: string, names?: readonly string[]): readonly MetricSeries[] {
  return readAtOnce(reader, () => {
    const rows = allRows<{ name: string; step: number; value: number | null }>(
      reader.database.prepare(
        `SELECT name, step, value FROM steps JOIN metrics ON metrics.step_id = steps.id
           WHERE run_id = ? AND superseded = 0 AND (? IS NULL OR name IN (SELECT value FROM json_each(?)))
           ORDER BY name, step`,
      ),
      idOf(reader, run),
      ...[names === undefined ? null : 1, JSON.stringify(names ?? [])],
    );
    const series: { name: string; steps: number[]; values: number[] }[] = [];
    for (const { name, step, value } of rows) {
      if (series.at(-1)?.name !== name) series.push({ name, steps: [], values: [] });
      series.at(-1)?.steps.push(step);
      series.at(-1)?.values.push(value ?? Number.NaN);
    }
    return series;
  });
}

export interface QuestionFilter {
  readonly fromStep?: number;
  readonly toStep?: number;
  readonly minAgreement?: number;
  readonly maxAgreement?: number;
  readonly minDifficulty?: number;
  readonly maxDifficulty?: number;
  /** What came of the vote or the tests. */
  readonly signals?: readonly GroupSignal[];
  /** Whether the winning answer was right, as the hidden checker knows. */
  readonly labelRight?: boolean;
  /** Part of the question's text. */
  readonly text?: string;
  readonly orderBy?: "step" | "agreement" | "difficulty" | "taught";
  readonly descending?: boolean;
  /** Questions to return, 20 where not given. */
  readonly limit?: number;
  readonly offset?: number;
}

export interface QuestionRow {
  readonly step: number;
  /** Position in its step; names the question together with `step`. */
  readonly position: number;
  readonly question: Question;
  readonly agreement: number;
  readonly winner: string | null;
  readonly signal: GroupSignal;
  readonly proposerReward: number;
  readonly labelRight: boolean | null;
  readonly accuracy: number | null;
  /** Sum of the sizes of its answers' advantages: how much there was to learn from it. */
  readonly taught: number;
  readonly verdict: Verdict;
}

/** One page of a run's questions, and how many there are on all pages. */
export function findQuestions(
  reader: Reader,
  run: string,
  filter: QuestionFilter = {},
): { readonly total: number; readonly questions: readonly QuestionRow[] } {
  const conditions = ["run_id = ?", "superseded = 0"];
  const values: SQLInputValue[] = [idOf(reader, run)];
  const where = (condition: string, value: SQLInputValue | undefined): void => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  where("step >= ?", filter.fromStep);
  where("step <= ?", filter.toStep);
  where("agreement >= ?", filter.minAgreement);
  where("agreement <= ?", filter.maxAgreement);
  where("difficulty >= ?", filter.minDifficulty);
  where("difficulty <= ?", filter.maxDifficulty);
  where("signal IN (SELECT value FROM json_each(?))", filter.signals && JSON.stringify(filter.signals));
  where("label_right = ?", filter.labelRight === undefined ? undefined : Number(filter.labelRight));
  where("instr(question, ?) > 0", filter.text);
  const order = { step: "", agreement: "agreement", difficulty: "difficulty", taught: "taught" }[
    filter.orderBy ?? "step"
  ];
  const direction = filter.descending === true ? "DESC" : "ASC";
  const sort = [order, "step", "position"].filter((column) => column !== "").map((column) => `${column} ${direction}`);
  return readAtOnce(reader, () => {
    const from = `FROM questions WHERE ${conditions.join(" AND ")}`;
    const total = firstRow<{ n: number }>(reader.database.prepare(`SELECT count(*) AS n ${from}`), ...values)?.n ?? 0;
    const page = reader.database.prepare(
      // Texts and verdicts are read of the rows of the page alone, not of all that are sorted.
      `SELECT ${questionColumns} FROM (SELECT id AS found ${from} ORDER BY ${sort.join(", ")} LIMIT ? OFFSET ?)
         JOIN questions ON id = found ORDER BY ${sort.join(", ")}`,
    );
    const rows = allRows<StoredQuestion>(page, ...values, filter.limit ?? 20, filter.offset ?? 0);
    return { total, questions: rows.map(questionRow) };
  });
}

/** Columns of `questions` that `questionRow` reads. */
export const questionColumns = `step, position, question, key, difficulty, tests, agreement, winner, signal,
  proposer_reward, label_right, accuracy, taught, verdict`;

export interface StoredQuestion {
  readonly step: number;
  readonly position: number;
  readonly question: string;
  readonly key: string;
  readonly difficulty: number;
  readonly tests: string | null;
  readonly agreement: number;
  readonly winner: string | null;
  readonly signal: GroupSignal;
  readonly proposer_reward: number;
  readonly label_right: number | null;
  readonly accuracy: number | null;
  readonly taught: number | null;
  readonly verdict: string;
}

/** A question with what came of it, from its row. */
export function questionRow(row: StoredQuestion): QuestionRow {
  return {
    step: row.step,
    position: row.position,
    question: readQuestion(row.question, row.key, row.difficulty, row.tests),
    agreement: row.agreement,
    winner: row.winner,
    signal: row.signal,
    proposerReward: row.proposer_reward,
    labelRight: row.label_right === null ? null : row.label_right === 1,
    accuracy: row.accuracy,
    taught: row.taught ?? 0,
    verdict: readVerdict(row.verdict),
  };
}

export interface AnswerRow {
  readonly position: number;
  readonly form: number;
  readonly promptTokens: readonly number[];
  readonly tokens: readonly number[];
  /** Only where `decode` was given. */
  readonly prompt?: string;
  readonly text?: string;
  readonly stopReason: "stop" | "length";
  /** Log-probability of the whole answer, and of its least likely token, in nats. */
  readonly logprobSum: number;
  readonly logprobMin: number;
  /** Of each token, rounded (see packLogprobs); null in runs that older versions recorded. */
  readonly logprobs: readonly number[] | null;
  readonly value: string | null;
  readonly reason: string | null;
  readonly reward: number;
  readonly advantage: number;
}

/** All answers to the question at this position of a step. */
export function answersTo(
  reader: Reader,
  run: string,
  step: number,
  position: number,
  decode?: Decode,
): readonly AnswerRow[] {
  const runId = idOf(reader, run);
  return readAtOnce(reader, () =>
    allRows<StoredAnswer>(
      reader.database.prepare(
        `SELECT answers.position, answers.form, prompts.tokens AS prompt, answers.tokens, stop_reason AS stopReason,
           logprob_sum AS logprobSum, logprob_min AS logprobMin, answers.logprobs, value, reason, reward, advantage
         FROM questions JOIN answers ON answers.question_id = questions.id
           JOIN prompts ON prompts.question_id = questions.id AND prompts.form = answers.form
         WHERE run_id = ? AND step = ? AND superseded = 0 AND questions.position = ? ORDER BY answers.position`,
      ),
      runId,
      step,
      position,
    ).map(({ prompt, tokens, logprobs, ...row }) => {
      const promptTokens = unpackTokens(prompt);
      const ids = unpackTokens(tokens);
      const texts = decode === undefined ? {} : { prompt: decode(promptTokens), text: decode(ids) };
      return { ...row, promptTokens, tokens: ids, logprobs: logprobs && unpackLogprobs(logprobs), ...texts };
    }),
  );
}

interface StoredAnswer extends Omit<AnswerRow, "promptTokens" | "tokens" | "logprobs" | "prompt" | "text"> {
  readonly prompt: Uint8Array;
  readonly tokens: Uint8Array;
  readonly logprobs: Uint8Array | null;
}

/** Keys of the questions that the run asked, of all its steps. */
export function askedKeys(reader: Reader, run: string): ReadonlySet<string> {
  const id = idOf(reader, run);
  const query = "SELECT DISTINCT key FROM questions WHERE run_id = ?";
  const rows = readAtOnce(reader, () => allRows<{ key: string }>(reader.database.prepare(query), id));
  return new Set(rows.map(({ key }) => key));
}

/** The run's id in this database. Throws UsageError, naming the nearest, when there is none of this name. */
export function idOf(reader: Reader, run: string): number {
  const row = readAtOnce(reader, () =>
    firstRow<{ id: number }>(reader.database.prepare("SELECT id FROM runs WHERE name = ?"), run),
  );
  return row?.id ?? idOf(reader, runInfo(reader, run).run);
}
