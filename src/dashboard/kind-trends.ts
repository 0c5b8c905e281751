// Whether a kind of question is asked more or less than before: what a proposer took up, and what it gave up. Pure.

export type Trend = "gave up" | "took up" | "less" | "more" | "steady" | "few";

/** Fewer questions than this in both thirds together say nothing about a trend. */
const fewest = 20;

/**
 * Compares a kind's share of all questions in the last third of the columns with that in the first; `few` where there are too
 * few to compare.
 * @param counts questions of the kind in each column
 * @param asked all questions in each column
 */
export function trendOf(counts: readonly number[], asked: readonly number[]): Trend {
  const third = Math.max(1, Math.floor(counts.length / 3));
  const share = (from: number, to: number): number => {
    const all = sum(asked.slice(from, to));
    return all === 0 ? 0 : sum(counts.slice(from, to)) / all;
  };
  if (counts.length < 3 || sum(counts.slice(0, third)) + sum(counts.slice(-third)) < fewest) return "few";
  const [before, after] = [share(0, third), share(counts.length - third, counts.length)];
  if (after < before * 0.05) return "gave up";
  if (before < after * 0.05) return "took up";
  if (after < before * 0.67) return "less";
  return before < after * 0.67 ? "more" : "steady";
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
