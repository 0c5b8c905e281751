// Rewards of both roles, as pure functions of what a group of answers agreed on. Nothing here can see the truth: the
// inputs are verdicts and settings. Advantages are the next stage (advantages.ts). A formula is a row of a table; the
// compiler wants one for each name in config/learn.ts.
import type { proposerRewards, RewardSettings } from "../config/learn.ts";
import { hasLabel } from "../plurality.ts";
import type { GroupSignal, Proposal, VerdictCore, VerifiedGroup } from "../types.ts";
import { type Curiosity, withBonuses } from "./bonuses.ts";
import { softRewards } from "./soft-labels.ts";

export type ProposerRewardRow = (
  verdict: VerdictCore,
  settings: Pick<RewardSettings, "bandLow" | "bandHigh">,
) => number;

/**
 * What a question is worth by its verdict, each 0 to 1, with p the success rate.
 * - `sqlm`: 1 where 1 < count < N (Self-Questioning Language Models, arXiv 2508.03682; its Eq. 2 prints 0 < count, its
 *   text and code use 1 <). Departs from the code in one thing: a tie has no winner and earns 0, where the code gave the
 *   tie to whichever answer came first.
 * - `band`: 1 where p lies in [bandLow, bandHigh] and the vote is decided and consistent (ours, after the filter of
 *   R-Zero, arXiv 2508.05004).
 * - `variance`: 4p(1 − p), the variance of a right-or-wrong answer scaled to 1 (`proposer_solver` of verifiers).
 * - `r-zero`: max(0, 1 − 2|p − ½|) (R-Zero), without its repetition penalty: duplicates are handled before any reward.
 * - `learnability`: 0 where p = 0 or nothing was decided, else 1 − p (Absolute Zero, arXiv 2505.03335).
 */
export const proposerRewardRows: Readonly<Record<(typeof proposerRewards)[number], ProposerRewardRow>> = {
  sqlm: ({ problem, disputed }) => (problem === null && disputed ? 1 : 0),
  band: (verdict, { bandLow, bandHigh }) =>
    hasLabel(verdict) && verdict.successRate >= bandLow && verdict.successRate <= bandHigh ? 1 : 0,
  variance: ({ successRate: p }) => 4 * p * (1 - p),
  "r-zero": ({ successRate: p }) => Math.max(0, 1 - 2 * Math.abs(p - 0.5)),
  learnability: ({ successRate: p, problem }) => (problem === null && p > 0 ? 1 - p : 0),
};

/**
 * Reward of a question that was solved. With `consistentVote` a tied or inconsistent vote earns 0 whatever the formula:
 * what cannot be labelled must not be worth proposing.
 */
export function questionReward(
  verdict: VerdictCore,
  settings: Pick<RewardSettings, "proposerReward" | "bandLow" | "bandHigh" | "consistentVote">,
): number {
  if (settings.consistentVote && !hasLabel(verdict)) return 0;
  return proposerRewardRows[settings.proposerReward](verdict, settings);
}

/** A question that was solved, as its proposal is rewarded for it. */
export interface SolvedQuestion extends Curiosity {
  readonly verdict: VerdictCore;
  /** Share of the step's solved questions that are of this one's kind, itself among them. */
  readonly kindShare: number;
  /** How far apart its forms are where two are sure of different winners, else 0 (plurality.ts). */
  readonly split: number;
}

/**
 * Reward of any proposal; `solved` is null where its question was not. Returns null for a proposal that was not judged at
 * all (`surplus`, `held-out`): it takes no part in the proposer's training. A question that is rewarded earns its bonuses
 * on top (bonuses.ts). With `splitReward` one whose forms are sure of different winners earns that and nothing else.
 */
export function proposalReward(
  proposal: Pick<Proposal, "refusal" | "logprobs">,
  solved: SolvedQuestion | null,
  settings: RewardSettings,
): number | null {
  switch (proposal.refusal?.kind) {
    case "malformed":
      return settings.malformedReward;
    case "duplicate":
      return settings.duplicateReward;
    case "held-out":
    case "surplus":
      return null;
    case undefined:
      if (solved === null) return null;
      if (settings.splitReward > 0 && solved.split > 0) return settings.splitReward * solved.split;
      return withBonuses(questionReward(solved.verdict, settings), proposal, solved, settings);
  }
}

export type SolverRewardRow = (group: Pick<VerifiedGroup, "answers" | "verdict">) => readonly number[];

/**
 * Solver rewards, one number an answer, 0 to 1.
 * - `majority`: 1 where the answer is the strict winner of the vote, 0 for all where there is none; for tests, the
 *   fraction of the proposer's tests that the program passed, with `consistentVote` of the trusted ones.
 * - `soft`: the weight of what the answer says among all that was said (soft-labels.ts).
 * - `format`: 1 where the answer is readable, whatever it says (a control).
 */
export const solverRewardRows: Readonly<Record<RewardSettings["solverReward"], SolverRewardRow>> = {
  majority: ({ verdict }) => verdict.scores,
  soft: softRewards,
  format: ({ answers }) => answers.map(({ value }) => (value !== null ? 1 : 0)),
};

/**
 * Whether a group teaches the solver, and if not, why. With the `format` reward the vote plays no part, so only equal
 * rewards silence a group.
 */
export function groupSignal(
  verdict: VerdictCore,
  rewards: readonly number[],
  settings: Pick<RewardSettings, "solverReward" | "minAgreement" | "consistentVote">,
): GroupSignal {
  if (settings.solverReward !== "format") {
    if (verdict.problem !== null) return verdict.problem;
    if (settings.consistentVote && !verdict.confirmed) return "inconsistent";
    if (verdict.agreement < settings.minAgreement) return "low-agreement";
  }
  return rewards.every((reward) => reward === rewards[0]) ? "all-equal" : "trained";
}
