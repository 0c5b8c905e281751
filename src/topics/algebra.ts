// The topic `algebra`: linear equations in one unknown and word problems about who has how many, with whole and fractional
// answers, for a model that continues characters. The solver may write working and then `#` with the answer.

import { canonicalAnswer } from "../answer/answer.ts";
import { UsageError } from "../errors.ts";
import { randomStream } from "../random.ts";
import type { Question, Reading } from "../types.ts";
import { type Problem, turnedRound } from "./algebra-facts.ts";
import {
  type AlgebraQuestion,
  algebraMarks,
  type Equation,
  namesOf,
  peopleNames,
  questionText,
  readQuestionText,
  readWrittenQuestion,
  rename,
  reverseNumbers,
  type Term,
  toQuestion,
  unknownNames,
  withDoubledNumbers,
  writeQuestion,
} from "./algebra-notation.ts";
import { algebraTruth } from "./algebra-truth.ts";
import { defineTopic } from "./define-topic.ts";
import { questionsOf } from "./draw.ts";

export const algebra = defineTopic({
  name: "algebra",
  description: "Linear equations and word problems about who has how many, worked out before a marked answer.",
  verification: "vote",
  maxTokens: { propose: 49, solve: 80 },
  // Left to choose, a proposer in training soon writes only the family that is rewarded more (0015).
  proposePrompt: ({ random }) => algebraMarks.propose[random.pick(["equation", "problem"] as const)],
  readQuestion: (reply) => {
    const read = readWrittenQuestion(reply);
    if (!read.ok) return read;
    const question = toQuestion(read.value);
    return { ok: true, value: { ...question, text: questionText(inDrawnWords(read.value, question.key)) } };
  },
  solvePrompt: (question) => `${algebraMarks.solve}${writeQuestion(questionIn(question))}:`,
  readAnswer: (reply) => readMarkedAnswer(reply),
  restatements: (question) => {
    const asked = questionIn(question);
    const forms = asked.kind === "equation" ? equivalentEquations(asked) : equivalentProblems(asked);
    return forms
      .filter(({ form }) => readQuestionText(toQuestion(form).text).ok)
      .map(({ form, toOriginal }) => ({ question: toQuestion(form), toOriginal }));
  },
  // The proposer begins with easy questions of both families. What keeps the hard ones from dying out before the solver is
  // ready for them is in 0018.
  settings: {
    steps: 240,
    groupsPerBatch: 64,
    proposerEvery: 1,
    proposerLossWeight: 0.1,
    proposerEntropyCoef: 0.1,
    repetitionPenalty: 10,
    malformedReward: 0,
    bandLow: 0.1,
    bandHigh: 0.95,
    guard: "act",
    probeEvery: 8,
  },
  generator: questionsOf(algebraTruth),
  hidden: algebraTruth,
});

/**
 * The same question in other words: names, the order of the sentences, the side on which something stands and who is said
 * to have more are drawn anew, from the question's own key. They change nothing, and a proposer in training settles on one
 * way to put things, which the solver would learn instead of the question (0018).
 */
function inDrawnWords(question: AlgebraQuestion, key: string): AlgebraQuestion {
  const random = randomStream("algebra", key);
  if (question.kind === "equation") {
    const renamed = rename(question, new Map([[namesOf(question)[0], random.pick(unknownNames)]]));
    return random.next() < 0.5 ? renamed : withSidesExchanged(renamed);
  }
  const names = random.shuffle(peopleNames);
  const renamed = rename(question, new Map(peopleNames.map((name, i) => [name, names[i]])));
  const facts = renamed.facts.map((fact) => (random.next() < 0.5 ? fact : turnedRound(fact)));
  return { ...renamed, facts: random.shuffle(facts) };
}

const withSidesExchanged = ({ left, right }: Equation): Equation => ({ kind: "equation", left: right, right: left });

/** The marked number, compared as mathematics: 4/2 is 2. The working before it is not judged. */
function readMarkedAnswer(reply: string): Reading<string> {
  const parts = reply.split("#");
  if (parts.length === 1) return { ok: false, reason: "no marked answer" };
  if (parts.length > 2) return { ok: false, reason: "more than one marked answer" };
  if (!/^-?[0-9]{1,6}(?:\/[0-9]{1,6})?$/.test(parts[1]))
    return { ok: false, reason: "the marked answer is not a number" };
  const canonical = canonicalAnswer(reverseNumbers(parts[1]));
  // What has no value, such as 3/0, keeps another kind of text.
  return canonical.ok && /^-?\d+(?:\/\d+)?$/.test(canonical.value)
    ? canonical
    : { ok: false, reason: "the marked answer has no value" };
}

