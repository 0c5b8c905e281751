// Rows of small tables as the plain data that they were made from; shared by the store and the queries.
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { configKeys, type RunConfig, runConfigSchema } from "../config/config.ts";
import { FileFormatError } from "../errors.ts";
import type { LevelResult, Question, TestsVerdict, UnitTest, Verdict, VerdictCore, VoteVerdict } from "../types.ts";
import { allRows } from "./database.ts";
import type { RunSources, RunTrial } from "./store.ts";

/** Columns of `runs` that say which trial of an experiment a run is. */
export interface TrialColumns {
  readonly experiment: string | null;
  readonly variant: string | null;
  readonly control: string | null;
}

export function readTrial({ experiment, variant, control }: TrialColumns): RunTrial | null {
  return experiment === null || variant === null ? null : { experiment, variant, control };
}

/**
 * The config that a run recorded. Every setting must be there: migrations add those that older versions did not know.
 * Throws FileFormatError for one that lacks a setting, has an unknown one, or a value that no run can have.
 */
export function readConfig(path: string, run: string, json: string): RunConfig {
  const refuse = (problem: string, cause?: unknown): never => {
    throw new FileFormatError(
      path,
      `the settings of run ${run} cannot be read: ${problem}.`,
      "They were recorded by another version of sqlm, or changed since. Use that version, or remove the run with `sqlm rm`.",
      { cause },
    );
  };
  let values: unknown;
  try {
    values = JSON.parse(json);
  } catch (cause) {
    return refuse("they are not JSON", cause);
  }
  const { data, error } = runConfigSchema.safeParse(values);
  if (data === undefined) return refuse(describeIssue(error.issues[0]), error);
  const missing = configKeys.find((key) => !Object.hasOwn(values as object, key));
  return missing === undefined ? data : refuse(`"${missing}" is missing`);
}

function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") return `unknown setting "${issue.keys[0]}"`;
  return issue.path.length === 0 ? issue.message : `"${issue.path.join(".")}": ${issue.message}`;
}

const checksums = z.record(z.string(), z.string());
const sourcesSchema = z.object({ topic: checksums, model: checksums });

/** What a run was made from, as recorded; null where nothing readable is. */
export function readSources(json: string | null): RunSources | null {
  if (json === null) return null;
  try {
    return sourcesSchema.parse(JSON.parse(json));
  } catch {
    // Without checksums a run resumes as those of older versions do.
    return null;
  }
}

interface EvaluationRow {
  readonly step: number;
  readonly difficulty: number;
  readonly pass_at_1: number;
  readonly pass_at_1_low: number;
  readonly pass_at_1_high: number;
  readonly greedy: number;
  readonly maj_at_16: number;
  readonly questions: number;
}

/** Current evaluations of a run by step; levels in ascending difficulty. */
export function readEvaluations(database: DatabaseSync, runId: number): { step: number; levels: LevelResult[] }[] {
  const rows = allRows<EvaluationRow>(
    database.prepare(
      `SELECT step, difficulty, pass_at_1, pass_at_1_low, pass_at_1_high, greedy, maj_at_16, questions
         FROM evaluations WHERE run_id = ? AND superseded = 0 ORDER BY step, difficulty`,
    ),
    runId,
  );
  const evaluations: { step: number; levels: LevelResult[] }[] = [];
  for (const row of rows) {
    if (evaluations.at(-1)?.step !== row.step) evaluations.push({ step: row.step, levels: [] });
    evaluations.at(-1)?.levels.push({
      difficulty: row.difficulty,
      passAt1: row.pass_at_1,
      passAt1Interval: [row.pass_at_1_low, row.pass_at_1_high],
      greedy: row.greedy,
      majAt16: row.maj_at_16,
      questions: row.questions,
    });
  }
  return evaluations;
}

/** The question that these columns hold. */
export function readQuestion(text: string, key: string, difficulty: number, tests: string | null): Question {
  return { text, key, difficulty, ...(tests === null ? {} : { tests: JSON.parse(tests) as readonly UnitTest[] }) };
}

/** What verdicts had in records of earlier versions, before all of them had the common part. */
type OlderVerdict =
  | (Omit<VoteVerdict, keyof VerdictCore> & Pick<VoteVerdict, "winner" | "agreement" | "groupSize" | "consistent">)
  | (Omit<TestsVerdict, keyof VerdictCore> & Pick<TestsVerdict, "groupSize">);

/**
 * A verdict as it was recorded; what one of an earlier version lacks follows from what it has. Only the scores of an
 * older vote do not: they are those of `values`, the answers' values where the caller has read them, and else empty.
 */
export function readVerdict(json: string, values: readonly (string | null)[] = []): Verdict {
  const recorded = JSON.parse(json) as Verdict | OlderVerdict;
  if ("scores" in recorded) return recorded;
  return recorded.kind === "vote"
    ? completeVote(recorded as VoteVerdict, values)
    : completeTests(recorded as TestsVerdict);
}

function completeVote(older: VoteVerdict, values: readonly (string | null)[]): VoteVerdict {
  const leading = older.counts.length === 0 ? 0 : older.counts[0][1];
  return {
    ...older,
    successRate: older.agreement,
    scores: values.map((value) => (value !== null && value === older.winner ? 1 : 0)),
    problem: older.winner !== null ? null : older.counts.length === 0 ? "no-answer" : "tie",
    confirmed: older.consistent,
    disputed: leading > 1 && leading < older.groupSize,
  };
}

function completeTests(older: TestsVerdict): TestsVerdict {
  const tests = older.passed[0]?.length ?? 0;
  return {
    ...older,
    winner: null,
    agreement: older.outputAgreement,
    successRate: older.meanPassFraction,
    scores: older.passFractions,
    problem: tests === 0 ? "no-tests" : null,
    consistent: 2 * older.trustedTests.length > tests,
    confirmed: older.trustedTests.length > 0,
    disputed: older.meanPassFraction > 0 && older.meanPassFraction < 1,
  };
}
