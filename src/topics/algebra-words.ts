// The topic `algebra` for models with a chat template: the same equations and problems as algebra.ts, in words. Solvers write a
// line of working before the box, as an earlier turn shows (docs/decisions/0058).
import type { Question } from "../types.ts";
import { algebra } from "./algebra.ts";
import { readQuestionText } from "./algebra-notation.ts";
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

const proposedTurns = {
  equation: [
    user("Write an equation."),
    assistant(`${equationOpening("x")} 4x + 6 = 30?`),
    user("Write an equation."),
    assistant(`${equationOpening("x")} 2(x - 3) = 5x + 9?`),
    user("Write an equation."),
    assistant(equationOpening("x")),
  ],
  problem: [
    user("Write a word problem."),
    assistant("Ida has 26 dolls. Ida has 9 more dolls than Tim. How many dolls does Tim have?"),
    user("Write a word problem."),
    assistant("Zoe has 12 pens. Max and Zoe have 31 pens together. How many pens does Max have?"),
    user("Write a word problem."),
    assistant("Mia has 14 shells. Leo has 3 times as many shells as Mia. How many shells does Leo have?"),
    user("Write a word problem."),
    assistant(storyOpening),
  ],
} as const;

const solvedTurns = {
  equation: [
    user(`${equationOpening("x")} 4x + 6 = 30?`),
    assistant("4x = 30 - 6 = 24, so x = 24 / 4 = 6. The answer is \\boxed{6}."),
  ],
  problem: [
    user("Mia has 14 shells. Leo has 9 more shells than Mia. How many shells does Leo have?"),
    assistant("Leo has 14 + 9 = 23 shells. The answer is \\boxed{23}."),
  ],
} as const;

const truth: HiddenTruth = {
  ...truthInWords(wording, algebraTruth, { topic: "algebra", hint, levels: [1, 2, 3, 4], frontier: 2 }),
  heldOut: (difficulty, count, random) =>
    textbookQuestions(difficulty, count, random).map((question) => inWords(wording, question)),
};

export const algebraInWords = defineTopic({
  name: algebra.topic.name,
  description: algebra.topic.description,
  verification: "vote",
  maxTokens: { propose: 80, solve: 96 },
  stopText: { propose: "?" },
  // Left to choose, a proposer in training soon writes only the family that is rewarded more (0015).
  proposePrompt: ({ random }) => proposedTurns[random.pick(["equation", "problem"] as const)],
  readQuestion: (reply) => {
    const heard = wording.hear(withOpening(reply));
    if (!heard.ok) return heard;
    const read = readQuestionText(heard.value);
    return read.ok ? { ok: true, value: inWords(wording, textbookQuestion(read.value)) } : read;
  },
  solvePrompt: (question) => {
    const { text } = inSigns(question);
    const kind = text.includes("?") ? "problem" : "equation";
    // People and things have the names that they have in the question, whatever stands for them in the notation.
    return [...solvedTurns[kind], user(question.text.includes(" ") ? question.text : wording.say(text))];
  },
  readAnswer: readNumber,
  restatements: (question) => {
    const read = readQuestionText(inSigns(question).text);
    return read.ok ? restatementsInWords(wording, textbookForms(read.value)) : [];
  },
  generator: questionsOf(truth),
  hidden: truth,
});
