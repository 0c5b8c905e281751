// What knows the truth about sums of two numbers: results, and sums drawn for held-out evaluation and for the seed model's text. It
// feeds evaluation and the seed-model script only; nothing that a reward depends on may import it.
import { UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import {
  type Addition,
  additionMarks,
  additionQuestion,
  lettersFrom,
  maxAddendDigits,
  readAddition,
  writeAsked,
  writeColumns,
  writeResult,
} from "./addition-notation.ts";
import type { HiddenTruth } from "./define-topic.ts";
import { drawDistinct, noSuchDifficulty, type SeedLine, type SeedLines } from "./draw.ts";

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

/** Most sums in a line of the solver's text: with three digits and a carry each they take 16 of the 26 letters. */
const mostInRow = 4;
/** Longest questions that the seed model is shown, without their answers. */
const shownDigits = 16;

/**
 * Lines of training text for the seed model, one for each role. Answers are taught of the given digits only, three at most, up to four sums in a
 * row, whose letters go on. A model that is shown nothing longer takes the fourth column for the last, whatever it is asked
 * (docs/decisions/0076): two lines in five are the working of a sum of any length, whose digits of the result are drawn at random and not taught.
 */
export const additionLines: SeedLines = {
  propose: (digits, random) => {
    const order = lettersFrom(random.integer(0, 25), digits);
    return { prompt: `${additionMarks.propose}${order}=`, reply: writeColumns(drawAddition(digits, random), order) };
  },
  solve: (digits, random) => (random.next() < 0.4 ? workingOnly(random) : inRow(digits, random)),
};

function inRow(digits: number, random: Random): SeedLine {
  const count = random.next() < 0.4 ? 1 : random.integer(2, mostInRow);
  let next = random.integer(0, 25);
  const written = Array.from({ length: count }, () => {
    const sum = drawAddition(count === 1 ? digits : random.integer(1, digits), random);
    const order = lettersFrom(next, Math.max(sum.left.length, sum.right.length) + 1);
    next += order.length;
    return { asked: writeAsked(sum, order), result: writeResult(sum, sumOf(sum), order) };
  });
  const prompt = `${additionMarks.solve}${written.map(({ asked }) => asked).join("")}`;
  return { prompt, reply: written.map(({ result }) => result).join("") };
}

function workingOnly(random: Random): SeedLine {
  const digits = random.integer(1, shownDigits);
  const sum = drawAddition(digits, random);
  const order = lettersFrom(random.integer(0, 25), digits + 1);
  const anything = Array.from({ length: digits + 1 }, () => random.integer(0, 9)).join("");
  const reply = writeResult(sum, anything, order);
  const untaught = new Set([...reply].flatMap((_, i) => (i % 4 === 3 || i === reply.length - 1 ? [i] : [])));
  return { prompt: `${additionMarks.solve}${writeAsked(sum, order)}`, reply, untaught };
}

/** The hidden half of the topic. `frontier` follows the shipped seed model: change both together. */
export const additionTruth: HiddenTruth = {
  check(question, answer) {
    const sum = readAddition(question.text);
    if (!sum.ok) {
      throw new UsageError(`"${question.text}" is not a sum: ${sum.reason}`, "Write it like 123+45=.");
    }
    return answer === sumOf(sum.value);
  },
  levels: [1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20],
  frontier: 10,
  heldOut(difficulty, count, random) {
    if (!Number.isInteger(difficulty) || difficulty < 1 || difficulty > maxAddendDigits) {
      throw noSuchDifficulty(
        "Addition",
        difficulty,
        `Difficulty is the digits of the longer operand, 1 to ${maxAddendDigits}.`,
      );
    }
    // There are 55 sums of one digit: half of them are left to self-play.
    return drawDistinct(Math.min(count, difficulty === 1 ? 27 : count), () =>
      additionQuestion(drawAddition(difficulty, random)),
    );
  },
};
