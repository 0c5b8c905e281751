// How the algebra topic writes its questions. Two families share one notation of linear statements: equations in one
// unknown (`3x+5=20`) and word problems about who has how many (`A=B+5;A+B=27;A?`), which people read as sentences.
// The model reads and writes numbers with their digits reversed. Nothing here solves anything; see algebra-truth.ts.
import { refuse } from "../reading.ts";
import type { Question, Reading } from "../types.ts";
import {
  chainOf,
  type Fact,
  factRow,
  orderedFact,
  type Problem,
  readFact,
  sentenceOf,
  shortenSentences,
  writeFact,
} from "./algebra-facts.ts";

/** What each role's prompt begins with; no other topic uses these. The proposer is asked for one family or the other. */
export const algebraMarks = { propose: { equation: "L", problem: "W" }, solve: "l" } as const;

export const unknownNames = ["x", "y", "z", "n"] as const;
export const peopleNames = ["A", "B", "C", "D"] as const;

/** `coefficient · (name + shift)`, or a number alone where `name` is null. */
export interface Term {
  readonly coefficient: number;
  readonly name: string | null;
  readonly shift: number;
}

export interface Equation {
  readonly kind: "equation";
  readonly left: readonly Term[];
  readonly right: readonly Term[];
}

export type AlgebraQuestion = Equation | Problem;

const maxNumber = 999;
const maxTerms = 3;

const reverse = (digits: string): string => [...digits].reverse().join("");

/** Turns every number of a text round; it is its own inverse. */
export const reverseNumbers = (text: string): string => text.replace(/[0-9]+/g, reverse);

// ---- equations

/** `3x+5`, `2(x-3)`; an empty side is 0. */
function writeSide(terms: readonly Term[]): string {
  const text = terms
    .map(({ coefficient, name, shift }, i) => {
      const sign = coefficient < 0 ? "-" : i > 0 ? "+" : "";
      const size = Math.abs(coefficient);
      if (name === null) return `${sign}${size}`;
      const factor = size === 1 && shift === 0 ? "" : String(size);
      return `${sign}${factor}${shift === 0 ? name : `(${name}${shift < 0 ? "-" : "+"}${Math.abs(shift)})`}`;
    })
    .join("");
  return text === "" ? "0" : text;
}

const writeEquation = ({ left, right }: Equation): string => `${writeSide(left)}=${writeSide(right)}`;

function readSide(text: string): Reading<readonly Term[]> {
  const terms: Term[] = [];
  const term = /([+-]?)(?:([0-9]*)\(([xyzn])([+-])([0-9]+)\)|([0-9]*)([xyzn])|([0-9]+))/y;
  while (term.lastIndex < text.length) {
    const first = term.lastIndex === 0;
    const match = term.exec(text);
    if (match === null || (match[1] === "" && !first) || (match[1] === "+" && first))
      return refuse("not a linear side");
    const sign = match[1] === "-" ? -1 : 1;
    const digits = [match[2], match[5], match[6], match[8]].filter((each) => each !== undefined && each !== "");
    if (digits.some((each) => (each as string).length > 1 && (each as string).startsWith("0")))
      return refuse("leading zero");
    if (digits.some((each) => Number(each) > maxNumber)) return refuse(`number above ${maxNumber}`);
    if (match[3] !== undefined) {
      const shift = Number(match[5]) * (match[4] === "-" ? -1 : 1);
      terms.push({ coefficient: sign * (match[2] === "" ? 1 : Number(match[2])), name: match[3], shift });
    } else if (match[7] !== undefined) {
      terms.push({ coefficient: sign * (match[6] === "" ? 1 : Number(match[6])), name: match[7], shift: 0 });
    } else terms.push({ coefficient: sign * Number(match[8]), name: null, shift: 0 });
  }
  if (terms.length === 0) return refuse("an empty side");
  if (terms.length > maxTerms) return refuse(`more than ${maxTerms} terms on a side`);
  return { ok: true, value: terms };
}

