// Two exams of the same questions, compared question by question.
import { type QuestionOutcome, shareRight } from "./exam.ts";
import { compareShares, compareSingle, type PairedDifference } from "./paired.ts";

/** What changed from one model to the other. Null where nothing was sampled, or nothing can be voted on. */
export interface ExamComparison {
  /** Questions that both answered. */
  readonly questions: number;
  readonly passAt1: PairedDifference | null;
  readonly greedy: PairedDifference;
  readonly vote: PairedDifference | null;
}

/** Compares `after` with `before`, by question; questions that only one of them was asked are left out. */
export function compareExams(before: readonly QuestionOutcome[], after: readonly QuestionOutcome[]): ExamComparison {
  const earlier = new Map(before.map((outcome) => [outcome.question.key, outcome]));
  const both = after.flatMap((outcome) => {
    const other = earlier.get(outcome.question.key);
    return other === undefined ? [] : [{ before: other, after: outcome }];
  });
  const pairs = (of: (outcome: QuestionOutcome) => number) =>
    both.map((pair) => ({ before: of(pair.before), after: of(pair.after) }));
  const all = both.flatMap((pair) => [pair.before, pair.after]);
  return {
    questions: both.length,
    passAt1: all.some(({ sampled }) => sampled.length > 0) ? compareShares(pairs(shareRight)) : null,
    greedy: compareSingle(pairs(({ greedy }) => Number(greedy?.right ?? false))),
    vote: all.some(({ voteRight }) => voteRight !== null)
      ? compareSingle(pairs(({ voteRight }) => Number(voteRight ?? false)))
      : null,
  };
}
