// Strict plurality: what the vote over answers and the vote over the outputs of programs count in the same way.
import type { Answer, VerdictCore } from "./types.ts";

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

/** Share of a form's answers from which on its winner counts as sure. */
const sure = 0.6;

/** Different winners that forms are sure of, each by .6 of its own answers or more. `forms`: the values of each, null where unreadable. */
export function sureWinners(forms: readonly (readonly (string | null)[])[]): Set<string> {
  const winners = forms.flatMap((values) => {
    const [leader] = countVotes(values);
    return leader !== undefined && leader[1] >= sure * values.length ? [leader[0]] : [];
  });
  return new Set(winners);
}

/**
 * How far the forms of a question are apart, 0 to 1: 1 − Σₐ min_f p_f(a), p_f(a) the share of the answer a in form f, where two forms are
 * sure of different winners; else 0. (Ours.)
 */
export function splitOf(answers: readonly Pick<Answer, "form" | "value">[]): number {
  const forms = [...Map.groupBy(answers, ({ form }) => form).values()].map((form) => form.map(({ value }) => value));
  if (sureWinners(forms).size < 2) return 0;
  const values = new Set(answers.flatMap(({ value }) => (value === null ? [] : [value])));
  const shared = [...values].reduce(
    (sum, value) => sum + Math.min(...forms.map((form) => form.filter((one) => one === value).length / form.length)),
    0,
  );
  return 1 - shared;
}

/** Whether a vote, or tests, ended with a label that every form of the question agrees on. */
export const hasLabel = ({ problem, consistent }: Pick<VerdictCore, "problem" | "consistent">): boolean =>
  problem === null && consistent;