function readEquation(text: string): Reading<Equation> {
  const sides = text.split("=");
  if (sides.length !== 2) return refuse("not one equation");
  const [left, right] = sides.map(readSide);
  if (!left.ok) return left;
  if (!right.ok) return right;
  const equation: Equation = { kind: "equation", left: left.value, right: right.value };
  const names = namesOf(equation);
  if (names.length === 0) return refuse("no unknown");
  if (names.length > 1) return refuse("more than one unknown");
  if (slope(equation) === 0) return refuse("no single solution");
  if ([...equation.left, ...equation.right].some((each) => each.name !== null && each.coefficient === 0)) {
    return refuse("an unknown times 0");
  }
  return { ok: true, value: equation };
}

/** Coefficient of the unknown when all terms stand on the left: 0 means no or every solution. */
const slope = ({ left, right }: Equation): number =>
  sumOver(left, (term) => (term.name === null ? 0 : term.coefficient)) -
  sumOver(right, (term) => (term.name === null ? 0 : term.coefficient));

const sumOver = (terms: readonly Term[], value: (term: Term) => number): number =>
  terms.reduce((sum, term) => sum + value(term), 0);

function readProblem(text: string): Reading<Problem> {
  const parts = text.split(";");
  const ask = /^([A-D])\?$/.exec(parts[parts.length - 1]);
  if (ask === null) return refuse("nothing is asked");
  const facts: Fact[] = [];
  for (const part of parts.slice(0, -1)) {
    const fact = readFact(part);
    if (!fact.ok) return fact;
    facts.push(fact.value);
  }
  const problem: Problem = { kind: "problem", facts, asked: ask[1] };
  const names = namesOf(problem);
  if (names.length < 2) return refuse("not about two people or more");
  if (!facts.some((fact) => fact.who === ask[1] || ("other" in fact && fact.other === ask[1]))) {
    return refuse("asks for somebody of whom nothing is said");
  }
  if (facts.length !== names.length || !isDetermined(problem, names)) return refuse("no single solution");
  const chain = chainOf(problem);
  return chain.ok ? { ok: true, value: problem } : chain;
}

/** True when the facts fix every number: their determinant is not 0. */
function isDetermined({ facts }: Problem, names: readonly string[]): boolean {
  return determinant(facts.map((fact) => names.map((name) => factRow(fact).weights.get(name) ?? 0))) !== 0;
}

/** Determinant of a small square matrix of whole numbers. */
export function determinant(matrix: readonly (readonly number[])[]): number {
  if (matrix.length === 1) return matrix[0][0];
  return matrix[0].reduce((sum, value, column) => {
    if (value === 0) return sum;
    const minor = matrix.slice(1).map((row) => row.toSpliced(column, 1));
    return sum + (column % 2 === 0 ? 1 : -1) * value * determinant(minor);
  }, 0);
}

// ---- questions

/** Names in order of appearance. */
export function namesOf(question: AlgebraQuestion): readonly string[] {
  const names =
    question.kind === "equation"
      ? [...question.left, ...question.right].flatMap(({ name }) => (name === null ? [] : [name]))
      : question.facts.flatMap((fact) => ("other" in fact ? [fact.who, fact.other] : [fact.who]));
  return [...new Set(names)];
}

/** The same question under other names. */
export function rename<Kind extends AlgebraQuestion>(question: Kind, names: ReadonlyMap<string, string>): Kind {
  const of = (name: string): string => names.get(name) ?? name;
  if (question.kind === "equation") {
    const side = (terms: readonly Term[]): readonly Term[] =>
      terms.map((term) => ({ ...term, name: term.name === null ? null : of(term.name) }));
    return { ...question, left: side(question.left), right: side(question.right) };
  }
  const facts = question.facts.map((fact) =>
    "other" in fact ? { ...fact, who: of(fact.who), other: of(fact.other) } : { ...fact, who: of(fact.who) },
  );
  return { ...question, facts, asked: of(question.asked) };
}

/** In short notation with normal digits, e.g. `3x+5=20` or `A=B+5;A+B=27;A?`. */
export const shortText = (question: AlgebraQuestion): string =>
  question.kind === "equation"
    ? writeEquation(question)
    : `${question.facts.map(writeFact).join(";")};${question.asked}?`;

/** In the model's notation: short, digits reversed. */
export const writeQuestion = (question: AlgebraQuestion): string => reverseNumbers(shortText(question));

