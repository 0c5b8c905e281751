// The topic `multiplication`: products of numbers of up to three digits, for a model that continues characters. The
// proposer writes a product (`321*54=`); the solver may write working and then `#` with the result, which alone counts.
import { UsageError } from "../errors.ts";
import type { Question, Restatement } from "../types.ts";
import { defineTopic } from "./define-topic.ts";
import { questionsOf } from "./draw.ts";
import {
  maxFactorDigits,
  multiplicationMarks,
  type Product,
  productQuestion,
  readMarkedProduct,
  readProduct,
  readWrittenProduct,
  writeProduct,
} from "./multiplication-notation.ts";
import { multiplicationTruth } from "./multiplication-truth.ts";

export const multiplication = defineTopic({
  name: "multiplication",
  description: "Products of two numbers of up to three digits, worked out before a marked answer.",
  verification: "vote",
  // The longest question has nine tokens with its end. The longest worked answer has 4 + 13 + 14 + 7 and the end.
  maxTokens: { propose: 9, solve: 40 },
  proposePrompt: () => multiplicationMarks.propose,
  readQuestion: (reply) => {
    const product = readWrittenProduct(reply);
    return product.ok ? { ok: true, value: productQuestion(product.value) } : product;
  },
  solvePrompt: (question) => `${multiplicationMarks.solve}${writeProduct(productIn(question))}`,
  readAnswer: (reply) => readMarkedProduct(reply),
  restatements: (question) => equivalentProducts(productIn(question)),
  // Votes are right nearly always, so the proposer may follow the solver closely.
  settings: {
    steps: 100,
    groupsPerBatch: 64,
    proposerEvery: 1,
    proposerLossWeight: 0.2,
    bandHigh: 0.95,
    guard: "act",
    probeEvery: 8,
    probeQuestions: 32,
  },
  generator: questionsOf(multiplicationTruth),
  hidden: multiplicationTruth,
});

/** The largest factor. */
const limit = 10 ** maxFactorDigits - 1;

/**
 * Commuted operands, whose working is another; one operand doubled and the other halved; and the neighbour a × (b + 1),
 * whose result is larger by a. The mistakes that a model makes in one form it rarely makes in the same way in another.
 */
function equivalentProducts({ left, right }: Product): Restatement[] {
  const same = (answer: string): string => answer;
  const forms: Restatement[] = [];
  const add = (a: number, b: number, toOriginal: (answer: string) => string): void => {
    forms.push({ question: productQuestion({ left: String(a), right: String(b) }), toOriginal });
  };
  const [a, b] = [Number(left), Number(right)];
  if (a !== b) add(b, a, same);
  if (b % 2 === 0 && b > 0 && 2 * a <= limit) add(2 * a, b / 2, same);
  else if (a % 2 === 0 && a > 0 && 2 * b <= limit) add(a / 2, 2 * b, same);
  if (b < limit) add(a, b + 1, (answer) => String(Number(answer) - a));
  return forms;
}

/**
 * The products a × (b + 1), (a + 1) × b and a × (b − 1), of other digits, so that a mistake made in one is rarely made in another; with its
 * factors swapped a product is often mistaken in the same way. Each is as far from the original as the other factor is large.
 */
export function productsOfOtherDigits(question: Question): Restatement[] {
  const { left, right } = productIn(question);
  const [a, b] = [Number(left), Number(right)];
  const moved = [
    { factors: [a, b + 1], change: a },
    { factors: [a + 1, b], change: b },
    { factors: [a, b - 1], change: -a },
  ];
  return moved
    .filter(({ factors }) => factors[1] > 0 && Math.max(...factors) <= limit)
    .map(({ factors: [first, second], change }) => ({
      question: productQuestion({ left: String(first), right: String(second) }),
      toOriginal: (answer) => String(Number(answer) - change),
    }));
}

function productIn(question: Question): Product {
  const product = readProduct(question.text);
  if (product.ok) return product.value;
  throw new UsageError(
    `"${question.text}" is not a multiplication question: ${product.reason}.`,
    "Write two whole numbers of up to three digits like 123*45=.",
  );
}
