// From verdicts to records: who is rewarded, who teaches, with what advantage. Pure; it sees verdicts and the config, never
// the truth. What an experiment's control changes comes in as a function.
import type { RunConfig } from "../config/config.ts";
import type { GroupRecord, ProposalRecord } from "../events.ts";
import { acceptedQuestions } from "../play/propose.ts";
import type { Answer, Proposal, Question, Verdict } from "../types.ts";
import { advantages } from "./advantages.ts";
import { groupSignal, proposalReward, solverRewardFunctions } from "./rewards.ts";

export interface JudgeInput {
  readonly proposals: readonly Proposal[];
  /** One group for each proposal with a question to solve, in proposal order. */
  readonly answers: readonly (readonly Answer[])[];
  readonly verdicts: readonly Verdict[];
  readonly step: number;
  /** Replaces a group's rewards; only controls of experiments do. */
  readonly changeRewards?: ((rewards: readonly number[]) => readonly number[]) | undefined;
}

export interface Judged {
  readonly proposals: readonly ProposalRecord[];
  readonly groups: readonly GroupRecord[];
}

/** Rewards and advantages of both roles for one step. `truth` is left null: diagnostics come later. */
export function judge({ proposals, answers, verdicts, step, changeRewards }: JudgeInput, config: RunConfig): Judged {
  const rewards = verdicts.map((verdict, index) => {
    const given = solverRewardFunctions[config.solverReward](answers[index], verdict, config);
    return changeRewards?.(given) ?? given;
  });
  const signals = verdicts.map((verdict, index) => groupSignal(verdict, rewards[index], config));
  // A group that teaches nothing takes part with equal rewards, so that estimators over the whole batch do not see it.
  const teaching = rewards.map((group, index) => (signals[index] === "trained" ? group : group.map(() => 0)));
  const solverAdvantages = advantages(teaching, config.advantageEstimator);

  const accepted = acceptedQuestions(proposals);
  const groupOf = new Map(accepted.map(({ proposal }, group) => [proposal, group]));
  const shares = kindShares(accepted.map(({ question }) => question));
  const proposerRewards = proposals.map((proposal, index) => {
    const group = groupOf.get(index);
    return group === undefined
      ? proposalReward(proposal, null, config)
      : proposalReward(proposal, verdicts[group], config, shares[group]);
  });
  const trainsProposer = config.proposerEvery > 0 && step % config.proposerEvery === 0;
  const proposerAdvantages = proposals.map(() => 0);
  if (trainsProposer) {
    const scored = byPrompt(
      proposals,
      [...proposals.keys()].filter((index) => proposerRewards[index] !== null),
    );
    const scoredRewards = scored.map((group) => group.map((index) => proposerRewards[index] ?? 0));
    const found = advantages(scoredRewards, config.advantageEstimator);
    for (const [i, group] of scored.entries()) {
      for (const [j, index] of group.entries()) proposerAdvantages[index] = found[i][j];
    }
  }

  const proposalRecords = proposals.map((proposal, index) => ({
    ...proposal,
    reward: proposerRewards[index] ?? 0,
    advantage: proposerAdvantages[index],
  }));
  const groups = [...groupOf].map(([proposal, group]) => ({
    question: proposals[proposal].question!,
    proposal,
    answers: answers[group],
    verdict: verdicts[group],
    rewards: rewards[group],
    advantages: solverAdvantages[group],
    proposerReward: proposerRewards[proposal] ?? 0,
    signal: signals[group],
    truth: null,
  }));
  return { proposals: proposalRecords, groups };
}

/** Of each question, the share of all that are of its kind. */
export function kindShares(questions: readonly Question[]): number[] {
  const kinds = questions.map(({ kind, text }) => kind ?? text.replace(/\d/g, "0"));
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return kinds.map((kind) => (counts.get(kind) ?? 0) / kinds.length);
}

/**
 * The indices `among` in groups of equal prompts: where a topic asks for two kinds of question, each is compared with its
 * own kind, or all of the better paid kind would be reinforced alike. Prompts that were asked once, as where examples are
 * drawn for each, share one group.
 */
function byPrompt(proposals: readonly Proposal[], among: readonly number[]): number[][] {
  const groups = [...Map.groupBy(among, (index) => proposals[index].promptTokens.join()).values()];
  const single = groups.filter((group) => group.length === 1).flat();
  return [...groups.filter((group) => group.length > 1), ...(single.length > 0 ? [single] : [])];
}
