// The topic `algebra` for models with a chat template: the same equations and problems as algebra.ts, in words. Solvers write a
// line of working before the box, as an earlier turn shows (docs/decisions/0058).
import type { Random } from "../random.ts";
import { refuse } from "../reading.ts";
import type { ChatMessage, Question, Reading } from "../types.ts";
import { algebra } from "./algebra.ts";
import type { Problem } from "./algebra-facts.ts";
import { type AlgebraQuestion, type Equation, namesOf, readQuestionText } from "./algebra-notation.ts";
import { equationOpening, withAnswer, algebraWording as wording } from "./algebra-sentences.ts";
import { textbookForms, textbookQuestion, textbookQuestions } from "./algebra-textbook.ts";
import { triedAnswer } from "./algebra-tries.ts";
import { algebraTruth } from "./algebra-truth.ts";
import { defineTopic, type HiddenTruth } from "./define-topic.ts";
import { questionsOf } from "./draw.ts";
import { assistant, inNotation, inWords, readNumber, restatementsInWords, truthInWords, user } from "./words.ts";

const hint = "Ask for example: What is x if 3x + 5 = 20?";

const inSigns = (question: Question): Question => inNotation(wording, "algebra", question, hint);

const asked = (equation: string): string => `${equationOpening("x")} ${equation}?`;

const storyOpening = "Sam has";
/** An equation is begun with a solution that is drawn: left to choose, a small model takes large ones, and works wrongly with them. */
const solutionOpening = (solution: number): string => `Let x = ${solution}. Then`;

/** A story that went on behind its opening, with it; an equation is heard without. */
const withOpening = (reply: string): string =>
  /^\s*(?:\d+|[a-z]+) [a-z]{2,}/.test(reply) && !/^\s*(?:[a-z]|solve|find|what)\b/i.test(reply)
    ? `${storyOpening} ${reply.trim()}`
    : reply;

/**
 * What is asked behind a worked solution, if it is what was worked out: the side that begins the working, x in place of the number that
 * stands for it, and the number that ends it (`4 * 6 + 6 = 24 + 6 = 30. What is x if 4x + 6 = 30?`), or what is left of that number
 * without some x, and these (`6 * 5 - 8 = 30 - 8 = 22, and 22 - 2 * 5 = 22 - 10 = 12. What is x if 6x - 8 = 2x + 12?`). Only what was
 * written is compared.
 */
