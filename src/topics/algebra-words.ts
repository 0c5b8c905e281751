// The topic `algebra` for models with a chat template: the same equations and problems as algebra.ts, in words. Solvers write a
// line of working before the box, as an earlier turn shows (docs/decisions/0058).
import type { Random } from "../random.ts";
import type { ChatMessage, Question } from "../types.ts";
import { algebra } from "./algebra.ts";
import { type AlgebraQuestion, type Equation, namesOf, readQuestionText } from "./algebra-notation.ts";
import { equationOpening, algebraWording as wording } from "./algebra-sentences.ts";
import { textbookForms, textbookQuestion, textbookQuestions } from "./algebra-textbook.ts";
import { algebraTruth } from "./algebra-truth.ts";
import { defineTopic, type HiddenTruth } from "./define-topic.ts";
import { questionsOf } from "./draw.ts";
import { assistant, inNotation, inWords, readNumber, restatementsInWords, truthInWords, user } from "./words.ts";

const hint = "Ask for example: What is x if 3x + 5 = 20?";

const inSigns = (question: Question): Question => inNotation(wording, "algebra", question, hint);

const storyOpening = "Sam has";

/** A story that went on behind its opening, with it; an equation is heard without. */
const withOpening = (reply: string): string =>
  /^\s*(?:\d+|[a-z]+) [a-z]{2,}/.test(reply) && !/^\s*(?:[a-z]|solve|find|what)\b/i.test(reply)
    ? `${storyOpening} ${reply.trim()}`
    : reply;

/** Examples of each shape. A model copies the shape that it was shown last, and of several at once it asks one only. */
const proposed = {
  equation: [
    ["4x + 6 = 30", "7x - 5 = 44", "3x + 8 = 35"],
    ["6x - 8 = 2x + 12", "5x + 9 = 2x + 30", "9x + 4 = 6x + 25"],
    ["4(x + 3) = 32", "7(x - 2) = 21", "3(x + 5) = 2x + 19"],
  ],
  problem: [
    [
      "Ida has 26 dolls. Tim has 9 more dolls than Ida. How many dolls does Tim have?",
      "Mia has 41 shells. Leo has 17 fewer shells than Mia. How many shells does Leo have?",
      "Zoe has 12 pens. Max and Zoe have 31 pens together. How many pens does Max have?",
    ],
    [
      "Ida has 7 dolls. Tim has 4 times as many dolls as Ida. Leo has 9 more dolls than Tim. How many dolls does Leo have?",
      "Mia has 41 shells. Leo has 17 fewer shells than Mia. Zoe has 3 times as many shells as Leo. How many shells does Zoe have?",
      "Max has 35 pens. Max and Zoe have 52 pens together. Tim has 8 more pens than Zoe. How many pens does Tim have?",
    ],
  ],
} as const;

/** A prompt for one more of a family, behind examples of one shape in drawn order. */
function proposePrompt(random: Random): readonly ChatMessage[] {
  // Left to choose, a proposer in training soon writes only the family that is rewarded more (0015).
  const family = random.pick(["equation", "problem"] as const);
  const [request, say, opening] =
    family === "equation"
      ? ["Write an equation.", (equation: string) => `${equationOpening("x")} ${equation}?`, equationOpening("x")]
      : ["Write a word problem.", (problem: string) => problem, storyOpening];
  const examples = random.shuffle(random.pick<readonly string[]>(proposed[family]));
  return [
    ...examples.flatMap((example) => [user(request), assistant(say(example))]),
    user(request),
    assistant(opening),
  ];
}

const asked = (equation: string): string => `${equationOpening("x")} ${equation}?`;

const withAnswer = (working: string, answer: number): string => `${working} The answer is \\boxed{${answer}}.`;

/**
 * Worked exchanges for each shape of a question, shown before a question of that shape only: of two shapes at once, a 0.5B model took
 * the numbers of one into the working of the other.
 */
