// What a run says while it goes: the loop yields these events, the store records them, the terminal shows them.
import type { Answer, Evaluation, LevelResult, Proposal, Question, Verdict } from "./types.ts";

/** Why a group taught nothing; `trained` means that it did. */
export const groupSignals = [
  "trained",
  "tie",
  "no-answer",
  "inconsistent",
  "low-agreement",
  "all-equal",
  "no-tests",
] as const;
export type GroupSignal = (typeof groupSignals)[number];

/** One question with everything that happened to it in a step. */
export interface GroupRecord {
  readonly question: Question;
  /** Index into the step's proposals. */
  readonly proposal: number;
  readonly answers: readonly Answer[];
  readonly verdict: Verdict;
  /** Reward and advantage of each answer, in answer order; advantages are 0 where the group taught nothing. */
  readonly rewards: readonly number[];
  readonly advantages: readonly number[];
  readonly proposerReward: number;
  readonly signal: GroupSignal;
  /** Diagnostics from the hidden checker, never seen by a reward; null where the topic has none. */
  readonly truth: { readonly labelRight: boolean | null; readonly accuracy: number } | null;
}

/** A proposal with its reward; advantage 0 in steps that do not train the proposer. */
export interface ProposalRecord extends Proposal {
  readonly reward: number;
  readonly advantage: number;
}

/** Everything of one step. Recorded in one transaction. `step` counts from 1. */
export interface StepRecord {
  readonly step: number;
  readonly proposals: readonly ProposalRecord[];
  readonly groups: readonly GroupRecord[];
  /** Scalars of the step by name (see docs/metrics.md), e.g. `agreement`, `labelAccuracy`, `loss`, `gradNorm`. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly seconds: number;
}

export type RunEvent =
  | { readonly type: "run-start"; readonly run: string; readonly fromStep: number; readonly steps: number }
  | { readonly type: "evaluation-end"; readonly step: number; readonly evaluation: Evaluation }
  | { readonly type: "step-end"; readonly record: StepRecord }
  | { readonly type: "checkpoint-saved"; readonly step: number; readonly folder: string }
  | { readonly type: "anomaly"; readonly step: number; readonly kind: string; readonly message: string }
  /** A detector of reward hacking fired; `action` says what was done about it. */
  | {
      readonly type: "guard";
      readonly step: number;
      readonly detector: string;
      readonly action: string;
      readonly message: string;
    }
  | {
      readonly type: "run-end";
      readonly step: number;
      readonly reason: "finished" | "interrupted" | "stopped";
      readonly message?: string;
    };

/** The summary that `sqlm run --json` prints. */
export interface RunSummary {
  readonly run: string;
  readonly checkpoint: string;
  readonly steps: number;
  readonly seconds: number;
  readonly frontier: number | null;
  readonly before: { readonly levels: readonly LevelResult[] } | null;
  readonly after: { readonly levels: readonly LevelResult[] } | null;
  readonly best: { readonly step: number; readonly passAt1: number } | null;
  readonly proposedDifficulty: { readonly first: number; readonly last: number };
}
