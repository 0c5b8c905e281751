// Reads what a report shows: the same numbers as the page, at one moment. Throws UsageError for an unknown run.

import { findQuestions, type Reader } from "../store/queries.ts";
import { readAtOnce } from "../store/read-at-once.ts";
import { kindMap } from "../store/view-kinds.ts";
import { runState } from "../store/view-runs.ts";
import { questionGrid, stepColumns } from "../store/view-steps.ts";
import { type ComparedRun, comparedMetrics, type KindMap, type QuestionRow } from "./api.ts";
import type { RunNumbers } from "./run-pictures.ts";

export interface ReportedRun {
  readonly numbers: RunNumbers;
  readonly kinds: KindMap;
  /** Questions with most to learn from, most first. */
  readonly taughtMost: readonly QuestionRow[];
  /** Wrong labels with most agreement, most first; empty where nobody knows. */
  readonly surelyWrong: readonly QuestionRow[];
}

export interface ReportData {
  /** In the order in which they were asked for. */
  readonly compared: readonly ComparedRun[];
  /** The same runs whole; empty where there are more of them than anyone would read. */
  readonly runs: readonly ReportedRun[];
}

/** With more runs than this a report compares them and leaves out what each did by itself. */
const mostWhole = 8;
const shownQuestions = 8;

/** All of it as it is at one moment, also of runs that go on. */
export function readReport(reader: Reader, names: readonly string[]): ReportData {
  return readAtOnce(reader, () => ({
    compared: names.map((run) => ({
      state: runState(reader, run),
      steps: stepColumns(reader, run, { points: 300, names: comparedMetrics }),
    })),
    runs: names.length > mostWhole ? [] : names.map((run) => reportedRun(reader, run)),
  }));
}

function reportedRun(reader: Reader, run: string): ReportedRun {
  const state = runState(reader, run);
  const first = (filter: Parameters<typeof findQuestions>[2]): readonly QuestionRow[] =>
    findQuestions(reader, run, { descending: true, limit: shownQuestions, ...filter }).questions;
  return {
    numbers: {
      state,
      steps: stepColumns(reader, run, { points: 600 }),
      difficulty: questionGrid(reader, run, "difficulty"),
      solveRate: questionGrid(reader, run, "solveRate"),
    },
    kinds: kindMap(reader, run, { most: 12 }),
    taughtMost: first({ orderBy: "taught", signals: ["trained"] }),
    surelyWrong: state.knowsTruth ? first({ orderBy: "agreement", labelRight: false }) : [],
  };
}
