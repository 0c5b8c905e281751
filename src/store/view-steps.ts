// A run over its steps, as columns that pictures are drawn from: metrics, where the time went, the difficulty of the
// questions it asked, how far its answers agreed. Long runs are averaged into buckets of steps, so that what comes out
// has a bounded size. Reads steps and questions, never answers.
import { allRows, firstRow } from "./database.ts";
import { idOf, type Reader } from "./queries.ts";
import { readAtOnce } from "./read-at-once.ts";

/** One column: entry i belongs to the i-th bucket; null where nothing was measured, or it was not a number. */
export type Column = readonly (number | null)[];

export interface StepColumns {
  /** Steps in a bucket; 1 where every step is shown. Values are means over the bucket. */
  readonly every: number;
  /** The first step of each bucket. */
  readonly steps: readonly number[];
  readonly metrics: Readonly<Record<string, Column>>;
  /** Counts of the step's row and its wall-clock seconds. */
  readonly counts: Readonly<Record<"proposals" | "questions" | "answers" | "trained" | "seconds", Column>>;
  /** Seconds by stage; empty for runs that older versions recorded. */
  readonly stages: Readonly<Record<string, Column>>;
  readonly memoryBytes: Column;
}

export interface StepSelection {
  readonly from?: number;
  readonly points?: number;
  /** Only these metrics. */
  readonly names?: readonly string[];
}

/**
 * The run's steps from `from` on, in at most about `points` buckets over the whole run. Throws UsageError for an unknown
 * run.
 */
export function stepColumns(
  reader: Reader,
  run: string,
  { from = 1, points = 1500, names }: StepSelection = {},
): StepColumns {
  const runId = idOf(reader, run);
  return readAtOnce(reader, () => {
    const every = Math.max(1, Math.ceil(lastStep(reader, runId) / points));
    const bucket = `(step - 1) / ${every}`;
    const rows = allRows<Record<keyof StepColumns["counts"] | "bucket" | "memory", number | null> & StageRow>(
      reader.database.prepare(
        `SELECT ${bucket} AS bucket, avg(proposals) AS proposals, avg(questions) AS questions, avg(answers) AS answers,
           avg(trained) AS trained, avg(seconds) AS seconds,
           avg(timing ->> 'memoryBytes') AS memory, json_group_array(json(timing -> 'stages')) AS stages
         FROM steps WHERE run_id = ? AND superseded = 0 AND step >= ? GROUP BY 1 ORDER BY 1`,
      ),
      runId,
      from,
    );
    const places = new Map(rows.map((row, index) => [row.bucket, index]));
    const metrics: Record<string, (number | null)[]> = {};
    const values = allRows<{ name: string; bucket: number; value: number | null }>(
      reader.database.prepare(
        `SELECT name, ${bucket} AS bucket, avg(value) AS value FROM steps JOIN metrics ON metrics.step_id = steps.id
           WHERE run_id = ? AND superseded = 0 AND step >= ? AND (? IS NULL OR name IN (SELECT value FROM json_each(?)))
           GROUP BY 1, 2`,
      ),
      runId,
      from,
      ...[names === undefined ? null : 1, JSON.stringify(names ?? [])],
    );
    for (const { name, bucket, value } of values) {
      metrics[name] ??= rows.map(() => null);
      // Infinities have no JSON; what is not a number is shown as a gap, and said by the run's anomalies.
      metrics[name][places.get(bucket)!] = finite(value);
    }
    const column = (name: keyof StepColumns["counts"] | "memory"): Column => rows.map((row) => finite(row[name]));
    const counts = { proposals: 0, questions: 0, answers: 0, trained: 0, seconds: 0 };
    return {
      every,
      steps: rows.map((row) => (row.bucket ?? 0) * every + 1),
      metrics,
      counts: Object.fromEntries(
        Object.keys(counts).map((name) => [name, column(name as keyof typeof counts)]),
      ) as StepColumns["counts"],
      stages: stageColumns(rows),
      memoryBytes: column("memory"),
    };
  });
}

interface StageRow {
  readonly stages: string;
}

/** Means of each stage's seconds over the steps of a bucket. */
function stageColumns(rows: readonly StageRow[]): Record<string, Column> {
  const perBucket = rows.map(({ stages }) =>
    (JSON.parse(stages) as (Record<string, number> | null)[]).filter((one) => one !== null),
  );
  const names = new Set(perBucket.flat().flatMap((one) => Object.keys(one)));
  const mean = (values: readonly number[]): number | null =>
    values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  return Object.fromEntries(
    [...names].map((name) => [name, perBucket.map((ones) => mean(ones.flatMap((one) => one[name] ?? [])))]),
  );
}

