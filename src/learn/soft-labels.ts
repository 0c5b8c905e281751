// Soft labels: every answer that was given is a label, weighed by how many gave it (RESTRAIN, arXiv 2510.02172). A vote that is
// nearly split then teaches little, where a hard label would teach all of it.
import { countVotes } from "../plurality.ts";
import type { VerifiedGroup } from "../types.ts";

/** A value taken for the label: rewards of the group's answers, 1 where they say it, and its weight; weights of a group sum to 1. */
export interface SoftLabel {
  readonly weight: number;
  readonly rewards: readonly number[];
}

/**
 * The labels of a vote, most votes first, with w_j = c_j²/Σ c_k² over the votes c of all distinct values. (RESTRAIN's weights are a
 * Gaussian of the share whose constants were not published; the square is ours.) Tests say what is right, and so does a value that was
 * confirmed the other way round: there the verdict's own scores are the one label.
 */
export function softLabels({ answers, verdict }: Pick<VerifiedGroup, "answers" | "verdict">): readonly SoftLabel[] {
  if (verdict.kind !== "vote" || verdict.tried !== undefined) return [{ weight: 1, rewards: verdict.scores }];
  const counts = countVotes(answers.map(({ value }) => value));
  const squares = counts.reduce((sum, [, votes]) => sum + votes ** 2, 0);
  return counts.map(([value, votes]) => ({
    weight: votes ** 2 / squares,
    rewards: answers.map((answer) => (answer.value === value ? 1 : 0)),
  }));
}

/** Σ_j w_j·1[answer i says j]: what each answer is worth, 0 to 1; 0 for one that cannot be read. */
export function softRewards(group: Pick<VerifiedGroup, "answers" | "verdict">): readonly number[] {
  const labels = softLabels(group);
  return group.answers.map((_, i) => labels.reduce((sum, { weight, rewards }) => sum + weight * rewards[i], 0));
}
