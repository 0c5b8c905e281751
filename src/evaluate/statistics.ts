// Intervals and summaries. Pure numbers.

const z95 = 1.959964;

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard deviation with divisor n − 1; 0 for fewer than two values. */
export function standardDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const average = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / (values.length - 1));
}

/**
 * 95 % interval of the mean of per-question accuracies, each 0 to 1. Questions are the clusters: answers to one question
 * are not independent. The cluster variance gives an effective number of independent trials, and Wilson's interval (1927)
 * for that number stays inside 0 … 1 and does not collapse at the ends.
 */
export function clusteredInterval(perQuestion: readonly number[]): readonly [low: number, high: number] {
  const questions = perQuestion.length;
  if (questions === 0) return [0, 1];
  const p = mean(perQuestion);
  const variance = standardDeviation(perQuestion) ** 2 / questions;
  // Fewer trials than questions would contradict the data being at least one answer a question.
  const trials = variance > 0 ? Math.max(questions, (p * (1 - p)) / variance) : questions;
  return wilsonInterval(p, trials);
}

/** Wilson's 95 % score interval (1927) of a share `p`, 0 to 1, seen in `trials` trials; all of 0 … 1 where there were none. */
export function wilsonInterval(p: number, trials: number): readonly [low: number, high: number] {
  if (trials === 0) return [0, 1];
  const z2 = z95 ** 2;
  const centre = (p + z2 / (2 * trials)) / (1 + z2 / trials);
  const half = (z95 / (1 + z2 / trials)) * Math.sqrt((p * (1 - p)) / trials + z2 / (4 * trials * trials));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/**
 * Chance that at least one of `k` answers is right, from `right` right ones among `answers`: 1 − C(n − c, k) / C(n, k), without
 * bias (Chen et al. 2021, arXiv 2107.03374, section 2.1). `k` may not be above `answers`.
 */
export function passAtK(answers: number, right: number, k: number): number {
  // The quotient of the binomials as a product, so that nothing overflows.
  let allWrong = 1;
  for (let i = 0; i < k; i++) allWrong *= Math.max(0, answers - right - i) / (answers - i);
  return 1 - allWrong;
}

/** Share of the errors before that are gone after: (after − before) / (1 − before); 0 where there was none to remove. */
export function errorRemoved(before: number, after: number): number {
  return before >= 1 ? 0 : (after - before) / (1 - before);
}
