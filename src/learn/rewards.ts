// Rewards of both roles, as pure functions of what a group of answers agreed on. Nothing here can see the truth: the
// inputs are verdicts and the config. Advantages are the next stage (advantages.ts).
import type { proposerRewards, RunConfig } from "../config/config.ts";
import type { GroupSignal } from "../events.ts";
import type { Answer, Completion, Proposal, TestsVerdict, Verdict } from "../types.ts";

export type ProposerRewardName = (typeof proposerRewards)[number];

/** What a proposer reward may depend on: one question's verdict, reduced to the terms that the formulas share. */
export interface QuestionOutcome {
  /** p: agreement of the vote, or mean fraction of tests passed; 0 to 1. */
  readonly successRate: number;
  /** The question has a label: the vote has a strict winner, or there are tests. */
  readonly decided: boolean;
  /** Every form of the question elected the same winner; for tests, the programs' vote confirms most of them. */
  readonly consistent: boolean;
  /** Neither nobody nor everybody: 1 < votes of the leader < N, or 0 < mean pass fraction < 1. */
  readonly disputed: boolean;
}

/** The parts of the config that a proposer reward reads. */
export type ProposerRewardConfig = Pick<
  RunConfig,
  | "proposerReward"
  | "bandLow"
  | "bandHigh"
  | "consistentVote"
  | "malformedReward"
  | "duplicateReward"
  | "proposerEntropyCoef"
  | "repetitionPenalty"
>;

/**
 * Reduces a verdict to what proposer rewards depend on. `trustedOnly` counts only those tests that the programs' own vote
 * confirms.
 */
export function questionOutcome(verdict: Verdict, trustedOnly = false): QuestionOutcome {
  if (verdict.kind === "tests") {
    const fractions = passFractions(verdict, trustedOnly);
    const mean = fractions.reduce((sum, fraction) => sum + fraction, 0) / Math.max(1, fractions.length);
    const tests = verdict.passed[0]?.length ?? 0;
    const decided = verdict.groupSize > 0 && tests > 0;
    return {
      successRate: mean,
      decided,
      consistent: 2 * verdict.trustedTests.length > tests,
      disputed: mean > 0 && mean < 1,
    };
  }
  const leading = verdict.counts.length === 0 ? 0 : verdict.counts[0][1];
  return {
    successRate: verdict.agreement,
    decided: verdict.winner !== null,
    consistent: verdict.consistent,
    disputed: leading > 1 && leading < verdict.groupSize,
  };
}

/**
 * The formulas, each 0 to 1.
 * - `sqlm`: 1 where 1 < count < N (Self-Questioning Language Models, arXiv 2508.03682; its Eq. 2 prints 0 < count, its
 *   text and code use 1 <). Departs from the code in one thing: a tie has no winner and earns 0, where the code gave the
 *   tie to whichever answer came first.
 * - `band`: 1 where p lies in [bandLow, bandHigh] and the vote is decided and consistent (ours, after the filter of
 *   R-Zero, arXiv 2508.05004).
 * - `variance`: 4p(1 − p), the variance of a right-or-wrong answer scaled to 1 (`proposer_solver` of verifiers).
 * - `r-zero`: max(0, 1 − 2|p − ½|) (R-Zero), without its repetition penalty: duplicates are handled before any reward.
 * - `learnability`: 0 where p = 0 or nothing was decided, else 1 − p (Absolute Zero, arXiv 2505.03335).
 */
export const proposerRewardFunctions: Readonly<
  Record<ProposerRewardName, (outcome: QuestionOutcome, config: Pick<RunConfig, "bandLow" | "bandHigh">) => number>
> = {
  sqlm: ({ decided, disputed }) => (decided && disputed ? 1 : 0),
  band: ({ successRate: p, decided, consistent }, { bandLow, bandHigh }) =>
    decided && consistent && p >= bandLow && p <= bandHigh ? 1 : 0,
  variance: ({ successRate: p }) => 4 * p * (1 - p),
  "r-zero": ({ successRate: p }) => Math.max(0, 1 - 2 * Math.abs(p - 0.5)),
  learnability: ({ successRate: p, decided }) => (decided && p > 0 ? 1 - p : 0),
};

/**
 * Reward of a question that was solved. With `consistentVote` a tied or inconsistent vote earns 0 whatever the formula:
 * what cannot be labelled must not be worth proposing.
 */
