// What knows the truth about algebra questions: exact solutions, the working that the seed model is taught, and questions
// drawn for held-out evaluation. It feeds evaluation and the seed-model script only; no reward may depend on it.
import { UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import {
  type AlgebraQuestion,
  algebraMarks,
  difficultyOf,
  type Equation,
  type Fact,
  factRow,
  namesOf,
  type Problem,
  peopleNames,
  readQuestionText,
  reverseNumbers,
  type Term,
  toQuestion,
  unknownNames,
  writeQuestion,
} from "./algebra-notation.ts";
import type { HiddenTruth } from "./define-topic.ts";
import { drawDistinct, type SeedLine } from "./draw.ts";

/** `slope · name = constant`, what every question comes down to. */
interface Reduced {
  readonly name: string;
  readonly slope: number;
  readonly constant: number;
}

function reduce(question: AlgebraQuestion): Reduced {
  return question.kind === "equation" ? reduceEquation(question) : reduceProblem(question);
}

function reduceEquation(question: Equation): Reduced {
  let [slope, constant] = [0, 0];
  const add = (terms: readonly Term[], sign: number): void => {
    for (const term of terms) {
      if (term.name === null) constant -= sign * term.coefficient;
      else {
        slope += sign * term.coefficient;
        constant -= sign * term.coefficient * term.shift;
      }
    }
  };
  add(question.left, 1);
  add(question.right, -1);
  return { name: namesOf(question)[0], slope, constant };
}

/** Cramer's rule over whole numbers, with common factors of ±1 only taken out of the sign. */
function reduceProblem(question: Problem): Reduced {
  const names = namesOf(question);
  const rows = question.facts.map(factRow);
  const matrix = rows.map(({ weights }) => names.map((name) => weights.get(name) ?? 0));
  const asked = names.indexOf(question.asked);
  const replaced = matrix.map((row, i) => row.map((value, j) => (j === asked ? rows[i].constant : value)));
  return { name: question.asked, slope: determinant(matrix), constant: determinant(replaced) };
}

function determinant(matrix: readonly (readonly number[])[]): number {
  if (matrix.length === 1) return matrix[0][0];
  return matrix[0].reduce(
    (sum, value, column) =>
      sum +
      (value === 0
        ? 0
        : (column % 2 === 0 ? 1 : -1) * value * determinant(matrix.slice(1).map((row) => row.toSpliced(column, 1)))),
    0,
  );
}

/** The exact solution in lowest terms, `-7/3` or `5`. */
export function solutionOf(question: AlgebraQuestion): string {
  const { slope, constant } = reduce(question);
  const divisor = greatestCommonDivisor(slope, constant) * Math.sign(slope);
  const [top, bottom] = [constant / divisor || 0, slope / divisor];
  return bottom === 1 ? String(top) : `${top}/${bottom}`;
}

function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [Math.abs(a), Math.abs(b)];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/** The right reply with its working in the model's notation: `3x=15#5` with digits reversed. */
export function workedReply(question: AlgebraQuestion): string {
  const { name, slope, constant } = reduce(question);
  const sign = Math.sign(slope);
  const factor = Math.abs(slope) === 1 ? "" : String(Math.abs(slope));
  return reverseNumbers(`${factor}${name}=${sign * constant || 0}#${solutionOf(question)}`);
}

/** A random question of exactly this difficulty (1 to 4). Seven in ten have whole solutions by construction. */
export function drawAlgebra(difficulty: number, random: Random): AlgebraQuestion {
  for (;;) {
    const question = random.next() < (difficulty === 1 ? 0 : 0.4) ? drawProblem(random) : drawEquation(random);
    if (difficultyOf(question) !== difficulty) continue;
    const read = readQuestionText(toQuestion(question).text);
    if (!read.ok) continue;
    const { slope, constant } = reduce(question);
    // Solutions stay small: at most two digits above and below the line.
    const divisor = greatestCommonDivisor(slope, constant);
    if (Math.abs(constant / divisor) > 99 || Math.abs(slope / divisor) > 99) continue;
    if (random.next() < 0.7 && constant % slope !== 0) continue;
    return question;
  }
}

function drawEquation(random: Random): Equation {
  const name = random.pick(unknownNames);
  const number = (): Term => ({ coefficient: signed(random, 1, 60), name: null, shift: 0 });
  const factor = random.next() < 0.3 ? 1 : random.integer(2, 9);
  const shift = random.next() < 0.25 ? signed(random, 1, 9) : 0;
  const unknown: Term = { coefficient: factor, name, shift };
  const left = random.next() < 0.6 ? [unknown, number()] : [unknown];
  const right: Term[] =
    random.next() < 0.3 ? [{ coefficient: random.integer(1, 9), name, shift: 0 }, number()] : [number()];
  return random.next() < 0.9 ? { kind: "equation", left, right } : { kind: "equation", left: right, right: left };
}

function drawProblem(random: Random): Problem {
  const names = random.shuffle(peopleNames).slice(0, random.integer(2, 3));
  const relation = (who: string, other: string): Fact => {
    const kind = random.pick(["more", "fewer", "times"] as const);
    return { kind, who, other, number: kind === "times" ? random.integer(2, 6) : random.integer(1, 30) };
  };
  const facts: Fact[] = names.slice(1).map((name, i) => relation(name, names[i]));
  facts.push(
    random.next() < 0.5
      ? { kind: "known", who: names[0], number: random.integer(1, 40) }
      : { kind: "total", who: names[0], other: names[1], number: random.integer(5, 90) },
  );
  return { kind: "problem", facts: random.shuffle(facts), asked: random.pick(names) };
}

const signed = (random: Random, low: number, high: number): number =>
  random.integer(low, high) * (random.next() < 0.35 ? -1 : 1);

/** One line of training text for the seed model. */
export function drawAlgebraLine(difficulty: number, proposeShare: number, random: Random): SeedLine {
  const question = drawAlgebra(difficulty, random);
  return random.next() < proposeShare
    ? { prompt: algebraMarks.propose, reply: writeQuestion(question) }
    : { prompt: `${algebraMarks.solve}${writeQuestion(question)}:`, reply: workedReply(question) };
}

/** All characters of the topic's notation, for the seed model's alphabet. */
export const algebraCharacters = "LlxyznABCD()+-=;:?/#0123456789";

const levels = [1, 2, 3, 4] as const;

/** The hidden half of the topic. `frontier` follows the shipped seed model: change both together. */
export const algebraTruth: HiddenTruth = {
  check(question, answer) {
    const read = readQuestionText(question.text);
    if (!read.ok) {
      throw new UsageError(`"${question.text}" is not an algebra question: ${read.reason}`, "Write it like 3x+5=20.");
    }
    return answer === solutionOf(read.value);
  },
  levels,
  frontier: 3,
  heldOut(difficulty, count, random) {
    if (!levels.some((level) => level === difficulty)) {
      throw new UsageError(`Algebra has no questions of difficulty ${difficulty}.`, "Difficulties are 1 to 4.");
    }
    return drawDistinct(count, () => toQuestion(drawAlgebra(difficulty, random)));
  },
};
