// The list of runs as a dashboard shows it: a page at a time, so that ten thousand runs cost no more than fifty. Reads
// what runs recorded of themselves; leaves what one run did, but for how it stands, to view-steps.ts and view-question.ts.
import { join } from "node:path";
import type { SQLInputValue } from "node:sqlite";
import type { LevelResult } from "../types.ts";
import { allRows, firstRow } from "./database.ts";
import { idOf, type Reader, type RunOverview, runOverview } from "./queries.ts";
import { readAtOnce } from "./read-at-once.ts";
import { readTrial, type TrialColumns } from "./read-rows.ts";
import { isRunLocked } from "./run-lock.ts";
import type { RunInfo, RunTrial } from "./store.ts";

export interface RunSearch {
  /** Part of the name, topic, experiment or variant, whatever its case. */
  readonly text?: string;
  /** All runs of an experiment. */
  readonly experiment?: string;
  readonly limit?: number;
  readonly offset?: number;
}

export interface RunRow {
  readonly run: string;
  readonly topic: string;
  readonly model: string;
  readonly seed: number;
  readonly trial: RunTrial | null;
  readonly created: string;
  readonly status: RunInfo["status"];
  readonly lastStep: number;
  readonly steps: number;
  /** First and last evaluation; equal where there is one only, null where there is none. */
  readonly before: EvaluatedStep | null;
  readonly after: EvaluatedStep | null;
  /** Some of the metrics, at the last step that has them. */
  readonly last: Readonly<Record<string, number>>;
  /** Values of `curveOf` over the steps, at most about 40 of them. */
  readonly curve: readonly number[];
  /** What `curve` shows: whether votes are right where that is known, else how far they agree. */
  readonly curveOf: "labelAccuracy" | "agreement";
}

interface EvaluatedStep {
  readonly step: number;
  readonly levels: readonly Pick<LevelResult, "difficulty" | "passAt1">[];
}

interface StoredRun extends TrialColumns {
  readonly id: number;
  readonly name: string;
  readonly topic: string | null;
  readonly model: string | null;
  readonly seed: number | null;
  readonly steps: number | null;
  readonly created: string;
  readonly status: RunInfo["status"];
  readonly last_step: number;
}

/** SQL of a recorded setting; null where the settings are not even JSON. */
const setting = (key: string): string => `CASE WHEN json_valid(config) THEN config ->> '${key}' END`;

/** One page of the workspace's runs, newest first, and how many there are on all pages. */
export function findRuns(
  reader: Reader,
  search: RunSearch = {},
): { readonly total: number; readonly runs: readonly RunRow[] } {
  const conditions = ["1"];
  const values: SQLInputValue[] = [];
  if (search.text !== undefined && search.text !== "") {
    conditions.push(
      `instr(lower(name || ' ' || coalesce(${setting("topic")}, '') || ' ' || coalesce(experiment, '') || ' ' ||
         coalesce(variant, '') || ' ' || coalesce(control, '')), lower(?)) > 0`,
    );
    values.push(search.text);
  }
  if (search.experiment !== undefined) {
    conditions.push("experiment = ?");
    values.push(search.experiment);
  }
  return readAtOnce(reader, () => {
    const where = `FROM runs WHERE ${conditions.join(" AND ")}`;
    const total = firstRow<{ n: number }>(reader.database.prepare(`SELECT count(*) AS n ${where}`), ...values)?.n ?? 0;
    const page = reader.database.prepare(
      `SELECT id, name, ${setting("topic")} AS topic, ${setting("model")} AS model, ${setting("seed")} AS seed,
         ${setting("steps")} AS steps, created, status, last_step, experiment, variant, control
       ${where} ORDER BY id DESC LIMIT ? OFFSET ?`,
    );
    const rows = allRows<StoredRun>(page, ...values, search.limit ?? 50, search.offset ?? 0);
    return { total, runs: rows.map((row) => runRow(reader, row)) };
  });
}

function runRow(reader: Reader, row: StoredRun): RunRow {
  const running = row.status === "running";
  const last = lastMetrics(reader, row.id);
  const curveOf = "labelAccuracy" in last ? "labelAccuracy" : "agreement";
  return {
    run: row.name,
    topic: row.topic ?? "",
    model: row.model ?? "",
    seed: row.seed ?? 0,
    trial: readTrial(row),
    created: row.created,
    // A run that says it is running while no process has it open was killed.
    status: running && !isRunLocked(join(reader.folder, "runs", row.name)) ? "crashed" : row.status,
    lastStep: row.last_step,
    steps: row.steps ?? 0,
    before: evaluatedStep(reader, row.id, "min"),
    after: evaluatedStep(reader, row.id, "max"),
    last,
    curve: curve(reader, row, curveOf),
    curveOf,
  };
}

