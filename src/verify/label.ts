// Which answer a vote takes for right, and whether it may teach. A rule is a row of a table; the compiler wants one for each name in
// config/play.ts. Whatever the rule, the winner of a tie is nobody.
import type { LabelRule } from "../config/play.ts";
import { type Counts, countVotes, strictWinner } from "../plurality.ts";

/** A vote, form by form. */
export interface Ballot {
  readonly counts: Counts;
  /** Answers to each form, unreadable ones as null. */
  readonly forms: readonly (readonly (string | null)[])[];
}

interface Label {
  readonly winner: string | null;
  /** The rule lets it teach. */
  readonly accepted: boolean;
}

type Rule = (ballot: Ballot) => Label;

/**
 * - `consistent`: the plurality of all answers, where every form elects it by strict plurality (ours, decision 0011).
 * - `quorum`: the answer that more forms elect, each by strict plurality, than any other, and at least two (all where there is one form).
 *   A form that elected something else is taught what the others say: with `consistent` it silences the question, and no plurality is
 *   ever corrected (ours, decision 0086).
 * - `margin`: the plurality, where its share is .375 or more and more than .125 above the second's: the thresholds of SCRL (arXiv
 *   2603.19880). Forms do not count.
 * - `harmonic`: argmax h(a), h the harmonic mean of the shares p_f(a) over forms, where it is ½ or more (Self-Harmony, arXiv
 *   2511.01191, which takes two forms and accepts all). Shares are smoothed, (c + ½)/(n + 1): of five answers none is right one time
 *   in six where p = .3, and one zero would rule an answer out.
 * - `both`: as `harmonic`, where every form elects it too.
 */
export const labelRules: Readonly<Record<LabelRule, Rule>> = {
  consistent: (ballot) => {
    const winner = strictWinner(ballot.counts);
    return { winner, accepted: winner !== null && electedByAll(ballot, winner) };
  },
  quorum: ({ counts, forms }) => {
    const elected = countVotes(forms.map((form) => strictWinner(countVotes(form))));
    const winner = strictWinner(elected);
    const accepted = winner !== null && elected[0][1] >= Math.min(2, forms.length);
    return accepted ? { winner, accepted } : { winner: strictWinner(counts), accepted };
  },
  margin: ({ counts, forms }) => {
    const answers = forms.reduce((sum, form) => sum + form.length, 0);
    const [most = 0, second = 0] = counts.map(([, votes]) => votes / answers);
    const winner = strictWinner(counts);
    return { winner, accepted: winner !== null && most >= leastShare && most - second > leastMargin };
  },
  harmonic,
  both: (ballot) => {
    const { winner, accepted } = harmonic(ballot);
    return { winner, accepted: accepted && winner !== null && electedByAll(ballot, winner) };
  },
};

const leastShare = 0.375;
const leastMargin = 0.125;
const leastHarmonic = 0.5;

function harmonic({ counts, forms }: Ballot): Label {
  const scored = counts.map(([value]) => ({ value, h: harmonicShare(value, forms) })).sort((a, b) => b.h - a.h);
  const [first, next] = scored;
  if (first === undefined || (next !== undefined && next.h === first.h)) return { winner: null, accepted: false };
  return { winner: first.value, accepted: first.h >= leastHarmonic };
}

/** F/Σ 1/p_f of the smoothed shares of a value in each form, 0 to 1. */
export function harmonicShare(value: string, forms: Ballot["forms"]): number {
  const inverse = forms.map((form) => (form.length + 1) / (form.filter((one) => one === value).length + 0.5));
  return forms.length / inverse.reduce((sum, one) => sum + one, 0);
}

function electedByAll({ forms }: Ballot, winner: string): boolean {
  return forms.every((form) => strictWinner(countVotes(form)) === winner);
}