function behindWorking(reply: string): Reading<string> {
  const match = /^\s*(?:(?:Let x = )?-?\d+\. Then )?([-(\d].*)\. (What is .*)$/s.exec(reply);
  if (match === null) return { ok: true, value: reply };
  const [, worked, question] = match;
  const compact = (text: string): string => text.replace(/\s+/g, "");
  const solutions = new Set<string>();
  const withUnknown = (term: string): string =>
    term.replace(/(\d)\*(\(?)(\d+)/, (_, coefficient, opened, solution) => {
      solutions.add(solution);
      return `${coefficient}${opened}x`;
    });
  const [side, ...without] = worked.split(/,? and /).map((one) => compact(one).split("="));
  const value = side[side.length - 1];
  const rest = without.map((terms) => {
    const removed = terms[0].startsWith(`${value}-`) ? withUnknown(terms[0].slice(value.length + 1)) : "";
    const left = terms[terms.length - 1];
    return left === "0" ? removed : `${removed}${left.startsWith("-") ? "" : "+"}${left}`;
  });
  const agrees = rest.length < 2 && compact(question).endsWith(`if${withUnknown(side[0])}=${rest[0] ?? value}?`);
  return agrees && solutions.size < 2
    ? { ok: true, value: question }
    : refuse("asks something else than it worked out");
}

const workedOut = (solution: number, working: string, equation: string): string =>
  `${solutionOpening(solution)} ${working}. ${asked(equation)}`;

/**
 * Examples of each shape. A model copies the shape that it was shown last, and of several at once it asks one only; of stories about three
 * it wrote 2 of 24 that could be read behind examples of three shapes, 14 to 20 behind three of one, and 6 to 12 behind two of one. An equation is
 * written from its solution: of those that were written without, three in four had none in whole numbers.
 */
const proposed = {
  equation: [
    [
      workedOut(6, "4 * 6 + 6 = 24 + 6 = 30", "4x + 6 = 30"),
      workedOut(7, "8 * 7 - 5 = 56 - 5 = 51", "8x - 5 = 51"),
      workedOut(9, "3 * 9 + 8 = 27 + 8 = 35", "3x + 8 = 35"),
    ],
    [
      workedOut(5, "6 * 5 - 8 = 30 - 8 = 22, and 22 - 2 * 5 = 22 - 10 = 12", "6x - 8 = 2x + 12"),
      workedOut(7, "5 * 7 + 9 = 35 + 9 = 44, and 44 - 3 * 7 = 44 - 21 = 23", "5x + 9 = 3x + 23"),
      workedOut(3, "9 * 3 + 4 = 27 + 4 = 31, and 31 - 6 * 3 = 31 - 18 = 13", "9x + 4 = 6x + 13"),
    ],
    [
      workedOut(5, "4 * (5 + 3) = 4 * 8 = 32", "4(x + 3) = 32"),
      workedOut(8, "7 * (8 - 2) = 7 * 6 = 42", "7(x - 2) = 42"),
      workedOut(2, "3 * (2 + 7) = 3 * 9 = 27", "3(x + 7) = 27"),
    ],
    [
      workedOut(5, "4 * (5 + 3) + 6 = 4 * 8 + 6 = 32 + 6 = 38", "4(x + 3) + 6 = 38"),
      workedOut(8, "7 * (8 - 2) - 9 = 7 * 6 - 9 = 42 - 9 = 33", "7(x - 2) - 9 = 33"),
      workedOut(2, "3 * (2 + 7) + 15 = 3 * 9 + 15 = 27 + 15 = 42", "3(x + 7) + 15 = 42"),
    ],
  ],
  problem: [
    [
      "Ida has 26 dolls. Tim has 9 more dolls than Ida. How many dolls does Tim have?",
      "Mia has 41 shells. Leo has 17 fewer shells than Mia. How many shells does Leo have?",
      "Zoe has 12 pens. Max and Zoe have 31 pens together. How many pens does Max have?",
    ],
    [
      "Ida has 26 dolls. Tim has 9 more dolls than Ida. Leo has 14 fewer dolls than Tim. How many dolls does Leo have?",
      "Mia has 41 shells. Zoe has 17 more shells than Mia. Leo has 8 fewer shells than Zoe. How many shells does Leo have?",
      "Ann has 12 pens. Max has 25 more pens than Ann. Eva has 6 fewer pens than Max. How many pens does Eva have?",
    ],
    [
      "Ida has 26 dolls. Tim has 19 fewer dolls than Ida. Leo has 4 times as many dolls as Tim. How many dolls does Leo have?",
      "Mia has 31 shells. Zoe has 17 fewer shells than Mia. Leo has 3 times as many shells as Zoe. How many shells does Leo have?",
      "Ann has 22 pens. Max has 6 fewer pens than Ann. Eva has 2 times as many pens as Max. How many pens does Eva have?",
    ],
    [
      "Ida has 7 dolls. Tim has 4 times as many dolls as Ida. Leo has 9 more dolls than Tim. How many dolls does Leo have?",
      "Mia has 12 shells. Zoe has 3 times as many shells as Mia. Leo has 8 more shells than Zoe. How many shells does Leo have?",
      "Ann has 15 pens. Max has 2 times as many pens as Ann. Eva has 6 more pens than Max. How many pens does Eva have?",
    ],
    [
      "Max has 35 pens. Max and Zoe have 52 pens together. Tim has 8 more pens than Zoe. How many pens does Tim have?",
      "Mia has 14 shells. Mia and Leo have 40 shells together. Ida has 5 more shells than Leo. How many shells does Ida have?",
      "Eva has 27 cards. Eva and Ben have 45 cards together. Ann has 12 more cards than Ben. How many cards does Ann have?",
    ],
    [
      "Ida has 16 dolls. Tim has 9 more dolls than Ida. Tim and Leo have 40 dolls together. How many dolls does Leo have?",
      "Mia has 21 shells. Zoe has 17 more shells than Mia. Zoe and Leo have 60 shells together. How many shells does Leo have?",
      "Ann has 12 pens. Max has 5 more pens than Ann. Max and Eva have 31 pens together. How many pens does Eva have?",
    ],
    [
      "Ida has 26 dolls. Tim has 19 fewer dolls than Ida. Tim and Leo have 30 dolls together. How many dolls does Leo have?",
      "Mia has 31 shells. Zoe has 17 fewer shells than Mia. Zoe and Leo have 43 shells together. How many shells does Leo have?",
      "Ann has 22 pens. Max has 6 fewer pens than Ann. Max and Eva have 50 pens together. How many pens does Eva have?",
    ],
    [
      "Max has 35 pens. Max and Zoe have 52 pens together. Zoe and Tim have 40 pens together. How many pens does Tim have?",
      "Mia has 14 shells. Mia and Leo have 46 shells together. Leo and Ida have 70 shells together. How many shells does Ida have?",
      "Eva has 27 cards. Eva and Ben have 45 cards together. Ben and Ann have 32 cards together. How many cards does Ann have?",
    ],
  ],
} as const;

/**
 * A prompt for one more of a family, behind examples of one shape. They stand in one order: what prompts share is computed once, and with
 * orders drawn most of a step was spent on reading them.
 */
function proposePrompt(random: Random): readonly ChatMessage[] {
  // Left to choose, a proposer in training soon writes only the family that is rewarded more (0015).
  const family = random.pick(["equation", "problem"] as const);
  const [request, opening] =
    family === "equation"
      ? ["Write an equation with a whole solution.", solutionOpening(random.integer(2, 12))]
      : ["Write a word problem.", storyOpening];
  const examples = random.pick<readonly string[]>(proposed[family]);
  return [...examples.flatMap((example) => [user(request), assistant(example)]), user(request), assistant(opening)];
}

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
  parenthesesAndMore: [
    [asked("3(x + 5) + 4 = 31"), withAnswer("3(x + 5) = 31 - 4 = 27, so x + 5 = 27 / 3 = 9 and x = 9 - 5 = 4.", 4)],
    [asked("6(x - 2) - 3 = 33"), withAnswer("6(x - 2) = 33 + 3 = 36, so x - 2 = 36 / 6 = 6 and x = 6 + 2 = 8.", 8)],
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
      withAnswer("Mia has 14 shells. Leo has 14 + 9 = 23 shells. Ida has 3 * 23 = 69 shells.", 69),
    ],
    [
      "Max has 40 pens. Max and Zoe have 52 pens together. Tim has 7 fewer pens than Zoe. How many pens does Tim have?",
      withAnswer("Max has 40 pens. Zoe has 52 - 40 = 12 pens. Tim has 12 - 7 = 5 pens.", 5),
    ],
  ],
} as const;