function evaluatedStep(reader: Reader, runId: number, which: "min" | "max"): EvaluatedStep | null {
  const rows = allRows<{ step: number; difficulty: number; passAt1: number }>(
    reader.database.prepare(
      `SELECT step, difficulty, pass_at_1 AS passAt1 FROM evaluations WHERE run_id = ?1 AND superseded = 0
         AND step = (SELECT ${which}(step) FROM evaluations WHERE run_id = ?1 AND superseded = 0) ORDER BY difficulty`,
    ),
    runId,
  );
  if (rows.length === 0) return null;
  return { step: rows[0].step, levels: rows.map(({ difficulty, passAt1 }) => ({ difficulty, passAt1 })) };
}

function lastMetrics(reader: Reader, runId: number): Record<string, number> {
  const rows = allRows<{ name: string; value: number }>(
    reader.database.prepare(
      `SELECT name, value FROM metrics WHERE value IS NOT NULL AND name IN ('agreement', 'labelAccuracy', 'difficulty')
         AND step_id = (SELECT id FROM steps WHERE run_id = ? AND superseded = 0 ORDER BY step DESC LIMIT 1)`,
    ),
    runId,
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

function curve(reader: Reader, { id, last_step }: StoredRun, metric: string): number[] {
  const every = Math.max(1, Math.ceil(last_step / 40));
  const rows = allRows<{ value: number }>(
    reader.database.prepare(
      `SELECT value FROM steps JOIN metrics ON metrics.step_id = steps.id AND name = ?
         WHERE run_id = ? AND superseded = 0 AND step % ? = 0 AND value IS NOT NULL ORDER BY step`,
    ),
    metric,
    id,
    every,
  );
  return rows.map(({ value }) => value);
}

export interface ExperimentRow {
  readonly experiment: string;
  readonly runs: number;
  readonly variants: readonly { readonly variant: string; readonly control: string | null; readonly runs: number }[];
}

/** The experiments that runs of this workspace are trials of, newest first. */
export function findExperiments(reader: Reader): readonly ExperimentRow[] {
  const rows = readAtOnce(reader, () =>
    allRows<{ experiment: string; variant: string; control: string | null; runs: number }>(
      reader.database.prepare(
        `SELECT experiment, variant, control, count(*) AS runs FROM runs WHERE experiment IS NOT NULL
           GROUP BY experiment, variant, control ORDER BY max(id) OVER (PARTITION BY experiment) DESC, min(id)`,
      ),
    ),
  );
  const experiments = new Map<string, { experiment: string; runs: number; variants: ExperimentRow["variants"] }>();
  for (const { experiment, ...variant } of rows) {
    const known = experiments.get(experiment) ?? { experiment, runs: 0, variants: [] };
    known.runs += variant.runs;
    known.variants = [...known.variants, variant];
    experiments.set(experiment, known);
  }
  return [...experiments.values()];
}

/** How a run stands: its overview, how it ended, and whether it knows the truth. */
export interface RunState extends RunOverview {
  /** The latest event of the run; what is newer than this has not been read. */
  readonly lastEvent: number;
  /** Why it ended, in its own words; null while it goes on, and where it did not say. */
  readonly ended: { readonly reason: string; readonly message: string | null } | null;
  /** Steps after which it was gone on with. */
  readonly resumedAt: readonly number[];
  /** True where a hidden checker judged answers, so that votes can be compared with the truth. */
  readonly knowsTruth: boolean;
}

/** Throws UsageError for an unknown run. */
export function runState(reader: Reader, run: string): RunState {
  return readAtOnce(reader, () => {
    const { database } = reader;
    const overview = runOverview(reader, run);
    const runId = idOf(reader, run);
    const last = database.prepare("SELECT max(id) AS id FROM events WHERE run_id = ? AND superseded = 0");
    const events = allRows<{ type: string; step: number; json: string }>(
      database.prepare(
        `SELECT type, step, json FROM events
           WHERE run_id = ? AND superseded = 0 AND type IN ('run-start', 'run-end') ORDER BY id`,
      ),
      runId,
    );
    const end = events.at(-1)?.type === "run-end" ? events.at(-1) : undefined;
    const { reason, message } = (end === undefined ? {} : JSON.parse(end.json)) as {
      reason?: string;
      message?: string;
    };
    return {
      ...overview,
      lastEvent: firstRow<{ id: number | null }>(last, runId)?.id ?? 0,
      ended: reason === undefined ? null : { reason, message: message ?? null },
      resumedAt: events.filter(({ type, step }) => type === "run-start" && step > 0).map(({ step }) => step),
      knowsTruth: knowsTruth(overview),
    };
  });
}

/** Whether a hidden checker judged the run's own answers. An eval file says nothing of those. */
export function knowsTruth({ evaluations, config, metricNames }: RunOverview): boolean {
  return (
    (evaluations.length > 0 && config.evalFile === "none") ||
    metricNames.some((name) => ["labelAccuracy", "accuracy"].includes(name))
  );
}
