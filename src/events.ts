// What a run says while it goes: the loop yields these events, the store records them, the terminal shows them.
import type { Evaluation, JudgedGroup, JudgedProposal, LevelResult } from "./types.ts";

/** What the hidden checker says of a group. Diagnostics, made after learning and never seen by a reward. */
export interface Truth {
  /** Whether the winner is right; null where there is none. */
  readonly labelRight: boolean | null;
  /** Share of right answers, 0 to 1. */
  readonly accuracy: number;
}

/** One question with everything that happened to it in a step. */
export interface GroupRecord extends JudgedGroup {
  /** Null where the topic has no checker. */
  readonly truth: Truth | null;
}

/** Everything of one step. Recorded in one transaction. `step` counts from 1. */
export interface StepRecord {
  readonly step: number;
  readonly proposals: readonly JudgedProposal[];
  readonly groups: readonly GroupRecord[];
  /** Scalars of the step by name (see docs/metrics.md), e.g. `agreement`, `labelAccuracy`, `loss`, `gradNorm`. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Where the time went; not decided by config and seed. */
  readonly timing?: StepTiming;
}

/** What a step cost on this machine. */
export interface StepTiming {
  /** Wall-clock seconds by stage, in the order in which they came. */
  readonly stages: Readonly<Record<string, number>>;
  /** Memory of the whole process after the step, its worker threads included. */
  readonly memoryBytes: number;
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
