// What becomes of a vote whose answers were tried the other way round (play/try-answers.ts). Solving is hard and trying is easy, so a
// model that is often wrong in the first is right in the second, and tells a mistake that its answers share (docs/decisions/0089).
import type { Answer, Tried, VoteVerdict } from "../types.ts";
import { votesFor } from "./vote.ts";

/**
 * The vote with the one value that was confirmed as its label, however many answers gave it. Where none was confirmed, or several
 * were, there is no label. A vote of which nothing was tried stays as it is.
 */
export function afterTrying(
  verdict: VoteVerdict,
  answers: readonly Pick<Answer, "value">[],
  tried: Tried,
): VoteVerdict {
  if (tried.size === 0) return verdict;
  const pairs = [...tried];
  const confirmed = pairs.filter(([, holds]) => holds).map(([value]) => value);
  if (confirmed.length !== 1) return { ...verdict, tried: pairs, consistent: false, confirmed: false };
  const [winner] = confirmed;
  const votes = answers.filter(({ value }) => value === winner).length;
  const agreement = votes / answers.length;
  return {
    ...verdict,
    winner,
    agreement,
    successRate: agreement,
    scores: votesFor(winner, answers),
    problem: null,
    tie: false,
    consistent: true,
    confirmed: true,
    disputed: votes > 1 && votes < answers.length,
    tried: pairs,
  };
}
