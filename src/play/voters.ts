// Votes that stop when they are decided: how many answers a group still needs, so that what it elects is what the whole group
// would have elected. Pure; who asks is solve.ts and `sqlm ask`.
import { type Counts, countVotes } from "../plurality.ts";
import type { Answer, VerdictCore } from "../types.ts";

/** The vote of one form so far. */
export interface FormVote {
  readonly counts: Counts;
  /** Answers so far, unreadable ones too. */
  readonly asked: number;
  /** Answers in all, where nothing stops it. */
  readonly limit: number;
}

export interface VoterSettings {
  /** Share of all answers that the winner needs for the group to teach; below it the group is given up. 0: never. */
  readonly minAgreement: number;
  /** Ask all answers of a group that elects one winner and is not of one mind: it will teach. */
  readonly completeDisputed: boolean;
}

/** Answers to each of so many forms that come before all others: two, or in all enough for a share of them to say something. */
export function earlyLook(limit: number, forms: number): number {
  return Math.min(firstLook(limit), Math.max(2, Math.ceil(4 / forms)));
}

/** As many of `limit` answers as decide a form where all are the same: more than half. */
export function firstLook(limit: number): number {
  return Math.min(limit, Math.floor(limit / 2) + 1);
}

/** The vote over answers to one form. */
export function formVote(values: readonly (string | null)[], limit: number): FormVote {
  return { counts: countVotes(values), asked: values.length, limit };
}

/**
 * Answers still to be asked of each form in the next round; all 0 where the group is settled. One is settled when
 * - every form has its winner, whatever comes (exact stop: the leader is ahead of the second by more than there are answers left);
 * - no answer can win in every form any more, or none can reach `minAgreement`: the group teaches nothing (abandoned);
 * - nothing but an early look was taken, and the leader has less than `minAgreement` of it, or than half: it will hardly teach. Of recorded
 *   groups that would have taught .1 to .9 % are lost by this, of multiplication's 0 to .5 %.
 * With `completeDisputed` a group that is settled on one winner with some votes against it is asked to its end. What a group elects
 * in all forms, the whole group elects too.
 */
export function answersToAsk(forms: readonly FormVote[], settings: VoterSettings): number[] {
  const none = forms.map(() => 0);
  const winners = possibleWinners(forms);
  if (winners.size === 0 || !canReach(forms, settings.minAgreement)) return none;
  const early = forms.map(({ asked, limit }) => Math.max(0, firstLook(limit) - asked));
  if (early.some((answers) => answers > 0)) return isHopeless(forms, settings) ? none : early;
  const open = forms.map(toDecide);
  if (open.some((answers) => answers > 0)) return open;
  const disputed = forms.some(({ counts, asked }) => (counts[0]?.[1] ?? 0) < asked);
  return settings.completeDisputed && disputed ? forms.map(({ asked, limit }) => limit - asked) : none;
}

/**
 * As answersToAsk, for one who wants to know the winner: also of forms that elect different ones, it goes on until the winner of all
 * answers together is decided.
 */
export function answersToElect(forms: readonly FormVote[]): number[] {
  const more = answersToAsk(forms, { minAgreement: 0, completeDisputed: false });
  if (more.some((answers) => answers > 0)) return more;
  let left = toDecide(together(forms));
  return forms.map(({ asked, limit }) => {
    const answers = Math.min(left, limit - asked);
    left -= answers;
    return answers;
  });
}

/**
 * How many groups one that was asked to its end stands for. Of groups with just these votes those stop unanimous, and teach nothing, whose
 * votes against the winner all come behind the first look; each of the others weighs 1 / (1 − their share), so that together they
 * teach what all of them would (Horvitz and Thompson 1952). Answers to a form come in any order alike: the share is
 * Π C(n − k, m) / C(n, m) over the forms, n answers of which k are against the winner and m are in the first look. 1 where all are for the
 * winner, or none is: programs, which tests judge, are asked to the end.
 */
export function standsFor({
  answers,
  verdict: { winner },
}: {
  readonly answers: readonly Pick<Answer, "form" | "value">[];
  readonly verdict: Pick<VerdictCore, "winner">;
}): number {
  if (winner === null) return 1;
  let stopped = 1;
  for (const ofForm of Map.groupBy(answers, ({ form }) => form).values()) {
    const { length } = ofForm;
    const against = ofForm.filter(({ value }) => value !== winner).length;
    // C(n − k, m) / C(n, m), factor by factor.
    for (let i = 0; i < firstLook(length); i++) stopped *= Math.max(0, length - against - i) / (length - i);
  }
  return stopped === 1 ? 1 : 1 / (1 - stopped);
}

/** All forms as one vote. */
function together(forms: readonly FormVote[]): FormVote {
  const votes = new Map<string, number>();
  for (const { counts } of forms)
    for (const [value, given] of counts) votes.set(value, (votes.get(value) ?? 0) + given);
  const [asked, limit] = [sum(forms.map((form) => form.asked)), sum(forms.map((form) => form.limit))];
  return { counts: [...votes].sort((a, b) => b[1] - a[1]), asked, limit };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** The fewest answers that could decide a form: as many as do if all are for its leader. 0 where it is decided or has ended. */
function toDecide({ counts, asked, limit }: FormVote): number {
  const left = limit - asked;
  const [most = 0, second = 0] = counts.map(([, votes]) => votes);
  return most - second > left ? 0 : Math.min(left, Math.floor((left - most + second) / 2) + 1);
}

/** Stands for every answer that nobody has given yet. */
const unseen = Symbol("unseen");
type Candidate = string | typeof unseen;

/** Answers that may still win this form by strict plurality. None where it ended in a tie or without an answer. */
function electable({ counts, asked, limit }: FormVote): Set<Candidate> {
  const left = limit - asked;
  const [most = 0, second = 0] = counts.map(([, votes]) => votes);
  const candidates = counts.flatMap(([value, votes], i): Candidate[] =>
    votes + left > (i === 0 ? second : most) ? [value] : [],
  );
  return new Set(left > most ? [...candidates, unseen] : candidates);
}

/** Answers that may still win every form. An answer that one form has not seen may win it where any unseen one may. */
function possibleWinners(forms: readonly FormVote[]): Set<Candidate> {
  const possible = forms.map(electable);
  const seen = forms.map(({ counts }) => new Set(counts.map(([value]) => value)));
  const all = new Set(possible.flatMap((ofForm) => [...ofForm]));
  return new Set(
    [...all].filter((value) =>
      possible.every(
        (ofForm, i) => ofForm.has(value) || (value !== unseen && !seen[i].has(value) && ofForm.has(unseen)),
      ),
    ),
  );
}

/** Whether so few of the answers so far are the same that hardly any group like it teaches in the end. */
function isHopeless(forms: readonly FormVote[], { minAgreement }: VoterSettings): boolean {
  const { counts, asked } = together(forms);
  return (counts[0]?.[1] ?? 0) < Math.min(minAgreement, 0.5) * asked - 1e-9;
}

/** Whether some answer can still have `minAgreement` of all answers of the group. */
function canReach(forms: readonly FormVote[], minAgreement: number): boolean {
  const { counts, asked, limit } = together(forms);
  // Shares of whole answers may differ from their product by a rounding.
  return (counts[0]?.[1] ?? 0) + limit - asked >= minAgreement * limit - 1e-9;
}
