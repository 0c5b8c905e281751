// The vote: strict plurality over one group of answers, and the consistent vote over the forms in which the question was
// put. It compares canonical values only; making equal answers equal strings is the topic's work.
import type { Answer, VoteVerdict } from "../types.ts";

/**
 * Counts the answers to one question. The value with strictly the most votes wins; a tie has no winner, unreadable
 * answers (value null) vote for nothing but count in the group size. The verdict does not depend on the order of answers.
 *
 * The group is `consistent` when every form that was put elected the same winner, each by strict plurality. Then that
 * value is also the winner of the whole group.
 */
export function vote(answers: readonly Pick<Answer, "form" | "value">[]): VoteVerdict {
  const counts = countValues(answers);
  const winner = strictWinner(counts);
  const forms = [...new Set(answers.map(({ form }) => form))].sort((a, b) => a - b);
  const formWinners = forms.map((form) => strictWinner(countValues(answers.filter((answer) => answer.form === form))));
  return {
    kind: "vote",
    counts,
    winner,
    tie: counts.length > 1 && counts[0][1] === counts[1][1],
    agreement: counts.length === 0 ? 0 : counts[0][1] / answers.length,
    unreadable: answers.filter(({ value }) => value === null).length,
    groupSize: answers.length,
    formWinners,
    consistent: winner !== null && formWinners.every((formWinner) => formWinner === winner),
  };
}

type Counts = (readonly [value: string, votes: number])[];

/** Votes of each value, most first, equal ones in code-unit order. */
function countValues(answers: readonly Pick<Answer, "value">[]): Counts {
  const votes = new Map<string, number>();
  for (const { value } of answers) if (value !== null) votes.set(value, (votes.get(value) ?? 0) + 1);
  return [...votes].sort(([a, votesOfA], [b, votesOfB]) => votesOfB - votesOfA || (a < b ? -1 : 1));
}

function strictWinner(counts: Counts): string | null {
  if (counts.length === 0 || (counts.length > 1 && counts[0][1] === counts[1][1])) return null;
  return counts[0][0];
}