/** For people: an equation as it is, a word problem as sentences. */
export const questionText = (question: AlgebraQuestion): string =>
  question.kind === "equation"
    ? writeEquation(question)
    : `${question.facts.map(sentenceOf).join(" ")} How many has ${question.asked}?`;

/** Reads what `shortText` or `questionText` wrote, strictly. */
export function readQuestionText(text: string): Reading<AlgebraQuestion> {
  const short = shortenSentences(text);
  if (short.length > 48) return refuse("too long");
  return short.includes("?") || short.includes(";") ? readProblem(short) : readEquation(short);
}

/** Reads what the model wrote, digits reversed. */
export const readWrittenQuestion = (reply: string): Reading<AlgebraQuestion> =>
  /^[0-9xyznA-D()+=;?-]*$/.test(reply)
    ? readQuestionText(reverseNumbers(reply))
    : refuse("a character outside the notation");

/** Steps that a solution takes: 1 for `x+5=9` up to 4. */
export function difficultyOf(question: AlgebraQuestion): number {
  if (question.kind === "problem") {
    return Math.min(4, namesOf(question).length + (question.facts.some((fact) => fact.kind === "known") ? 0 : 1));
  }
  const terms = [...question.left, ...question.right];
  const withName = terms.filter((term) => term.name !== null);
  const sides = [question.left, question.right].filter((side) => side.some((term) => term.name !== null)).length;
  const moves = [question.left, question.right].some(
    (side) => side.some((term) => term.name !== null) && side.some((term) => term.name === null),
  );
  const steps =
    (moves ? 1 : 0) +
    (Math.abs(slope(question)) === 1 ? 0 : 1) +
    (sides === 2 ? 1 : 0) +
    (withName.some((term) => term.shift !== 0) ? 1 : 0);
  return Math.min(4, Math.max(1, steps));
}

/** Everybody with twice as many. */
export const withDoubledNumbers = (problem: Problem): Problem => ({
  ...problem,
  facts: problem.facts.map((fact) => (fact.kind === "times" ? fact : { ...fact, number: 2 * fact.number })),
});

/** The loop's question. Names, the order of facts and the sides of an equation do not change its key. */
export function toQuestion(question: AlgebraQuestion): Question {
  return {
    text: questionText(question),
    key: keyOf(question),
    difficulty: difficultyOf(question),
    kind: kindOf(question),
  };
}

/**
 * What is left without names, numbers, signs and order: `2x+5=9` is `ax+b=b`, and a problem is its kinds of fact, "fewer"
 * being "more" said from the other side.
 */
function kindOf(question: AlgebraQuestion): string {
  if (question.kind === "problem")
    return question.facts
      .map(({ kind }) => (kind === "fewer" ? "more" : kind))
      .sort()
      .join(" ");
  const side = (terms: readonly Term[]): string => terms.map(termKind).sort().join("+");
  return [side(question.left), side(question.right)].sort().join("=");
}

function termKind({ coefficient, name, shift }: Term): string {
  const factor = Math.abs(coefficient) === 1 ? "" : "a";
  return name === null ? "b" : shift === 0 ? `${factor}x` : `${factor}(x+c)`;
}

function keyOf(question: AlgebraQuestion): string {
  if (question.kind === "equation") {
    const named = rename(question, new Map(namesOf(question).map((name) => [name, "x"])));
    const side = (terms: readonly Term[]): string =>
      terms
        .map((term) => writeSide([term]))
        .sort()
        .join("+");
    return [side(named.left), side(named.right)].sort().join("=");
  }
  // The asked one is A; of the ways to name the others, the first in lexical order.
  const others = namesOf(question).filter((name) => name !== question.asked);
  const keys = permutations(others).map((order) => {
    const named = rename(question, new Map([question.asked, ...order].map((name, i) => [name, peopleNames[i]])));
    return named.facts.map(orderedFact).map(writeFact).sort().join(";");
  });
  return keys.sort()[0];
}

function permutations(names: readonly string[]): string[][] {
  if (names.length <= 1) return [[...names]];
  return names.flatMap((name, i) => permutations(names.toSpliced(i, 1)).map((rest) => [name, ...rest]));
}