function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}

function lastStep(reader: Reader, runId: number): number {
  const row = firstRow<{ step: number | null }>(
    reader.database.prepare("SELECT max(step) AS step FROM steps WHERE run_id = ? AND superseded = 0"),
    runId,
  );
  return row?.step ?? 0;
}

/** Questions of a run counted by when they were asked and where they lie on a scale. */
export interface QuestionGrid {
  /** First and last step of each column. */
  readonly columns: readonly (readonly [from: number, to: number])[];
  /** Least and greatest value of each row, lowest first; equal where the row is one value. */
  readonly rows: readonly (readonly [low: number, high: number])[];
  /** Cells that are not empty. */
  readonly cells: readonly GridCell[];
}

interface GridCell {
  readonly column: number;
  readonly row: number;
  readonly questions: number;
  /** Questions whose group taught something. */
  readonly trained: number;
  /** Mean over its questions. */
  readonly agreement: number;
  /** Groups with a label that the hidden checker has judged, and how many of these labels are right. */
  readonly labelled: number;
  readonly right: number;
  /** Mean share of right answers; null where nobody knows. */
  readonly accuracy: number | null;
}

/** Scales on which questions are counted. */
export type GridScale = "difficulty" | "solveRate";

/** Rows of a grid over a scale with more values than this are ranges. */
const mostRows = 20;

/**
 * The run's questions by step and difficulty, or by step and solve rate: the leading answer's share of the votes, or the
 * mean share of tests passed. Throws UsageError for an unknown run.
 */
export function questionGrid(reader: Reader, run: string, scale: GridScale, columns = 60): QuestionGrid {
  const runId = idOf(reader, run);
  return readAtOnce(reader, () => {
    const last = lastStep(reader, runId);
    const every = Math.max(1, Math.ceil(last / columns));
    const value = scale === "difficulty" ? "difficulty" : solveRate(reader, runId);
    const rows = scale === "difficulty" ? difficultyRows(reader, runId) : tenths;
    const [low, width] = [rows[0]?.[0] ?? 0, rows.length < 2 ? 1 : rows[1][0] - rows[0][0]];
    // With one row a value, rows are looked up by their value; with ranges, by arithmetic.
    const ranges = rows.some(([from, to]) => from !== to);
    const row = ranges
      ? `min(${rows.length - 1}, max(0, CAST((${value} - ${low}) / ${width} + 1e-9 AS INTEGER)))`
      : value;
    const found = allRows<GridCell & { readonly place: number }>(
      reader.database.prepare(
        `SELECT (step - 1) / ${every} AS "column", ${row} AS place, count(*) AS questions, sum(signal = 'trained') AS trained,
           avg(agreement) AS agreement, count(label_right) AS labelled, coalesce(sum(label_right), 0) AS "right",
           avg(accuracy) AS accuracy
         FROM questions WHERE run_id = ? AND superseded = 0 GROUP BY 1, 2`,
      ),
      runId,
    );
    const places = new Map(rows.map(([from], index) => [from, index]));
    return {
      columns: Array.from({ length: Math.ceil(last / every) }, (_, i) => [
        i * every + 1,
        Math.min(last, (i + 1) * every),
      ]),
      rows,
      cells: found.map(({ place, ...cell }) => ({ ...cell, row: ranges ? place : places.get(place)! })),
    };
  });
}

const tenths = Array.from({ length: 10 }, (_, i): readonly [number, number] => [i / 10, (i + 1) / 10]);

function difficultyRows(reader: Reader, runId: number): (readonly [number, number])[] {
  const values = allRows<{ difficulty: number }>(
    reader.database.prepare(
      "SELECT DISTINCT difficulty FROM questions WHERE run_id = ? AND superseded = 0 ORDER BY difficulty",
    ),
    runId,
  ).map(({ difficulty }) => difficulty);
  if (values.length <= mostRows) return values.map((value) => [value, value]);
  const [low, high] = [values[0], values.at(-1)!];
  const width = (high - low) / mostRows;
  return Array.from({ length: mostRows }, (_, i) => [low + i * width, low + (i + 1) * width]);
}

/** SQL for the share of a group's answers that solve its question. */
function solveRate(reader: Reader, runId: number): string {
  const first = firstRow<{ kind: string }>(
    reader.database.prepare(
      "SELECT verdict ->> 'kind' AS kind FROM questions WHERE run_id = ? AND superseded = 0 ORDER BY step LIMIT 1",
    ),
    runId,
  );
  // For a vote the column says it, and reading verdicts takes time.
  if (first?.kind !== "tests") return "agreement";
  return "coalesce(verdict ->> 'successRate', verdict ->> 'meanPassFraction', agreement)";
}