/** An equivalent form, and how the original's answer follows from its own. */
interface Form<Kind extends AlgebraQuestion> {
  readonly form: Kind;
  readonly toOriginal: (answer: string) => string;
}

const sameAnswer = (answer: string): string => answer;

/** How far the answer of another form may lie from the original's: far enough for other digits and another sign. */
const answerShifts = [7, -7, 6, -6, 8, -8, 5, -5, 9, -9, 4, -4] as const;

/**
 * The sides exchanged under another name, and the equation that `y + 7`, say, in place of the unknown gives. Both are as hard
 * as the original: a form that the model cannot solve would silence the vote.
 */
function equivalentEquations(equation: Equation): Form<Equation>[] {
  const [name] = namesOf(equation);
  const next = unknownNames[((unknownNames as readonly string[]).indexOf(name) + 1) % unknownNames.length];
  const renamed = rename(equation, new Map([[name, next]]));
  // The one whose largest number is smallest: a form in numbers that the model was never taught would silence the vote.
  const shifted = answerShifts.map((shift) => ({
    form: withMovedAnswer(equation, shift),
    toOriginal: (answer: string) => addTo(answer, shift),
  }));
  const size = ({ form }: Form<Equation>): number =>
    Math.max(
      ...[...form.left, ...form.right].map(
        ({ coefficient, shift }) => Math.abs(coefficient) * Math.max(1, Math.abs(shift)),
      ),
    );
  return [
    { form: withSidesExchanged(renamed), toOriginal: sameAnswer },
    shifted.reduce((best, each) => (size(each) < size(best) ? each : best)),
  ];
}

/**
 * Puts `y + by` in place of the unknown, which makes the answer smaller by `by`. What that brings goes into the
 * parentheses and the number of its side, or into the number of the other side.
 */
function withMovedAnswer({ left, right }: Equation, by: number): Equation {
  const hasNumber = (side: readonly Term[]): boolean => side.some(({ name }) => name === null);
  const brought = (side: readonly Term[]): number =>
    side.reduce((sum, term) => sum + (term.name === null || term.shift !== 0 ? 0 : by * term.coefficient), 0);
  const inParentheses = (side: readonly Term[]): readonly Term[] =>
    side.map((term) => (term.name === null || term.shift === 0 ? term : { ...term, shift: term.shift + by }));
  const added = (side: readonly Term[], number: number): readonly Term[] => {
    const index = side.findIndex(({ name }) => name === null);
    const term = { coefficient: number + (side[index]?.coefficient ?? 0), name: null, shift: 0 };
    const others = side.filter((_, i) => i !== index);
    if (term.coefficient === 0 && others.length > 0) return others;
    return index === -1 ? [...others, term] : side.toSpliced(index, 1, term);
  };
  const [onLeft, onRight] = [brought(left), brought(right)];
  const [toLeft, toRight] =
    hasNumber(left) === hasNumber(right)
      ? [onLeft, onRight]
      : hasNumber(left)
        ? [onLeft - onRight, 0]
        : [0, onRight - onLeft];
  return {
    kind: "equation",
    left: added(inParentheses(left), toLeft),
    right: added(inParentheses(right), toRight),
  };
}

/**
 * The sentences in reverse order about other people, each said from the other side ("A has 5 more than B" as "B has 5
 * fewer than A"): a model that takes one for the other is wrong with conviction. And everybody with twice as many: other
 * digits and other carries, where a form with some more for each keeps a sum that is always ten too large consistent.
 */
function equivalentProblems(problem: Problem): Form<Problem>[] {
  const renamed = new Map(peopleNames.map((name, i) => [name, peopleNames[(i + 1) % peopleNames.length]] as const));
  const turned = rename({ ...problem, facts: problem.facts.map(turnedRound).reverse() }, renamed);
  return [
    { form: turned, toOriginal: sameAnswer },
    { form: withDoubledNumbers(problem), toOriginal: halve },
  ];
}

/** A canonical number plus a whole one; what is in lowest terms stays so. */
export function addTo(answer: string, shift: number): string {
  const [top, bottom = "1"] = answer.split("/");
  const sum = String(Number(top) + shift * Number(bottom));
  return bottom === "1" ? sum : `${sum}/${bottom}`;
}

/** Half of a canonical number, in lowest terms again. */
export function halve(answer: string): string {
  const [top, bottom = "1"] = answer.split("/");
  const quotient = canonicalAnswer(`${top}/${2 * Number(bottom)}`);
  return quotient.ok ? quotient.value : answer;
}

function questionIn(question: Question): AlgebraQuestion {
  const read = readQuestionText(question.text);
  if (read.ok) return read.value;
  throw new UsageError(
    `"${question.text}" is not an algebra question: ${read.reason}.`,
    "Write an equation like 3x+5=20, or facts like A=B+5;A+B=27;A?.",
  );
}
