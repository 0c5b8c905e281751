// What knows the truth about algebra questions: exact solutions, the working that the seed model is taught, and questions
// drawn for held-out evaluation. It feeds evaluation and the seed-model script only; no reward may depend on it.
import { UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import { chainOf, type Fact, factRow, type Problem, turnedRound, writeFact } from "./algebra-facts.ts";
import {
  type AlgebraQuestion,
  algebraMarks,
  determinant,
  difficultyOf,
  type Equation,
  namesOf,
  peopleNames,
  readQuestionText,
  reverseNumbers,
  shortText,
  type Term,
  toQuestion,
  unknownNames,
  withDoubledNumbers,
  writeQuestion,
} from "./algebra-notation.ts";
import type { HiddenTruth } from "./define-topic.ts";
import { drawDistinct, noSuchDifficulty, type SeedLines } from "./draw.ts";

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

/**
 * The right reply with its working in the model's notation, one small step a line: `2(x+3)+5=4x-7` gives
 * `2x+6+5=4x-7;2x+11=4x-7;-2x=-18#9`, and `C=3A;A+B=27;B=12;C?` gives `A+B=27;A=27-B=27-12=15;C=3A=3(15)=45#45`,
 * digits reversed.
 */
export function workedReply(question: AlgebraQuestion): string {
  const lines = question.kind === "equation" ? equationWorking(question) : problemWorking(question);
  return reverseNumbers(`${lines.join(";")}#${solutionOf(question)}`);
}

/** Parentheses multiplied out, each side gathered, the unknown alone on the left; steps that change nothing left out. */
function equationWorking(equation: Equation): string[] {
  const { name, slope, constant } = reduceEquation(equation);
  // Where the unknown stands on the right only, it is brought to the left with its own sign.
  const sign = equation.left.some((term) => term.name !== null) ? 1 : -1;
  const states: Equation[] = [
    equation,
    { ...equation, left: expand(equation.left), right: expand(equation.right) },
    { ...equation, left: gather(equation.left, name), right: gather(equation.right, name) },
    { ...equation, left: sideOf(sign * slope, name, 0), right: sideOf(0, name, sign * constant) },
  ];
  const written = states.map(shortText);
  return written.filter((text, i) => i > 0 && text !== written[i - 1]);
}

const expand = (terms: readonly Term[]): readonly Term[] =>
  terms.flatMap((term) =>
    term.name === null || term.shift === 0
      ? [term]
      : [
          { ...term, shift: 0 },
          { coefficient: term.coefficient * term.shift, name: null, shift: 0 },
        ],
  );

function gather(terms: readonly Term[], name: string): readonly Term[] {
  const total = (wanted: string | null): number =>
    expand(terms).reduce((sum, term) => sum + (term.name === wanted ? term.coefficient : 0), 0);
  return sideOf(total(name), name, total(null));
}

const sideOf = (slope: number, name: string, constant: number): readonly Term[] =>
  [
    { coefficient: slope, name, shift: 0 },
    { coefficient: constant, name: null, shift: 0 },
  ].filter(({ coefficient }) => coefficient !== 0);

/**
 * From the person whose number is known, fact by fact, to the one asked for: each fact is first turned to say whom it
 * gives, which is where "more" becomes "fewer". Problems where nobody's number is given (drawn by nobody, but a proposer
 * may write them) get their last line only.
 */
function problemWorking(problem: Problem): string[] {
  const chain = chainOf(problem);
  const [known, ...relations] = chain.ok ? chain.value : [];
  if (known?.kind !== "known") return [`${problem.asked}=${solutionOf(problem)}`];
  const lines: string[] = [];
  let [given, number] = [known.who, known.number];
  for (const fact of relations) {
    const said = fact.who === given ? turnedRound(fact) : fact;
    if (said.kind === "known") continue;
    const [write, value] = ruleOf(said.kind, said.number, number);
    if (said !== fact || said.kind === "total") lines.push(writeFact(fact));
    lines.push(`${said.who}=${write(given)}=${write(number)}=${value}`);
    [given, number] = [said.who, value];
  }
  return lines;
}

/** How a person's number follows from that of another, for whom `known` stands: in writing and in value. */
function ruleOf(
  kind: "more" | "fewer" | "times" | "total",
  number: number,
  known: number,
): readonly [write: (of: string | number) => string, value: number] {
  switch (kind) {
    case "more":
      return [(of) => `${of}+${number}`, known + number];
    case "fewer":
      return [(of) => `${of}-${number}`, known - number];
    case "times":
      return [(of) => (typeof of === "number" ? `${number}(${of})` : `${number}${of}`), number * known];
    case "total":
      return [(of) => `${number}-${of}`, number - known];
  }
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
  const number = (): Term => ({ coefficient: signed(random, 1, 40), name: null, shift: 0 });
  const shift = random.next() < 0.3 ? signed(random, 1, 9) : 0;
  const factor = shift === 0 && random.next() < 0.3 ? 1 : random.integer(2, 9);
  const unknown: Term = { coefficient: factor, name, shift };
  const left = random.next() < 0.6 ? [unknown, number()] : [unknown];
  const right: Term[] =
    random.next() < 0.3 ? [{ coefficient: random.integer(1, 9), name, shift: 0 }, number()] : [number()];
  // Not what is solved already.
  if (left.length === 1 && right.length === 1 && factor === 1) return drawEquation(random);
  return random.next() < 0.5 ? { kind: "equation", left, right } : { kind: "equation", left: right, right: left };
}

/** A chain of people from one whose number is known to the one asked for; everybody has 0 to 99. */
function drawProblem(random: Random): Problem {
  const names = random.shuffle(peopleNames).slice(0, random.integer(2, 4));
  for (;;) {
    let value = random.integer(1, 40);
    const facts: Fact[] = [{ kind: "known", who: names[0], number: value }];
    let sound = true;
    for (const [i, who] of names.slice(1).entries()) {
      const before = names[i];
      const kind = random.pick(["more", "fewer", "times", "total"] as const);
      const number = kind === "times" ? random.integer(2, 6) : random.integer(1, kind === "total" ? 99 : 30);
      // "A has 5 more than B" may tell A from B or B from A.
      const forward = kind === "times" || random.next() < 0.5;
      facts.push({ kind, who: forward ? who : before, other: forward ? before : who, number });
      if (kind === "times") value *= number;
      else if (kind === "total") value = number - value;
      else value += (kind === "more") === forward ? number : -number;
      sound &&= value >= 0 && value <= 99;
    }
    if (sound) return { kind: "problem", facts: random.shuffle(facts), asked: names[names.length - 1] };
  }
}

/** A problem as its chain is told, from the person whose number is known. */
function inOrder(question: AlgebraQuestion): AlgebraQuestion {
  if (question.kind === "equation") return question;
  const chain = chainOf(question);
  return chain.ok ? { ...question, facts: chain.value } : question;
}

const signed = (random: Random, low: number, high: number): number =>
  random.integer(low, high) * (random.next() < 0.35 ? -1 : 1);

/**
 * Lines of training text for the seed model, one for each role. Proposers tell a problem in the order of its chain, from
 * the known number to the one asked for, so that what they write is a chain; solvers are given its facts in any order.
 */
export const algebraLines: SeedLines = {
  propose: (difficulty, random) => {
    const question = drawAlgebra(difficulty, random);
    return { prompt: algebraMarks.propose[question.kind], reply: writeQuestion(inOrder(question)) };
  },
  solve: (difficulty, random) => {
    const drawn = drawAlgebra(difficulty, random);
    const question = drawn.kind === "problem" && random.next() < 0.4 ? withDoubledNumbers(drawn) : drawn;
    return { prompt: `${algebraMarks.solve}${writeQuestion(question)}:`, reply: workedReply(question) };
  },
};

/** All characters of the topic's notation, for the seed model's alphabet. */
export const algebraCharacters = "LWlxyznABCD()+-=;:?/#0123456789";

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
  frontier: 4,
  heldOut(difficulty, count, random) {
    if (!levels.some((level) => level === difficulty)) {
      throw noSuchDifficulty("Algebra", difficulty, "Difficulties are 1 to 4.");
    }
    return drawDistinct(count, () => toQuestion(drawAlgebra(difficulty, random)));
  },
};
