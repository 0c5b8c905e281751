// The vote: strict plurality over one group of answers, and the consistent vote over the forms in which the question was
// put. It compares canonical values only; making equal answers equal strings is the topic's work.
import { countVotes, isTie, strictWinner } from "../plurality.ts";
import type { Answer, VoteVerdict } from "../types.ts";

/**
 * Counts the answers to one question. The value with strictly the most votes wins; a tie has no winner, unreadable
 * answers (value null) vote for nothing but count in the group size. The verdict does not depend on the order of answers,
 * but for `scores`, which are in that order.
 *
 * The group is `consistent` when every form that was put elected the same winner, each by strict plurality. Then that
 * value is also the winner of the whole group.
 */
export function vote(answers: readonly Pick<Answer, "form" | "value">[]): VoteVerdict {
  const counts = countVotes(answers.map(({ value }) => value));
  const winner = strictWinner(counts);
  const forms = [...new Set(answers.map(({ form }) => form))].sort((a, b) => a - b);
  const formWinners = forms.map((form) =>
    strictWinner(countVotes(answers.filter((answer) => answer.form === form).map(({ value }) => value))),
  );
  const leading = counts.length === 0 ? 0 : counts[0][1];
  const agreement = leading === 0 ? 0 : leading / answers.length;
  const consistent = winner !== null && formWinners.every((formWinner) => formWinner === winner);
  return {
    kind: "vote",
    counts,
    winner,
    tie: isTie(counts),
    agreement,
    successRate: agreement,
    scores: votesFor(winner, answers),
    problem: counts.length === 0 ? "no-answer" : winner === null ? "tie" : null,
    unreadable: answers.filter(({ value }) => value === null).length,
    groupSize: answers.length,
    formWinners,
    consistent,
    confirmed: consistent,
    disputed: leading > 1 && leading < answers.length,
  };
}

/** 1 for each answer that gave the winner. A null value never equals one, even where there is none. */
export function votesFor(winner: string | null, answers: readonly Pick<Answer, "value">[]): number[] {
  return answers.map(({ value }) => (value !== null && value === winner ? 1 : 0));
}
