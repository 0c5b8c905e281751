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
import { questionsOf } from "./draw.ts";

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
  restatements: (question) => equivalentSums(sumOf(question)),
  generator: questionsOf(arithmeticTruth),
  hidden: arithmeticTruth,
});

/**
 * Two equivalent forms: the operands swapped (left out where they are equal, since that is the same text again), and one
 * operand moved by a known amount. Moving changes every digit and with it every carry, so a mistake that the model makes
 * always in the same way in one form, it rarely makes in the other.
 */
function equivalentSums(sum: Sum): Restatement[] {
  const { left, operator, right } = sum;
  const swapped = sumQuestion({ left: right, operator, right: left });
  const forms: Restatement[] =
    left === right ? [] : [{ question: swapped, toOriginal: operator === "-" ? negate : (answer) => answer }];
  return [...forms, operator === "*" ? movedFactor(sum) : movedOperand(sum)];
}

/** a ± b as a ± (b + m), where m is 1 in every digit of b, or −1 where a digit would be gained. */
function movedOperand({ left, operator, right }: Sum): Restatement {
  const ones = BigInt("1".repeat(right.length));
  const up = String(BigInt(right) + ones).length === right.length;
  const move = up ? ones : -ones;
  const question = sumQuestion({ left, operator, right: String(BigInt(right) + move) });
  const change = operator === "+" ? move : -move;
  return { question, toOriginal: (answer) => String(BigInt(answer) - change) };
}

/** a · d as a · (d + 1), or a · (d − 1) for 9, where d is the factor of one digit. */
function movedFactor({ left, operator, right }: Sum): Restatement {
  const [factor, digit] = right.length === 1 ? [left, Number(right)] : [right, Number(left)];
  const move = digit === 9 ? -1 : 1;
  const moved = String(digit + move);
  const question = sumQuestion(
    right.length === 1 ? { left, operator, right: moved } : { left: moved, operator, right },
  );
  return { question, toOriginal: (answer) => String(BigInt(answer) - BigInt(move) * BigInt(factor)) };
}

function sumOf(question: Question): Sum {
  const sum = readSum(question.text);
  if (sum.ok) return sum.value;
  throw new UsageError(
    `"${question.text}" is not an arithmetic question: ${sum.reason}.`,
    "Write two whole numbers like 123+456=, 50-73= or 407*6=.",
  );
}
