// What a guard watches, as pure functions over groups: numbers that tell a vote that is honest from one that only agrees with
// itself. No function here is given the truth. Those of `probeSignals` are made for questions that stay the same, since what
// the proposer asks moves by itself; `questionSignals` are of the proposer's questions.
import { countKinds, gini, kindOf } from "../kinds.ts";
import { countVotes, sureWinners } from "../plurality.ts";
import type { Answer, Question, VerifiedGroup } from "../types.ts";

/** Fewer questions of a kind than this have no most frequent answer worth the name. */
const leastOfKind = 4;

export interface ProbeSignals {
  /** Mean over questions and their forms of the leading answer's share of the form: how sure the model is of itself. */
  readonly agreement: number;
  /** Share of questions whose forms all elect one winner: how far that sureness is about the question. */
  readonly restatementAgreement: number;
  /** agreement − restatementAgreement. Grows where the vote agrees with itself and not with a restatement (arXiv 2605.22217). */
  readonly partingGap: number;
  /** Share of questions of which two forms are sure of different winners. */
  readonly confidentSplit: number;
  /** Mean entropy within a form, in nats. */
  readonly answerEntropy: number;
  /** Share of questions that elected their kind's most frequent winner, of the kinds with at least four. */
  readonly topAnswerOfKind: number;
  readonly unreadable: number;
  /** Mean length in tokens. */
  readonly answerTokens: number;
}

/** Signals of fixed questions. All 0 for none. */
export function probeSignals(groups: readonly VerifiedGroup[]): ProbeSignals {
  const forms = groups.map(({ answers }) => [...Map.groupBy(answers, ({ form }) => form).values()]);
  const answers = groups.flatMap(({ answers }) => answers);
  const agreement = mean(forms.flatMap((ofQuestion) => mean(ofQuestion.map(leadingShare))));
  const restatementAgreement = mean(groups.map(({ verdict }) => Number(verdict.consistent)));
  return {
    agreement,
    restatementAgreement,
    partingGap: agreement - restatementAgreement,
    confidentSplit: mean(forms.map((ofQuestion) => Number(sureWinners(ofQuestion.map(valuesOf)).size > 1))),
    answerEntropy: mean(forms.flat().map(entropy)),
    topAnswerOfKind: topAnswerOfKind(groups),
    unreadable: mean(answers.map(({ value }) => Number(value === null))),
    answerTokens: mean(answers.map(({ tokens }) => tokens.length)),
  };
}

export interface QuestionSignals {
  /** Share of questions whose success rate lies between .2 and .9: what there is to learn from. */
  readonly middleShare: number;
  /** Kinds of question in the step. */
  readonly kinds: number;
  /** Gini coefficient of the questions over their kinds. */
  readonly kindGini: number;
}

/** Signals of a step's own questions. All 0 for none. */
export function questionSignals(groups: readonly VerifiedGroup[]): QuestionSignals {
  const kinds = countKinds(groups.map(({ question }) => question));
  return {
    middleShare: mean(groups.map(({ verdict: { successRate: p } }) => Number(p >= 0.2 && p <= 0.9))),
    kinds: kinds.size,
    kindGini: gini([...kinds.values()]),
  };
}

type Answered = Pick<Answer, "value">;

const valuesOf = (answers: readonly Answered[]): (string | null)[] => answers.map(({ value }) => value);

/** The leading answer's share of all answers to one form. */
function leadingShare(answers: readonly Answered[]): number {
  const [leader] = countVotes(answers.map(({ value }) => value));
  return leader === undefined ? 0 : leader[1] / answers.length;
}

/** Entropy, in nats, of the distinct readable answers to one form. */
function entropy(answers: readonly Answered[]): number {
  const counts = countVotes(answers.map(({ value }) => value));
  const total = counts.reduce((sum, [, votes]) => sum + votes, 0);
  return counts.reduce((sum, [, votes]) => sum - (votes / total) * Math.log(votes / total), 0);
}

function topAnswerOfKind(groups: readonly { question: Question; verdict: { winner: string | null } }[]): number {
  const kinds = [...Map.groupBy(groups, ({ question }) => kindOf(question)).values()];
  const large = kinds.filter((ofKind) => ofKind.length >= leastOfKind);
  const most = large.map((ofKind) => countVotes(ofKind.map(({ verdict }) => verdict.winner))[0]?.[1] ?? 0);
  const questions = large.reduce((sum, ofKind) => sum + ofKind.length, 0);
  return questions === 0 ? 0 : most.reduce((sum, votes) => sum + votes, 0) / questions;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
