// What knows the truth about sums: exact results, and sums drawn for held-out evaluation and for the seed model's training
// text. It feeds diagnostics and evaluation only; nothing that a reward depends on may import it.
import { UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { Question } from "../types.ts";
import {
  maxDifficulty,
  maxDigits,
  type Operator,
  operators,
  readSum,
  type Sum,
  sumKey,
  sumQuestion,
} from "./arithmetic-notation.ts";
import type { HiddenTruth } from "./define-topic.ts";
import { noSuchDifficulty } from "./draw.ts";

/** The exact result as a canonical integer. */
export function truth({ left, operator, right }: Sum): string {
  const [a, b] = [BigInt(left), BigInt(right)];
  return String(operator === "+" ? a + b : operator === "-" ? a - b : a * b);
}

/** True when `answer` is the result of the sum in the question. Throws UsageError when the question is not a sum. */
function checkAnswer(question: Question, answer: string): boolean {
  const sum = readSum(question.text);
  if (!sum.ok) {
    throw new UsageError(`"${question.text}" is not an arithmetic question: ${sum.reason}`, "Write it like 123+456=.");
  }
  return answer === truth(sum.value);
}

/**
 * Draws a sum whose longer operand has exactly `digits` digits (1 to 9). The other operand of + and - has as many
 * digits or one fewer; that of * has one digit, nine times in ten from 2 to 9. Sides are random.
 */
export function drawSum(operator: Operator, digits: number, random: Random): Sum {
  const long = drawNumber(digits, random);
  if (operator === "*") {
    const short = random.next() < 0.9 ? random.integer(2, 9) : random.integer(0, 1);
    return orient(long, operator, String(short), random);
  }
  return orient(long, operator, drawNumber(random.integer(Math.max(1, digits - 1), digits), random), random);
}

/**
 * `count` different sums of this difficulty, in equal parts of the operations that reach it; fewer where fewer exist.
 * Throws UsageError for a difficulty without questions.
 */
function drawHeldOut(difficulty: number, count: number, random: Random): Question[] {
  if (!Number.isInteger(difficulty) || difficulty < 1 || difficulty > maxDifficulty("*")) {
    throw noSuchDifficulty(
      "Arithmetic",
      difficulty,
      `Difficulty is the digits of the longer operand, one more for a product: 1 to ${maxDifficulty("*")}.`,
    );
  }
  let sources = operators
    .map((operator) => [operator, difficulty - maxDifficulty(operator) + maxDigits] as const)
    .filter(([, digits]) => digits >= 1 && digits <= maxDigits)
    .map(([operator, digits]) => distinctSums(operator, digits, random));
  const questions: Question[] = [];
  while (sources.length > 0) {
    const open: typeof sources = [];
    for (const source of sources) {
      if (questions.length >= count) return questions;
      const drawn = source.next();
      if (drawn.done) continue;
      questions.push(sumQuestion(drawn.value));
      open.push(source);
    }
    sources = open;
  }
  return questions;
}

/** The hidden half of the arithmetic topic. `frontier` follows the shipped seed model: change both together. */
export const arithmeticTruth: HiddenTruth = {
  check: checkAnswer,
  levels: [1, 2, 3, 4, 5],
  frontier: 3,
  heldOut: drawHeldOut,
};

/** Sums of one operation with different keys, in random order: all there are up to two digits, drawn ones above. */
function* distinctSums(operator: Operator, digits: number, random: Random): Generator<Sum, void> {
  if (digits <= 2) {
    for (const { left, right } of random.shuffle(allSums(operator, digits))) {
      yield orient(left, operator, right, random);
    }
    return;
  }
  const keys = new Set<string>();
  // There are at least 9000 sums of three digits. So many repeats in a row mean that few are left.
  for (let repeats = 0; repeats < 1000; ) {
    const sum = drawSum(operator, digits, random);
    const key = sumKey(sum);
    if (keys.has(key)) {
      repeats += 1;
      continue;
    }
    repeats = 0;
    keys.add(key);
    yield sum;
  }
}

/** One sum for each key with a longer operand of this many digits; for few digits. */
function allSums(operator: Operator, digits: number): Sum[] {
  const sums = new Map<string, Sum>();
  const longest = 10 ** digits - 1;
  const shortest = digits === 1 ? 0 : 10 ** (digits - 1);
  for (let long = shortest; long <= longest; long++) {
    for (let other = 0; other <= (operator === "*" ? 9 : long); other++) {
      const sum: Sum = { left: String(long), operator, right: String(other) };
      sums.set(sumKey(sum), sum);
    }
  }
  return [...sums.values()];
}

/** A uniform number of exactly `digits` digits. */
function drawNumber(digits: number, random: Random): string {
  return String(random.integer(digits === 1 ? 0 : 10 ** (digits - 1), 10 ** digits - 1));
}

function orient(a: string, operator: Operator, b: string, random: Random): Sum {
  return random.next() < 0.5 ? { left: a, operator, right: b } : { left: b, operator, right: a };
}
