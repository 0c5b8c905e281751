// The vote: strict plurality over one group of answers, and the consistent vote over the forms in which the question was
// put. It compares canonical values only; making equal answers equal strings is the topic's work.
import type { LabelRule } from "../config/play.ts";
import { countVotes, isTie, strictWinner } from "../plurality.ts";
import type { Answer, VoteVerdict } from "../types.ts";
import { labelRules } from "./label.ts";

/**
 * Counts the answers to one question. By default the value with strictly the most votes wins; a tie has no winner, unreadable
 * answers (value null) vote for nothing but count in the group size. The verdict does not depend on the order of answers,
 * but for `scores`, which are in that order.
 *
 * The group is `consistent` when the label rule (label.ts) accepts the winner: by default when every form that was put elected it,
 * each by strict plurality.
 */
export function vote(answers: readonly Pick<Answer, "form" | "value">[], rule: LabelRule = "consistent"): VoteVerdict {
  const counts = countVotes(answers.map(({ value }) => value));
  const numbers = [...new Set(answers.map(({ form }) => form))].sort((a, b) => a - b);
  const forms = numbers.map((number) => answers.filter(({ form }) => form === number).map(({ value }) => value));
  const { winner, accepted } = labelRules[rule]({ counts, forms });
  const leading = counts.find(([value]) => value === winner)?.[1] ?? counts[0]?.[1] ?? 0;
  const agreement = leading === 0 ? 0 : leading / answers.length;
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
    formWinners: forms.map((form) => strictWinner(countVotes(form))),
    consistent: accepted,
    confirmed: accepted,
    disputed: leading > 1 && leading < answers.length,
  };
}

/** 1 for each answer that gave the winner. A null value never equals one, even where there is none. */
export function votesFor(winner: string | null, answers: readonly Pick<Answer, "value">[]): number[] {
  return answers.map(({ value }) => (value !== null && value === winner ? 1 : 0));
}
