// The topic `multiplication` for models with a chat template: the same products as multiplication.ts, asked in words. Answers are
// bare numbers in a box, which the prompt has opened already: working that was shown made them worse (docs/decisions/0058).
import { refuse } from "../reading.ts";
import type { Question } from "../types.ts";
import { hearTwoNumbers } from "./arithmetic-words.ts";
import { defineTopic } from "./define-topic.ts";
import { questionsOf } from "./draw.ts";
import { multiplication, productsOfOtherDigits } from "./multiplication.ts";
import { productQuestion, readProduct } from "./multiplication-notation.ts";
import { multiplicationTruth } from "./multiplication-truth.ts";
import {
  assistant,
  inNotation,
  inWords,
  openedBox,
  otherQuestions,
  readWholeNumber,
  restatementsInWords,
  truthInWords,
  user,
  type Wording,
  withOpenedBox,
} from "./words.ts";

const opening = "What is";
const hint = "Ask for two whole numbers of up to three digits, as in: What is 123 * 45?";

const wording: Wording = {
  say: (notation) => `${opening} ${notation.replace("*", " * ").replace("=", "?")}`,
  hear: (words) => {
    const heard = hearTwoNumbers(words);
    if (!heard.ok) return refuse("not a product of two whole numbers");
    const product = readProduct(heard.value);
    return product.ok ? heard : product;
  },
};

const inSigns = (question: Question): Question => inNotation(wording, "multiplication", question, hint);

const request = "Write a multiplication of two numbers.";
/** Examples of each size. A model copies the size that it is shown, and of all sizes at once it writes the largest. */
const shown = [
  ["27 * 6", "4 * 93", "58 * 7"],
  ["274 * 6", "7 * 481", "953 * 4"],
  ["48 * 35", "93 * 27", "64 * 52"],
];
const proposedTurns = shown.map((products) => [
  ...products.flatMap((product) => [user(request), assistant(`${opening} ${product}?`)]),
  user(request),
  assistant(opening),
]);

const solvedTurns = [
  user(`${opening} 34 * 12?`),
  assistant("\\boxed{408}"),
  user(`${opening} 71 * 6?`),
  assistant("\\boxed{426}"),
];

const truth = truthInWords(wording, multiplicationTruth, {
  topic: "multiplication",
  hint,
  levels: [2, 3, 4, 5, 6],
  frontier: 4,
});

export const multiplicationInWords = defineTopic({
  name: multiplication.topic.name,
  description: multiplication.topic.description,
  verification: "vote",
  // Two numbers of three digits, where each digit is a token; six digits with a comma, and the closing brace.
  maxTokens: { propose: 12, solve: 12 },
  stopText: { propose: "?", solve: "}" },
  proposePrompt: ({ random }) => random.pick(proposedTurns),
  readQuestion: (reply) => {
    const heard = wording.hear(reply);
    if (!heard.ok) return heard;
    const product = readProduct(heard.value);
    return product.ok ? { ok: true, value: inWords(wording, productQuestion(product.value)) } : product;
  },
  solvePrompt: (question) => [...solvedTurns, user(wording.say(inSigns(question).text)), assistant(openedBox)],
  readAnswer: (reply) => readWholeNumber(withOpenedBox(reply)),
  restatements: (question) =>
    restatementsInWords(wording, otherQuestions(question, productsOfOtherDigits(inSigns(question)))),
  generator: questionsOf(truth),
  hidden: truth,
});
