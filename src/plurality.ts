// Strict plurality: what the vote over answers and the vote over the outputs of programs count in the same way.
import type { VerdictCore } from "./types.ts";

/** Distinct values with their votes, most first, equal ones in code-unit order. */
export type Counts = readonly (readonly [value: string, votes: number])[];

/** Counts values; null votes for nothing. The order of `values` does not matter. */
export function countVotes(values: Iterable<string | null>): Counts {
  const votes = new Map<string, number>();
  for (const value of values) if (value !== null) votes.set(value, (votes.get(value) ?? 0) + 1);
  return [...votes].sort(([a, votesOfA], [b, votesOfB]) => votesOfB - votesOfA || (a < b ? -1 : 1));
}

/** The value with strictly the most votes; null on a tie and where nothing was counted. */
export function strictWinner(counts: Counts): string | null {
  return counts.length === 0 || isTie(counts) ? null : counts[0][0];
}

/** Whether two values lead with equally many votes. */
export function isTie(counts: Counts): boolean {
  return counts.length > 1 && counts[0][1] === counts[1][1];
}

/** Whether a vote, or tests, ended with a label that every form of the question agrees on. */
export const hasLabel = ({ problem, consistent }: Pick<VerdictCore, "problem" | "consistent">): boolean =>
  problem === null && consistent;
