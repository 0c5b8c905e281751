// The topic `arithmetic`: addition, subtraction, and multiplication by one digit, for a model that continues characters.
// The proposer's prompt is `P` and it writes a sum (`321+654=`); the solver's is `S` with the sum, and it writes the result
// (`975`), all numbers least significant digit first. Longer multiplication needs working and is left out.
import { UsageError } from "../errors.ts";
import type { Question, Restatement } from "../types.ts";
import {
  negate,
  readSum,
  readWrittenNumber,
  readWrittenSum,
  type Sum,
  sumQuestion,
  writeSum,
} from "./arithmetic-notation.ts";
import { arithmeticTruth } from "./arithmetic-truth.ts";
import { defineTopic } from "./define-topic.ts";

/** What each role's prompt begins with; one character each, so that the seed model can tell its two parts apart. */
export const roleMarks = { propose: "P", solve: "S" } as const;

export const arithmetic = defineTopic({
  name: "arithmetic",
  description: "Sums, differences and one-digit products of numbers of up to nine digits.",
  verification: "vote",
  // The longest question is nine digits, an operator, nine digits, `=` and the end token. The longest answer is eleven
  // with the end token; one more lets a reply without an end be too long to be read.
  maxTokens: { propose: 21, solve: 12 },
  proposePrompt: () => roleMarks.propose,
  readQuestion: (reply) => {
    const sum = readWrittenSum(reply);
    return sum.ok ? { ok: true, value: sumQuestion(sum.value) } : sum;
  },
  solvePrompt: (question) => `${roleMarks.solve}${writeSum(sumOf(question))}`,
  readAnswer: (reply) => readWrittenNumber(reply),
  restatements: (question) => swapped(sumOf(question)),
  hidden: arithmeticTruth,
});

/** The sum with its operands swapped; none where they are equal, since that is the same text again. */
function swapped({ left, operator, right }: Sum): Restatement[] {
  if (left === right) return [];
  const question = sumQuestion({ left: right, operator, right: left });
  return [{ question, toOriginal: operator === "-" ? negate : (answer) => answer }];
}

function sumOf(question: Question): Sum {
  const sum = readSum(question.text);
  if (sum.ok) return sum.value;
  throw new UsageError(
    `"${question.text}" is not an arithmetic question: ${sum.reason}.`,
    "Write two whole numbers like 123+456=, 50-73= or 407*6=.",
  );
}
