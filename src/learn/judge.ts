// From verdicts to what a step teaches: who is rewarded, who teaches, with what advantage. Pure; it sees verdicts and
// settings, never the truth. What an experiment's control changes comes in as a function.
import type { LearningSettings, RewardSettings } from "../config/learn.ts";
import type { JudgedGroup, JudgedProposal, Judgement, Proposal, VerifiedGroup } from "../types.ts";
import { advantages } from "./advantages.ts";
import { kindShares } from "./bonuses.ts";
import { groupSignal, proposalReward, solverRewardRows } from "./rewards.ts";

export type JudgeSettings = RewardSettings & Pick<LearningSettings, "advantageEstimator">;

/** A step as it was played and verified. */
export interface PlayedStep {
  /** Counted from 1. */
  readonly step: number;
  readonly proposals: readonly Proposal[];
  /** A group for each proposal that was asked. */
  readonly groups: readonly VerifiedGroup[];
}

/**
 * Rewards and advantages of both roles for one step.
 * @param changeRewards replaces a group's rewards; only controls of experiments do
 */
export function judge(
  { step, proposals, groups }: PlayedStep,
  settings: JudgeSettings,
  changeRewards: (rewards: readonly number[]) => readonly number[] = (rewards) => rewards,
): Judgement {
  const judgedProposals = judgeProposals(step, proposals, groups, settings);
  const rewarded = groups.map((group) => {
    const rewards = changeRewards(solverRewardRows[settings.solverReward](group));
    return { group, rewards, signal: groupSignal(group.verdict, rewards, settings) };
  });
  // A group that teaches nothing takes part with equal rewards, so that estimators over the whole batch do not see it.
  const teaching = rewarded.map(({ rewards, signal }) => (signal === "trained" ? rewards : rewards.map(() => 0)));
  const found = advantages(teaching, settings.advantageEstimator);
  const judgedGroups = rewarded.map(
    ({ group, rewards, signal }, index): JudgedGroup => ({
      ...group,
      answers: group.answers.map((answer, i) => ({ ...answer, reward: rewards[i], advantage: found[index][i] })),
      signal,
      proposerReward: judgedProposals[group.proposal].reward,
    }),
  );
  return { step, proposals: judgedProposals, groups: judgedGroups };
}

function judgeProposals(
  step: number,
  proposals: readonly Proposal[],
  groups: readonly VerifiedGroup[],
  settings: JudgeSettings,
): JudgedProposal[] {
  const shares = kindShares(groups.map(({ question }) => question));
  const solved = new Map(
    groups.map(({ proposal, verdict }, index) => [proposal, { verdict, kindShare: shares[index] }]),
  );
  const rewards = proposals.map((proposal, index) => proposalReward(proposal, solved.get(index) ?? null, settings));
  const judged = proposals.map((proposal, index) => ({ ...proposal, reward: rewards[index] ?? 0, advantage: 0 }));
  if (settings.proposerEvery === 0 || step % settings.proposerEvery !== 0) return judged;

  const compared = byAsk(judged.filter((_, index) => rewards[index] !== null));
  const found = advantages(
    compared.map((group) => group.map(({ reward }) => reward)),
    settings.advantageEstimator,
  );
  for (const [i, group] of compared.entries()) {
    for (const [j, proposal] of group.entries()) proposal.advantage = found[i][j];
  }
  return judged;
}

/**
 * Proposals in groups of one ask, which is one prompt: where a topic asks for two kinds of question, each is compared with its own kind,
 * or all of the better paid kind would be reinforced alike. Prompts that were asked once, as where examples are drawn for
 * each, share one group.
 */
function byAsk<Asked extends Pick<Proposal, "ask">>(proposals: readonly Asked[]): Asked[][] {
  const groups = [...Map.groupBy(proposals, ({ ask }) => ask).values()];
  const single = groups.filter((group) => group.length === 1).flat();
  return [...groups.filter((group) => group.length > 1), ...(single.length > 0 ? [single] : [])];
}
