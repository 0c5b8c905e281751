// What the server tells the page, as types. Both sides name these, so that a change of one is a type error in the other.
import type { QuestionRow } from "../store/queries.ts";
import type { ExperimentRow, RunRow, RunState } from "../store/view-runs.ts";
import type { StepColumns } from "../store/view-steps.ts";

export type { StoreChange } from "../store/follow.ts";
export type { QuestionRow } from "../store/queries.ts";
export type { KindMap, QuestionKind } from "../store/view-kinds.ts";
export type { AnswerView, FormView, ProposalView, QuestionView, StepView, TokenText } from "../store/view-question.ts";
export type { RunRow, RunState } from "../store/view-runs.ts";
export type { Column, QuestionGrid, StepColumns } from "../store/view-steps.ts";

/** What cannot be shown, and why. */
export interface Problem {
  readonly message: string;
  readonly hint: string;
}

export interface WorkspaceReply {
  readonly folder: string;
  readonly version: string;
  readonly experiments: readonly ExperimentRow[];
}

export interface RunsReply {
  readonly total: number;
  readonly runs: readonly RunRow[];
}

export interface QuestionsReply {
  readonly total: number;
  readonly questions: readonly QuestionRow[];
}

/** A run among others. */
export interface ComparedRun {
  readonly state: RunState;
  readonly steps: StepColumns;
}

export interface CompareReply {
  readonly runs: readonly ComparedRun[];
  /** Runs that were asked for and not found, or are more than can be compared at once. */
  readonly left: readonly string[];
}

/** Metrics that runs are compared by. */
export const comparedMetrics = [
  "labelAccuracy",
  "agreement",
  "difficulty",
  "accuracy",
  "answerEntropy",
  "groups.trained",
] as const;

/** Runs that are compared at once. */
export const mostCompared = 60;

/** Questions on a page of them. */
export const questionsPerPage = 50;
