// What a rewarded question earns beside its formula: bonuses and penalties that keep a proposer broad. A bonus is a row of
// a table; the compiler wants one for each name in config/learn.ts.
import type { proposerBonuses, RewardSettings } from "../config/learn.ts";
import { countKinds, kindOf } from "../kinds.ts";
import type { Completion, Question } from "../types.ts";

/** What a run remembers of questions like one (explore/). */
export interface Curiosity {
  /** 1 for a cell that was never asked, falling with each time it was. */
  readonly rarity: number;
  /** By how much the error of the solve rate that was expected of its cell has fallen lately, 0 or more. */
  readonly errorFall: number;
}

/** Of a run that remembers nothing. */
export const notCurious: Curiosity = { rarity: 1, errorFall: 0 };

export type Bonus = (
  proposal: Pick<Completion, "logprobs">,
  of: Curiosity & { readonly kindShare: number },
  settings: Pick<RewardSettings, (typeof proposerBonuses)[number]>,
) => number;

/**
 * - `proposerEntropyCoef` × −log π(question), in nats. The expectation of −log π is the policy's entropy, and the policy
 *   that maximises reward plus entropy spreads over everything that is rewarded (maximum entropy reinforcement learning,
 *   arXiv 1702.08165) where reward alone would settle on the kind it already writes most.
 * - −`repetitionPenalty` × share of the question's kind: the repetition penalty of R-Zero (arXiv 2508.05004), which takes
 *   λ|C|/B where the question's cluster C makes up so much of the batch B. There clusters are found by BLEU, here they are
 *   the topic's kinds.
 * - `rareCellBonus` × 1/√(1 + n), where the question's kind was asked n times before at its difficulty (explore/cells.ts).
 * - `progressBonus` × how much the error of the solve rate expected of its cell has fallen (explore/expectations.ts).
 */
const bonuses: Readonly<Record<(typeof proposerBonuses)[number], Bonus>> = {
  proposerEntropyCoef: (proposal, _, { proposerEntropyCoef }) => proposerEntropyCoef * surprise(proposal),
  repetitionPenalty: (_, { kindShare }, { repetitionPenalty }) => -(repetitionPenalty * kindShare),
  rareCellBonus: (_, { rarity }, { rareCellBonus }) => rareCellBonus * rarity,
  progressBonus: (_, { errorFall }, { progressBonus }) => progressBonus * errorFall,
};

/** A reward above 0 with all bonuses, never below 0; a reward of 0 or less stays as it is. */
export function withBonuses(
  reward: number,
  proposal: Parameters<Bonus>[0],
  of: Parameters<Bonus>[1],
  settings: Parameters<Bonus>[2],
): number {
  if (reward <= 0) return reward;
  return Math.max(
    0,
    Object.values(bonuses).reduce((sum, bonus) => sum + bonus(proposal, of, settings), reward),
  );
}

/** Of each question, the share of all that are of its kind. */
export function kindShares(questions: readonly Question[]): number[] {
  const counts = countKinds(questions);
  return questions.map((question) => (counts.get(kindOf(question)) ?? 0) / questions.length);
}

/** −log of a completion's probability, in nats. */
const surprise = ({ logprobs }: Pick<Completion, "logprobs">): number =>
  logprobs.reduce((sum, logprob) => sum - logprob, 0);
