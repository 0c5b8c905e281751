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
  settings: { guard: "act", probeEvery: 8 },
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

/**
 * Forms with other digits alone, for models that make one mistake in both orders of the operands: of a sum or difference one operand
 * moved, the right one, the left one, the left one by twice as much; of a product the neighbours of the factor of one digit, and the
 * other factor moved. Differences keep their sign.
 */
export function sumsOfOtherDigits(question: Question): Restatement[] {
  const sum = sumOf(question);
  if (sum.operator === "*") {
    const [, digit] = factorsOf(sum);
    return [
      ...[1, -1].filter((move) => digit + move >= 1 && digit + move <= 9).map((move) => movedDigit(sum, move)),
      movedLongFactor(sum),
    ];
  }
  const forms = [movedOperand(sum), movedOperand(sum, "left"), movedOperand(sum, "left", 2)];
  const isNegative = ({ left, right }: Sum): boolean => BigInt(left) < BigInt(right);
  return sum.operator === "+" ? forms : forms.filter((form) => isNegative(sumOf(form.question)) === isNegative(sum));
}

/** `number` moved by `by` in every digit, down where a digit would be gained. */
function otherDigits(number: string, by = 1): bigint {
  const move = BigInt(by) * BigInt("1".repeat(number.length));
  return String(BigInt(number) + move).length === number.length ? move : -move;
}

/** a ± b with one operand moved in every digit. */
function movedOperand(sum: Sum, side: "left" | "right" = "right", by = 1): Restatement {
  const move = otherDigits(sum[side], by);
  const question = sumQuestion({ ...sum, [side]: String(BigInt(sum[side]) + move) });
  const change = side === "right" && sum.operator === "-" ? -move : move;
  return { question, toOriginal: (answer) => String(BigInt(answer) - change) };
}

/** a · d as a · (d + 1), or a · (d − 1) for 9, where d is the factor of one digit. */
function movedFactor(sum: Sum): Restatement {
  return movedDigit(sum, factorsOf(sum)[1] === 9 ? -1 : 1);
}

/** a · d as a · (d + move). */
function movedDigit(sum: Sum, move: number): Restatement {
  const [factor, digit] = factorsOf(sum);
  const moved = String(digit + move);
  const question = sumQuestion(sum.right.length === 1 ? { ...sum, right: moved } : { ...sum, left: moved });
  return { question, toOriginal: (answer) => String(BigInt(answer) - BigInt(move) * BigInt(factor)) };
}

/** a · d with a moved in every digit. */
function movedLongFactor(sum: Sum): Restatement {
  const [factor, digit] = factorsOf(sum);
  const move = otherDigits(factor);
  const moved = String(BigInt(factor) + move);
  const question = sumQuestion(sum.right.length === 1 ? { ...sum, left: moved } : { ...sum, right: moved });
  return { question, toOriginal: (answer) => String(BigInt(answer) - move * BigInt(digit)) };
}

/** The factor of any length, and the one of one digit. */
const factorsOf = ({ left, right }: Sum): readonly [string, number] =>
  right.length === 1 ? [left, Number(right)] : [right, Number(left)];

function sumOf(question: Question): Sum {
  const sum = readSum(question.text);
  if (sum.ok) return sum.value;
  throw new UsageError(
    `"${question.text}" is not an arithmetic question: ${sum.reason}.`,
    "Write two whole numbers like 123+456=, 50-73= or 407*6=.",
  );
}