export function questionReward(
  verdict: Verdict,
  config: Omit<ProposerRewardConfig, "malformedReward" | "proposerEntropyCoef" | "repetitionPenalty">,
): number {
  const outcome = questionOutcome(verdict, config.consistentVote);
  if (config.consistentVote && !(outcome.decided && outcome.consistent)) return 0;
  return proposerRewardFunctions[config.proposerReward](outcome, config);
}

/**
 * Reward of any proposal. `verdict` is that of its group, null where it was not solved. Returns null for a proposal that
 * was not judged at all (`surplus`, `held-out`): it takes no part in the proposer's training.
 *
 * A question that is rewarded earns `proposerEntropyCoef` × −log π(question) more. The expectation of −log π is the
 * policy's entropy, and the policy that maximises reward plus entropy spreads over everything that is rewarded (maximum
 * entropy reinforcement learning, arXiv 1702.08165) where reward alone would settle on the kind it already writes most.
 * And it earns `repetitionPenalty` × `share` less, but never less than nothing: the repetition penalty of R-Zero (arXiv
 * 2508.05004), which takes λ|C|/B where the question's cluster C makes up so much of the batch B. There clusters are
 * found by BLEU, here they are the topic's kinds.
 *
 * @param share of the step's solved questions that are of this one's kind, itself among them
 */
export function proposalReward(
  proposal: Pick<Proposal, "reason" | "logprobs">,
  verdict: Verdict | null,
  config: ProposerRewardConfig,
  share = 0,
): number | null {
  if (proposal.reason === undefined) {
    if (verdict === null) return null;
    const reward = questionReward(verdict, config);
    if (reward === 0) return 0;
    return Math.max(0, reward + config.proposerEntropyCoef * surprise(proposal) - config.repetitionPenalty * share);
  }
  const kind = proposal.reason.split(":", 1)[0];
  if (kind === "malformed") return config.malformedReward;
  if (kind === "duplicate") return config.duplicateReward;
  return null;
}

/** −log of a completion's probability, in nats. */
const surprise = ({ logprobs }: Pick<Completion, "logprobs">): number =>
  logprobs.reduce((sum, logprob) => sum - logprob, 0);

/** Fraction of the tests, or of the trusted ones alone, that each program passed; 0 where there is none. */
function passFractions({ passed, trustedTests, passFractions }: TestsVerdict, trustedOnly: boolean): readonly number[] {
  if (!trustedOnly) return passFractions;
  return passed.map((row) => trustedTests.filter((test) => row[test]).length / Math.max(1, trustedTests.length));
}

/** What a solver reward may see of an answer. */
type Judged = Pick<Answer, "value">;

/**
 * Solver rewards, one number an answer, 0 to 1.
 * - `majority`: 1 where the answer is the strict winner of the vote, 0 for all where there is none; for tests, the
 *   fraction of the proposer's tests that the program passed, with `consistentVote` of the trusted ones.
 * - `format`: 1 where the answer is readable, whatever it says (a control).
 */
export const solverRewardFunctions: Readonly<
  Record<
    RunConfig["solverReward"],
    (answers: readonly Judged[], verdict: Verdict, config: Pick<RunConfig, "consistentVote">) => number[]
  >
> = {
  majority: (answers, verdict, { consistentVote }) =>
    verdict.kind === "tests"
      ? [...passFractions(verdict, consistentVote)]
      : // A null value never equals a winner, even where there is none: unreadable answers do not vote.
        answers.map(({ value }) => (value !== null && value === verdict.winner ? 1 : 0)),
  format: (answers) => answers.map(({ value }) => (value !== null ? 1 : 0)),
};

/**
 * Whether a group teaches the solver, and if not, why. With the `format` reward the vote plays no part, so only equal
 * rewards silence a group.
 */
export function groupSignal(
  verdict: Verdict,
  rewards: readonly number[],
  config: Pick<RunConfig, "solverReward" | "minAgreement" | "consistentVote">,
): GroupSignal {
  if (config.solverReward === "majority") {
    if (verdict.kind === "vote") {
      if (verdict.counts.length === 0) return "no-answer";
      if (verdict.winner === null) return "tie";
      if (config.consistentVote && !verdict.consistent) return "inconsistent";
      if (verdict.agreement < config.minAgreement) return "low-agreement";
    } else {
      if (!questionOutcome(verdict).decided) return "no-tests";
      if (config.consistentVote && verdict.trustedTests.length === 0) return "inconsistent";
    }
  }
  return rewards.every((reward) => reward === rewards[0]) ? "all-equal" : "trained";
}