function shapeOf(question: AlgebraQuestion): keyof typeof solved {
  if (question.kind === "problem") return namesOf(question).length === 2 ? "twoPeople" : "morePeople";
  const unknowns = [question.left, question.right].map((side) => side.filter(({ name }) => name !== null));
  if (unknowns.flat().some(({ shift }) => shift !== 0)) {
    return unknowns[0].length === 1 && question.left.length > 1 ? "parenthesesAndMore" : "parentheses";
  }
  if (unknowns.every(({ length }) => length > 0)) return "bothSides";
  const [side] = unknowns.flatMap((terms, i) => (terms.length > 0 ? [[question.left, question.right][i]] : []));
  if (side.length === 1) return "product";
  return unknowns.flat().every(({ coefficient }) => coefficient === 1) ? "sum" : "oneSide";
}

/** What opens the working of an equation, its first term with the unknown: left to begin, a small model explains at length. */
function workingOpening({ left, right }: Equation, keepsParentheses: boolean): string {
  const first = [...left, ...right].find(({ name }) => name !== null);
  const coefficient = first?.coefficient ?? 1;
  const opened = keepsParentheses && first?.shift !== 0 ? "(" : "";
  return `${coefficient === 1 ? "" : coefficient === -1 ? "-" : coefficient}${opened}${first?.name ?? "x"}`;
}

/** What opens the working of a longer story, the sentence of it that gives a number: left to begin, a small model leaves a step out. */
function storyWorkingOpening({ facts }: Problem, told: string): string | null {
  const sentences = told.split(/(?<=\.) /);
  const known = facts.findIndex(({ kind }) => kind === "known");
  return sentences.length === facts.length + 1 ? sentences[known] : null;
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
    const written = behindWorking(reply);
    if (!written.ok) return written;
    const heard = wording.hear(withOpening(written.value));
    if (!heard.ok) return heard;
    const read = readQuestionText(heard.value);
    return read.ok ? { ok: true, value: inWords(wording, textbookQuestion(read.value)) } : read;
  },
  solvePrompt: (question) => {
    const { text } = inSigns(question);
    const read = readQuestionText(text);
    if (!read.ok) throw new Error(`A question that was heard cannot be read: ${read.reason}`);
    const shape = shapeOf(read.value);
    // People and things have the names that they have in the question, whatever stands for them in the notation.
    const told = question.text.includes(" ") ? question.text : wording.say(text);
    const opening =
      read.value.kind === "equation"
        ? workingOpening(read.value, shape === "parenthesesAndMore")
        : shape === "morePeople"
          ? storyWorkingOpening(read.value, told)
          : null;
    return [
      ...solved[shape].flatMap(([words, working]) => [user(words), assistant(working)]),
      user(told),
      ...(opening === null ? [] : [assistant(opening)]),
    ];
  },
  readAnswer: readNumber,
  restatements: (question) => {
    const read = readQuestionText(inSigns(question).text);
    return read.ok ? restatementsInWords(wording, textbookForms(read.value)) : [];
  },
  inverseCheck: (question, answer) => triedAnswer(question, inSigns(question).text, answer),
  // Votes agree on rounded solutions, and a number that is put in tells them (0089).
  // Forms have other digits, and not all are as hard (0092).
  settings: { inverseAnswers: 4, solverBaseline: "form" },
  generator: questionsOf(truth),
  hidden: truth,
});
