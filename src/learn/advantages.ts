// From rewards to advantages, per group of samples that answer the same prompt. Pure numbers; which groups are worth
// training on is decided before (rewards.ts), how advantages meet tokens after (datum.ts).
import type { LearningSettings } from "../config/learn.ts";

export type AdvantageEstimator = LearningSettings["advantageEstimator"];

/** Keeps the division finite where rewards hardly differ; the value of verl, on which the published runs stand. */
const epsilon = 1e-6;

/**
 * Advantages of a batch, in the shape of `groups`: one list of rewards a group. A group whose rewards are all equal
 * (also a group of one) gets exact zeros under every estimator, and the advantages of every group sum to zero.
 *
 * - `grpo`: (r − mean) / (std + 1e-6) within the group; std is the sample standard deviation (divisor N − 1), as in verl
 *   and TRL (DeepSeekMath, arXiv 2402.03300).
 * - `dr_grpo`: r − mean, since dividing by std favours questions that are nearly solved or nearly hopeless
 *   (arXiv 2503.20783).
 * - `rloo`: r minus the mean of the *other* rewards of the group (arXiv 2402.14740).
 * - `reinforce_plus_plus`: r − mean of the group, divided by the standard deviation of that over the whole batch: the
 *   variant with baseline, which its authors give for groups of samples (arXiv 2501.03262).
 */
export function advantages(groups: readonly (readonly number[])[], estimator: AdvantageEstimator): number[][] {
  if (estimator !== "reinforce_plus_plus") return groups.map((rewards) => withinGroup[estimator](rewards));
  const centred = groups.map(centre);
  const scale = sampleDeviation(centred.flat()) + epsilon;
  return centred.map((group) => group.map((value) => value / scale));
}

const withinGroup: Readonly<
  Record<Exclude<AdvantageEstimator, "reinforce_plus_plus">, (rewards: readonly number[]) => number[]>
> = {
  grpo: (rewards) => {
    const centred = centre(rewards);
    const scale = sampleDeviation(centred) + epsilon;
    return centred.map((value) => value / scale);
  },
  dr_grpo: (rewards) => centre(rewards),
  // r − (sum − r) / (N − 1) is the same as (r − mean) · N / (N − 1).
  rloo: (rewards) =>
    centre(rewards).map((value) => (rewards.length > 1 ? (value * rewards.length) / (rewards.length - 1) : 0)),
};

/** Rewards minus their mean. Equal rewards give exact zeros, which subtracting a rounded mean would not. */
function centre(rewards: readonly number[]): number[] {
  if (rewards.every((reward) => reward === rewards[0])) return rewards.map(() => 0);
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
  return rewards.map((reward) => reward - mean);
}

/** Standard deviation with divisor n − 1; 0 for fewer than two values. */
function sampleDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
