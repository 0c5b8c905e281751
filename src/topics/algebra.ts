// The topic `algebra`: linear equations in one unknown and word problems about who has how many, with whole and fractional
// answers, for a model that continues characters. The solver may write working and then `#` with the answer.
import { UsageError } from "../errors.ts";
import type { Question, Reading } from "../types.ts";
import { canonicalAnswer } from "../verify/answer.ts";
import {
  type AlgebraQuestion,
  algebraMarks,
  type Equation,
  namesOf,
  peopleNames,
  readQuestionText,
  readWrittenQuestion,
  rename,
  reverseNumbers,
  type Term,
  toQuestion,
  unknownNames,
  writeQuestion,
} from "./algebra-notation.ts";
import { algebraTruth } from "./algebra-truth.ts";
import { defineTopic } from "./define-topic.ts";

export const algebra = defineTopic({
  name: "algebra",
  description: "Linear equations and word problems about who has how many, worked out before a marked answer.",
  verification: "vote",
  maxTokens: { propose: 49, solve: 72 },
  proposePrompt: () => algebraMarks.propose,
  readQuestion: (reply) => {
    const question = readWrittenQuestion(reply);
    return question.ok ? { ok: true, value: toQuestion(question.value) } : question;
  },
  solvePrompt: (question) => `${algebraMarks.solve}${writeQuestion(questionIn(question))}:`,
  readAnswer: (reply) => readMarkedAnswer(reply),
  restatements: (question) => {
    const asked = questionIn(question);
    return (asked.kind === "equation" ? equivalentEquations(asked) : equivalentProblems(asked)).map((form) => ({
      question: toQuestion(form),
      toOriginal: (answer: string) => answer,
    }));
  },
  hidden: algebraTruth,
});

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

/** Both sides doubled, the unknown renamed, the sides exchanged: each makes the model work on other characters. */
function equivalentEquations(equation: Equation): AlgebraQuestion[] {
  const [name] = namesOf(equation);
  const next = unknownNames[((unknownNames as readonly string[]).indexOf(name) + 1) % unknownNames.length];
  const doubled = (terms: readonly Term[]): readonly Term[] =>
    terms.map((term) => ({ ...term, coefficient: 2 * term.coefficient }));
  return [
    { ...equation, left: doubled(equation.left), right: doubled(equation.right) },
    rename(equation, new Map([[name, next]])),
    { ...equation, left: equation.right, right: equation.left },
  ].filter(isReadable);
}

/** The sentences in reverse order, and the people renamed. */
function equivalentProblems(problem: AlgebraQuestion & { kind: "problem" }): AlgebraQuestion[] {
  const shifted = peopleNames.map((name, i) => [name, peopleNames[(i + 1) % peopleNames.length]] as const);
  return [{ ...problem, facts: [...problem.facts].reverse() }, rename(problem, new Map(shifted))].filter(isReadable);
}

/** A form may be larger than the topic allows; then it is no question. */
const isReadable = (form: AlgebraQuestion): boolean => readQuestionText(toQuestion(form).text).ok;

function questionIn(question: Question): AlgebraQuestion {
  const read = readQuestionText(question.text);
  if (read.ok) return read.value;
  throw new UsageError(
    `"${question.text}" is not an algebra question: ${read.reason}.`,
    "Write an equation like 3x+5=20, or facts like A=B+5;A+B=27;A?.",
  );
}
