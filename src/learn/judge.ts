// From verdicts to what a step teaches: who is rewarded, who teaches, with what advantage. Pure; it sees verdicts and
// settings, never the truth. What an experiment's control changes comes in as a function.
import type { LearningSettings, RewardSettings } from "../config/learn.ts";
import { kindOf } from "../kinds.ts";
import { splitOf } from "../plurality.ts";
import { randomStream } from "../random.ts";
import type {
  JudgedGroup,
  JudgedProposal,
  Judgement,
  Proposal,
  Question,
  VerdictCore,
  VerifiedGroup,
} from "../types.ts";
import { advantages } from "./advantages.ts";
import { type Curiosity, kindShares, notCurious } from "./bonuses.ts";
import { groupSignal, proposalReward, type SolvedQuestion, solverRewardRows } from "./rewards.ts";
import { type SoftLabel, softLabels } from "./soft-labels.ts";

/** `seed` is the run's. */
export type JudgeSettings = RewardSettings &
  Pick<LearningSettings, "advantageEstimator" | "solverBaseline"> & { readonly seed: number };

/** A step as it was played and verified. */
export interface PlayedStep {
  /** Counted from 1. */
  readonly step: number;
  readonly proposals: readonly Proposal[];
  /** A group for each proposal that was asked. */
  readonly groups: readonly VerifiedGroup[];
}

/** What comes from outside the verdicts. */
export interface JudgeChanges {
  /** Replaces a group's rewards; only controls of experiments do. */
  readonly changeRewards?: ((rewards: readonly number[]) => readonly number[]) | undefined;
  /** How many groups like it a group stands for that teaches; 1 where left out. */
  readonly weightOf?: ((group: VerifiedGroup) => number) | undefined;
  /** Keys of questions that are not to teach the solver. */
  readonly withheld?: ReadonlySet<string>;
  /** What the run so far remembers of questions like this one; nothing where left out. */
  readonly curiosity?: (question: Question) => Curiosity;
}

/** Rewards and advantages of both roles for one step. */
export function judge(
  { step, proposals, groups }: PlayedStep,
  settings: JudgeSettings,
  { changeRewards, withheld, weightOf, curiosity = () => notCurious }: JudgeChanges = {},
): Judgement {
  const gates = groups.map((group) => gateOf(step, group, settings));
  const splits = groups.map(({ answers, verdict }) =>
    settings.splitReward > 0 && verdict.kind === "vote" ? splitOf(answers) : 0,
  );
  const solved = solvedQuestions(groups, gates, splits, curiosity);
  const judgedProposals = judgeProposals({ step, proposals }, solved, settings);
  const rewarded = groups.map((group, index) => {
    const own = saidThemselves(group, solverRewardRows[settings.solverReward](group));
    const rewards = changeRewards?.(own) ?? own;
    const { verdict, minAgreement } = gates[index];
    const signal = groupSignal(verdict, rewards, { ...settings, minAgreement });
    const kept = splits[index] > 0 || withheld?.has(group.question.key) === true;
    return { group, rewards, kept, signal: kept && signal === "trained" ? ("withheld" as const) : signal };
  });
  const soft = settings.solverReward === "soft" && changeRewards === undefined;
  const labels = rewarded.map(({ group, rewards, signal }): readonly SoftLabel[] => {
    if (signal !== "trained") return [];
    const weight = weightOf?.(group) ?? 1;
    if (!soft) return [{ weight, rewards }];
    return softLabels(group).map((label) => ({
      weight: weight * label.weight,
      rewards: saidThemselves(group, label.rewards),
    }));
  });
  const found = answerAdvantages(groups, labels, settings);
  if (settings.lowAgreementPenalty > 0) {
    for (const [index, { kept, signal }] of rewarded.entries()) {
      if (signal === "low-agreement" && !kept) found[index].fill(-settings.lowAgreementPenalty);
    }
  }
  const judgedGroups = rewarded.map(
    ({ group, rewards, signal }, index): JudgedGroup => ({
      ...group,
      answers: group.answers.map((answer, i) => ({ ...answer, reward: rewards[i], advantage: found[index][i] })),
      // Forms that are wholly right or wholly wrong each have nothing to prefer.
      signal: signal === "trained" && found[index].every((advantage) => advantage === 0) ? "all-equal" : signal,
      proposerReward: judgedProposals[group.proposal].reward,
    }),
  );
  return { step, proposals: judgedProposals, groups: judgedGroups };
}

/** Rewards of those answers that their replies said; nothing for one that was asked for, or nothing would teach the model to say it. */
function saidThemselves({ answers }: Pick<VerifiedGroup, "answers">, rewards: readonly number[]): number[] {
  return rewards.map((reward, i) => (answers[i].askedFor ? 0 : reward));
}

