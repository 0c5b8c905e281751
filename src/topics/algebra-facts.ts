// The sentences of the algebra topic's word problems: one linear statement each about who has how many, in short notation
// (`A=B+5`) and in words. What a whole problem must be is in algebra-notation.ts.
import { refuse } from "../reading.ts";
import type { Reading } from "../types.ts";

/** One sentence of a word problem; each is a linear statement about one or two people. */
export type Fact =
  | { readonly kind: "known"; readonly who: string; readonly number: number }
  | { readonly kind: "more" | "fewer" | "times"; readonly who: string; readonly other: string; readonly number: number }
  | { readonly kind: "total"; readonly who: string; readonly other: string; readonly number: number };

export type Known = Extract<Fact, { kind: "known" }>;
export type Relation = Exclude<Fact, Known>;

export interface Problem {
  readonly kind: "problem";
  readonly facts: readonly Fact[];
  readonly asked: string;
}

/** Most that anybody has in a word problem, give or take one. */
const maxOwned = 200;

const symbols = { more: "+", fewer: "-" } as const;

/** A fact in short notation, `A=B+5`. */
export function writeFact(fact: Fact): string {
  switch (fact.kind) {
    case "known":
      return `${fact.who}=${fact.number}`;
    case "times":
      return `${fact.who}=${fact.number}${fact.other}`;
    case "total":
      return `${fact.who}+${fact.other}=${fact.number}`;
    default:
      return `${fact.who}=${fact.other}${symbols[fact.kind]}${fact.number}`;
  }
}

export function readFact(text: string): Reading<Fact> {
  const digits = /[0-9]+/.exec(text)?.[0] ?? "";
  if (digits.length > 1 && digits.startsWith("0")) return refuse("leading zero");
  const number = Number(digits);
  if (digits === "") return refuse("a fact without a number");
  if (number > maxOwned) return refuse(`number above ${maxOwned}`);
  const known = /^([A-D])=[0-9]+$/.exec(text);
  if (known !== null) return { ok: true, value: { kind: "known", who: known[1], number } };
  const pair = /^([A-D])(?:=([A-D])([+-])[0-9]+|=[0-9]+([A-D])|\+([A-D])=[0-9]+)$/.exec(text) ?? undefined;
  if (pair === undefined) return refuse("not a fact");
  const [, who, plain, sign, multiplied, added] = pair;
  const other = plain ?? multiplied ?? added;
  if (who === other) return refuse("a fact about one person twice");
  if (multiplied !== undefined && number < 2) return refuse("times less than 2");
  const kind = multiplied !== undefined ? "times" : added !== undefined ? "total" : sign === "+" ? "more" : "fewer";
  return { ok: true, value: { kind, who, other, number } };
}

/** A fact as people read it. */
export function sentenceOf(fact: Fact): string {
  switch (fact.kind) {
    case "known":
      return `${fact.who} has ${fact.number}.`;
    case "more":
    case "fewer":
      return `${fact.who} has ${fact.number} ${fact.kind} than ${fact.other}.`;
    case "times":
      return `${fact.who} has ${fact.number} times as many as ${fact.other}.`;
    case "total":
      return `${fact.who} and ${fact.other} have ${fact.number} together.`;
  }
}

/** The sentences of a problem back in short notation; a text that is no sentence stays as it is. */
export function shortenSentences(text: string): string {
  const short = text
    .replace(/([A-D]) has (\d+) more than ([A-D])\. /g, "$1=$3+$2;")
    .replace(/([A-D]) has (\d+) fewer than ([A-D])\. /g, "$1=$3-$2;")
    .replace(/([A-D]) has (\d+) times as many as ([A-D])\. /g, "$1=$2$3;")
    .replace(/([A-D]) and ([A-D]) have (\d+) together\. /g, "$1+$2=$3;")
    .replace(/([A-D]) has (\d+)\. /g, "$1=$2;");
  return short.replace(/How many has ([A-D])\?$/, "$1?");
}

/** A fact as `a · who + b · other = c`. */
export function factRow(fact: Fact): { readonly weights: ReadonlyMap<string, number>; readonly constant: number } {
  switch (fact.kind) {
    case "known":
      return { weights: new Map([[fact.who, 1]]), constant: fact.number };
    case "times":
      return {
        weights: new Map([
          [fact.who, 1],
          [fact.other, -fact.number],
        ]),
        constant: 0,
      };
    case "total":
      return {
        weights: new Map([
          [fact.who, 1],
          [fact.other, 1],
        ]),
        constant: fact.number,
      };
    default:
      return {
        weights: new Map([
          [fact.who, 1],
          [fact.other, -1],
        ]),
        constant: fact.kind === "more" ? fact.number : -fact.number,
      };
  }
}

/**
 * The facts in the order of their chain. Where somebody's number is given, they must lead from them in one line to the one
 * asked for: what is beside the chain, or beyond its end, plays no part in the answer. Along it nobody is divided: parts
 * of people are no numbers. Where no number is given there is no chain, and the facts stay as they are.
 */
export function chainOf({ facts, asked }: Problem): Reading<readonly Fact[]> {
  const known = facts.find(({ kind }) => kind === "known");
  if (known === undefined) return { ok: true, value: facts };
  const chain = [known];
  let at = known.who;
  while (chain.length < facts.length) {
    const next = facts.filter(
      (fact) => "other" in fact && !chain.includes(fact) && (fact.who === at || fact.other === at),
    );
    if (next.length !== 1) return refuse("a fact that the answer does not need");
    const [fact] = next;
    if (fact.kind === "times" && fact.who === at) return refuse("a number that would have to be divided");
    chain.push(fact);
    at = fact.who === at && "other" in fact ? fact.other : fact.who;
  }
  return at === asked ? { ok: true, value: chain } : refuse("a fact that the answer does not need");
}

/** The same fact said from the other side: "A has 5 more than B" as "B has 5 fewer than A". Nobody is divided. */
export function turnedRound(fact: Relation): Relation;
export function turnedRound(fact: Fact): Fact;
export function turnedRound(fact: Fact): Fact {
  switch (fact.kind) {
    case "more":
    case "fewer":
      return { ...fact, kind: fact.kind === "more" ? "fewer" : "more", who: fact.other, other: fact.who };
    case "total":
      return { ...fact, who: fact.other, other: fact.who };
    default:
      return fact;
  }
}

/** One way to say what can be said two ways: the first of a total in lexical order, and "more" in place of "fewer". */
export function orderedFact(fact: Fact): Fact {
  return fact.kind === "fewer" || (fact.kind === "total" && fact.who > fact.other) ? turnedRound(fact) : fact;
}
