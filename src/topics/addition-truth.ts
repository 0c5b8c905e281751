// What knows the truth about sums of two numbers: results, and sums drawn for held-out evaluation and for the seed model's text. It
// feeds evaluation and the seed-model script only; nothing that a reward depends on may import it.
import { UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import {
  type Addition,
  additionMarks,
  additionQuestion,
  lettersFrom,
  lettersOf,
  maxAddendDigits,
  readAddition,
  writeAsked,
  writeColumns,
  writeResult,
} from "./addition-notation.ts";
import type { HiddenTruth } from "./define-topic.ts";
import { drawDistinct, type SeedLines } from "./draw.ts";

/** The exact result as a canonical integer. */
export const sumOf = ({ left, right }: Addition): string => String(BigInt(left) + BigInt(right));

const drawNumber = (digits: number, random: Random): string =>
  Array.from({ length: digits }, (_, i) => random.integer(i === 0 && digits > 1 ? 1 : 0, 9)).join("");

/** A sum whose longer operand has exactly `digits` digits; the other has as many, or up to two fewer. Sides are random. */
export function drawAddition(digits: number, random: Random): Addition {
  const long = drawNumber(digits, random);
  const short = drawNumber(Math.max(1, digits - random.pick([0, 0, 0, 1, 2])), random);
  return random.next() < 0.5 ? { left: long, right: short } : { left: short, right: long };
}

/** As many dots at most between the parts of a line's prompt: about as much as the longest sum is longer than those taught. */
const mostDots = 48;

/**
 * The parts with dots drawn between them, for half of the lines. Whoever must find a column from any distance finds it by its letter,
 * and distances of longer sums are no news (positions drawn at random: Ruoss et al. 2023, arXiv 2305.16843). Only the seed model's
 * text has dots.
 */
function spread(parts: readonly string[], random: Random): string {
  const places = parts.map(() => 0);
  const dots = random.next() < 0.5 ? 0 : random.integer(0, mostDots);
  for (let i = 0; i < dots; i++) places[random.integer(0, parts.length - 1)] += 1;
  return parts.map((part, i) => part + ".".repeat(places[i])).join("");
}

/** Lines of training text for the seed model, one for each role. */
export const additionLines: SeedLines = {
  propose: (digits, random) => {
    const order = lettersFrom(random.integer(0, 25), digits);
    const prompt = spread([additionMarks.propose, ...order, "="], random);
    return { prompt, reply: writeColumns(drawAddition(digits, random), order) };
  },
  solve: (digits, random) => {
    const sum = drawAddition(digits, random);
    const order = lettersOf(sum);
    const parts = writeAsked(sum, order).match(/[a-z](?:..)(?=[a-z])|[a-z]=|./g) ?? [];
    return { prompt: spread(parts, random), reply: writeResult(sumOf(sum), order) };
  },
};

/** The hidden half of the topic. `frontier` follows the shipped seed model: change both together. */
export const additionTruth: HiddenTruth = {
  check(question, answer) {
    const sum = readAddition(question.text);
    if (!sum.ok) {
      throw new UsageError(`"${question.text}" is not a sum: ${sum.reason}`, "Write it like 123+45=.");
    }
    return answer === sumOf(sum.value);
  },
  levels: [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20],
  frontier: 10,
  heldOut(difficulty, count, random) {
    if (!Number.isInteger(difficulty) || difficulty < 1 || difficulty > maxAddendDigits) {
      throw new UsageError(
        `Addition has no questions of difficulty ${difficulty}.`,
        `Difficulty is the digits of the longer operand, 1 to ${maxAddendDigits}.`,
      );
    }
    // There are 55 sums of one digit: half of them are left to self-play.
    return drawDistinct(Math.min(count, difficulty === 1 ? 27 : count), () =>
      additionQuestion(drawAddition(difficulty, random)),
    );
  },
};
