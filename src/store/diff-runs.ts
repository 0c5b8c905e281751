// What differs between two runs of a workspace: their configs, what evaluation says of them, their metrics.
import type { LevelResult } from "../types.ts";
import { allRows, firstRow } from "./database.ts";
import { idOf, type Reader, runInfo } from "./queries.ts";
import { readAtOnce } from "./read-at-once.ts";
import { readEvaluations } from "./read-rows.ts";

export interface RunDiff {
  readonly a: string;
  readonly b: string;
  /** Config keys whose values differ; a key that only one run has is null in the other. */
  readonly config: readonly { readonly key: string; readonly a: unknown; readonly b: unknown }[];
  /** What differs in what they were made for: experiment, variant, control; null in a run that has none. */
  readonly trial: readonly {
    readonly key: "experiment" | "variant" | "control";
    readonly a: string | null;
    readonly b: string | null;
  }[];
  /** Levels of the last evaluation of each; null where a run has none of that difficulty. */
  readonly evaluations: readonly {
    readonly difficulty: number;
    readonly a: LevelResult | null;
    readonly b: LevelResult | null;
  }[];
  /** The evaluated steps that `evaluations` compares. */
  readonly evaluatedSteps: { readonly a: number | null; readonly b: number | null };
  /** Means over the steps that both runs have; null where a run does not have the metric. */
  readonly metrics: readonly { readonly name: string; readonly a: number | null; readonly b: number | null }[];
  /** Steps that both runs have. */
  readonly commonSteps: number;
  /** First step with another question, answer count, winner or metric (wall-clock aside); null when none differs. */
  readonly firstDifference: number | null;
}

/** Compares two runs. Throws UsageError for an unknown one. */
export function diffRuns(reader: Reader, a: string, b: string): RunDiff {
  return readAtOnce(reader, () => {
    const { database } = reader;
    const [infoA, infoB] = [runInfo(reader, a), runInfo(reader, b)];
    const [configA, configB] = [infoA, infoB].map(({ config }) => config as unknown as Record<string, unknown>);
    const [idA, idB] = [idOf(reader, a), idOf(reader, b)];
    const keys = [...new Set([...Object.keys(configA), ...Object.keys(configB)])];
    const lastA = readEvaluations(database, idA).at(-1);
    const lastB = readEvaluations(database, idB).at(-1);
    const difficulties = [...(lastA?.levels ?? []), ...(lastB?.levels ?? [])].map((level) => level.difficulty);
    const levelOf = (levels: readonly LevelResult[] | undefined, difficulty: number): LevelResult | null =>
      levels?.find((level) => level.difficulty === difficulty) ?? null;
    const commonSteps =
      firstRow<{ n: number }>(
        database.prepare(
          `SELECT count(*) AS n FROM steps AS a JOIN steps AS b ON b.run_id = ? AND b.superseded = 0 AND b.step = a.step
             WHERE a.run_id = ? AND a.superseded = 0`,
        ),
        idB,
        idA,
      )?.n ?? 0;
    return {
      a,
      b,
      config: keys
        .filter((key) => JSON.stringify(configA[key]) !== JSON.stringify(configB[key]))
        .map((key) => ({ key, a: configA[key] ?? null, b: configB[key] ?? null })),
      trial: (["experiment", "variant", "control"] as const)
        .map((key) => ({ key, a: infoA.trial?.[key] ?? null, b: infoB.trial?.[key] ?? null }))
        .filter((row) => row.a !== row.b),
      evaluatedSteps: { a: lastA?.step ?? null, b: lastB?.step ?? null },
      evaluations: [...new Set(difficulties)]
        .sort((x, y) => x - y)
        .map((difficulty) => ({
          difficulty,
          a: levelOf(lastA?.levels, difficulty),
          b: levelOf(lastB?.levels, difficulty),
        })),
      metrics: compareMetrics(reader, idA, idB, commonSteps),
      commonSteps,
      // A run does not differ from itself; the query pairs the rows of two.
      firstDifference: idA === idB ? null : firstDifference(reader, idA, idB),
    };
  });
}

function compareMetrics(reader: Reader, a: number, b: number, commonSteps: number): RunDiff["metrics"] {
  const means = (runId: number): Map<string, number> => {
    const rows = allRows<{ name: string; mean: number | null }>(
      reader.database.prepare(
        `SELECT name, avg(value) AS mean FROM steps JOIN metrics ON metrics.step_id = steps.id
           WHERE run_id = ? AND superseded = 0 AND step <= ? GROUP BY name`,
      ),
      runId,
      commonSteps,
    );
    return new Map(rows.map((row) => [row.name, row.mean ?? Number.NaN]));
  };
  const [meansA, meansB] = [means(a), means(b)];
  return [...new Set([...meansA.keys(), ...meansB.keys()])]
    .sort()
    .map((name) => ({ name, a: meansA.get(name) ?? null, b: meansB.get(name) ?? null }));
}

/** Metrics that tell the time, and so differ between runs that are equal. */
const wallClockMetric = "(name LIKE 'seconds%' OR name LIKE '%Seconds' OR name LIKE '%PerSecond')";

function firstDifference(reader: Reader, a: number, b: number): number | null {
  // Rows of both runs by what they say; a row that has no equal in the other run is in a group of one.
  const rows = (columns: string, from: string): string =>
    `SELECT min(step) AS step FROM (
       SELECT min(step) AS step, count(*) AS n FROM ${from} GROUP BY ${columns} HAVING n <> 2)`;
  const steps = "SELECT id, step FROM steps WHERE run_id IN (?, ?) AND superseded = 0";
  const queries = [
    rows("step, proposals, questions, answers, trained", "steps WHERE run_id IN (?, ?) AND superseded = 0"),
    rows(
      "step, name, value",
      `(SELECT step, name, value FROM (${steps}) AS s JOIN metrics ON metrics.step_id = s.id WHERE NOT ${wallClockMetric})`,
    ),
    rows("step, position, question, agreement, winner, signal", "questions WHERE run_id IN (?, ?) AND superseded = 0"),
  ];
  const found = queries
    .map((query) => firstRow<{ step: number | null }>(reader.database.prepare(query), a, b)?.step ?? null)
    .filter((step) => step !== null);
  return found.length === 0 ? null : Math.min(...found);
}