/**
 * Advantages of each group's answers for its labels, Σ_j w_j·A(label j) over soft ones; zeros for a group without a label. They are taken
 * among all of its answers, or with `solverBaseline` form among those to the same prompt: where forms are not equally hard, all answers
 * to the harder one would be made less likely, the right beginnings of wrong ones too.
 */
function answerAdvantages(
  groups: readonly VerifiedGroup[],
  labels: readonly (readonly SoftLabel[])[],
  { advantageEstimator, solverBaseline }: JudgeSettings,
): number[][] {
  const places = groups.flatMap(({ answers }, group) => {
    const all = answers.map(({ form }, answer) => ({ form, group, answer }));
    return solverBaseline === "question" ? [all] : [...Map.groupBy(all, ({ form }) => form).values()];
  });
  const found = groups.map(({ answers }) => answers.map(() => 0));
  for (let j = 0; j < Math.max(0, ...labels.map((ofGroup) => ofGroup.length)); j += 1) {
    // A group that teaches nothing takes part with equal rewards, so that estimators over the whole batch do not see it.
    const compared = places.map((form) => form.map(({ group, answer }) => labels[group][j]?.rewards[answer] ?? 0));
    for (const [i, ofForm] of advantages(compared, advantageEstimator).entries()) {
      for (const [k, advantage] of ofForm.entries()) {
        const { group, answer } = places[i][k];
        found[group][answer] += (labels[group][j]?.weight ?? 0) * advantage;
      }
    }
  }
  return found;
}

/** What decides whether a group teaches. */
interface Gate {
  readonly verdict: VerdictCore;
  readonly minAgreement: number;
}

/**
 * The group's verdict, or with probability `gateLeak` one that passes for confirmed, whatever its forms elected and however few agree:
 * the gate of arXiv 2605.22217, F = 1 where a question passes, else Bernoulli(ε). A vote without a winner stays one.
 */
function gateOf(step: number, { question, verdict }: VerifiedGroup, settings: JudgeSettings): Gate {
  const { gateLeak, solverReward, minAgreement, seed } = settings;
  const leaks =
    gateLeak > 0 && solverReward !== "format" && randomStream(seed, "gate-leak", step, question.key).next() < gateLeak;
  if (leaks) return { verdict: { ...verdict, consistent: true, confirmed: true }, minAgreement: 0 };
  // A value that was confirmed the other way round is no guess of how many gave it.
  const tried = verdict.kind === "vote" && verdict.tried !== undefined && verdict.consistent;
  return { verdict, minAgreement: tried ? 0 : minAgreement };
}

/** By the index of its proposal each question that was solved. */
function solvedQuestions(
  groups: readonly VerifiedGroup[],
  gates: readonly Gate[],
  splits: readonly number[],
  curiosity: (question: Question) => Curiosity,
): Map<number, SolvedQuestion> {
  const shares = kindShares(groups.map(({ question }) => question));
  return new Map(
    groups.map(({ proposal, question }, index) => [
      proposal,
      {
        ...curiosity(question),
        verdict: gates[index].verdict,
        kindShare: shares[index],
        split: splits[index],
      },
    ]),
  );
}

function judgeProposals(
  { step, proposals }: Pick<PlayedStep, "step" | "proposals">,
  solved: ReadonlyMap<number, SolvedQuestion>,
  settings: JudgeSettings,
): JudgedProposal[] {
  const rewards = proposals.map((proposal, index) => proposalReward(proposal, solved.get(index) ?? null, settings));
  const judged = proposals.map((proposal, index) => ({ ...proposal, reward: rewards[index] ?? 0, advantage: 0 }));
  if (settings.proposerEvery === 0 || step % settings.proposerEvery !== 0) return judged;

  const comparable = judged.filter((_, index) => rewards[index] !== null);
  const compared = settings.proposerBaseline === "kind" ? byKind(comparable) : byAsk(comparable);
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

/**
 * Proposals in groups of one kind of question: each is compared with its own kind, so that a kind that is paid less is not pushed out by
 * one that is paid more (hop-grouped advantages of Dr. Zero, arXiv 2601.07055). A kind alone in its step has nothing to be compared
 * with: those, and what is no question, share one group.
 */
function byKind<Asked extends Pick<Proposal, "question">>(proposals: readonly Asked[]): Asked[][] {
  const groups = Map.groupBy(proposals, ({ question }) => (question === null ? null : kindOf(question)));
  const compared = [...groups].filter(([kind, group]) => kind !== null && group.length > 1).map(([, group]) => group);
  const rest = proposals.filter((proposal) => !compared.some((group) => group.includes(proposal)));
  return [...compared, ...(rest.length > 0 ? [rest] : [])];
}