const solved = {
  sum: [[asked("x + 8 = 31"), withAnswer("x = 31 - 8 = 23.", 23)]],
  product: [[asked("4x = 24"), withAnswer("4x = 24, so x = 24 / 4 = 6.", 6)]],
  oneSide: [[asked("4x + 6 = 30"), withAnswer("4x = 30 - 6 = 24, so x = 24 / 4 = 6.", 6)]],
  bothSides: [
    [asked("6x - 8 = 2x + 12"), withAnswer("6x - 2x = 12 + 8, so 4x = 20 and x = 20 / 4 = 5.", 5)],
    [asked("5x + 9 = 2x + 30"), withAnswer("5x - 2x = 30 - 9, so 3x = 21 and x = 21 / 3 = 7.", 7)],
  ],
  parentheses: [[asked("4(x + 3) = 2x + 20"), withAnswer("4x + 12 = 2x + 20, so 2x = 8 and x = 8 / 2 = 4.", 4)]],
  twoPeople: [
    [
      "Mia has 14 shells. Leo has 9 more shells than Mia. How many shells does Leo have?",
      withAnswer("Leo has 14 + 9 = 23 shells.", 23),
    ],
  ],
  morePeople: [
    [
      "Mia has 14 shells. Leo has 9 more shells than Mia. Ida has 3 times as many shells as Leo. How many shells does Ida have?",
      withAnswer("Leo has 14 + 9 = 23 shells. Ida has 3 * 23 = 69 shells.", 69),
    ],
    [
      "Max has 40 pens. Max and Zoe have 52 pens together. Tim has 7 fewer pens than Zoe. How many pens does Tim have?",
      withAnswer("Zoe has 52 - 40 = 12 pens. Tim has 12 - 7 = 5 pens.", 5),
    ],
  ],
} as const;

function shapeOf(question: AlgebraQuestion): keyof typeof solved {
  if (question.kind === "problem") return namesOf(question).length === 2 ? "twoPeople" : "morePeople";
  const unknowns = [question.left, question.right].map((side) => side.filter(({ name }) => name !== null));
  if (unknowns.flat().some(({ shift }) => shift !== 0)) return "parentheses";
  if (unknowns.every(({ length }) => length > 0)) return "bothSides";
  const [side] = unknowns.flatMap((terms, i) => (terms.length > 0 ? [[question.left, question.right][i]] : []));
  if (side.length === 1) return "product";
  return unknowns.flat().every(({ coefficient }) => coefficient === 1) ? "sum" : "oneSide";
}

/** What opens the working of an equation, its first term with the unknown: left to begin, a small model explains at length. */
function workingOpening({ left, right }: Equation): string {
  const first = [...left, ...right].find(({ name }) => name !== null);
  const coefficient = first?.coefficient ?? 1;
  return `${coefficient === 1 ? "" : coefficient === -1 ? "-" : coefficient}${first?.name ?? "x"}`;
}

const truth: HiddenTruth = {
  ...truthInWords(wording, algebraTruth, { topic: "algebra", hint, levels: [1, 2, 3, 4], frontier: 3 }),
  heldOut: (difficulty, count, random) =>
    textbookQuestions(difficulty, count, random).map((question) => inWords(wording, question)),
};

export const algebraInWords = defineTopic({
  name: algebra.topic.name,
  description: algebra.topic.description,
  verification: "vote",
  maxTokens: { propose: 80, solve: 96 },
  stopText: { propose: "?" },
  proposePrompt: ({ random }) => proposePrompt(random),
  readQuestion: (reply) => {
    const heard = wording.hear(withOpening(reply));
    if (!heard.ok) return heard;
    const read = readQuestionText(heard.value);
    return read.ok ? { ok: true, value: inWords(wording, textbookQuestion(read.value)) } : read;
  },
  solvePrompt: (question) => {
    const { text } = inSigns(question);
    const read = readQuestionText(text);
    if (!read.ok) throw new Error(`A question that was heard cannot be read: ${read.reason}`);
    const shown = solved[shapeOf(read.value)];
    return [
      ...shown.flatMap(([words, working]) => [user(words), assistant(working)]),
      // People and things have the names that they have in the question, whatever stands for them in the notation.
      user(question.text.includes(" ") ? question.text : wording.say(text)),
      ...(read.value.kind === "equation" ? [assistant(workingOpening(read.value))] : []),
    ];
  },
  readAnswer: readNumber,
  restatements: (question) => {
    const read = readQuestionText(inSigns(question).text);
    return read.ok ? restatementsInWords(wording, textbookForms(read.value)) : [];
  },
  generator: questionsOf(truth),
  hidden: truth,
});
