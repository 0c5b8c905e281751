// How the arithmetic topic writes sums, for people and for the model. A small transformer learns to carry when it meets
// the least significant digit first, so the model reads and writes every number with its digits reversed; people see the
// normal order. Nothing here computes a result: see arithmetic-truth.ts for that.
import { refuse } from "../reading.ts";
import type { Question, Reading } from "../types.ts";

export const operators = ["+", "-", "*"] as const;
export type Operator = (typeof operators)[number];

/** Longest operand, in digits. */
export const maxDigits = 9;

/** Longest result of two such operands, in digits: 999999999 + 999999999 and 999999999 * 9 have ten. */
const maxAnswerDigits = maxDigits + 1;

/** Two non-negative numbers in normal digit order, without leading zeros, and what to do with them. */
export interface Sum {
  readonly left: string;
  readonly operator: Operator;
  readonly right: string;
}

/** A number as the model writes it: `-120` becomes `-021`. It is its own inverse. */
export function writeNumber(number: string): string {
  return number.startsWith("-") ? `-${reverse(number.slice(1))}` : reverse(number);
}

/** A sum for people, e.g. `123+456=`. */
function sumText({ left, operator, right }: Sum): string {
  return `${left}${operator}${right}=`;
}

/** A sum for the model, e.g. `321+654=`. */
export function writeSum({ left, operator, right }: Sum): string {
  return `${writeNumber(left)}${operator}${writeNumber(right)}=`;
}

/**
 * Digits of the longer operand, one more for a product: its carries go up to 8 instead of 1, which makes a product of two
 * digits about as hard for a small transformer as a sum of three.
 */
function sumDifficulty({ left, operator, right }: Sum): number {
  return Math.max(left.length, right.length) + (operator === "*" ? 1 : 0);
}

/** The largest difficulty that an operation reaches. */
export const maxDifficulty = (operator: Operator): number => maxDigits + (operator === "*" ? 1 : 0);

/** One key for all sums that ask the same: commuted operands, and `a-b` with `b-a`, whose answers differ in sign only. */
export function sumKey({ left, operator, right }: Sum): string {
  const leftIsLarger = left.length === right.length ? left > right : left.length > right.length;
  return leftIsLarger ? `${left}${operator}${right}` : `${right}${operator}${left}`;
}

/** The question that a sum asks. */
export function sumQuestion(sum: Sum): Question {
  return { text: sumText(sum), key: sumKey(sum), difficulty: sumDifficulty(sum) };
}

/** Reads a sum in normal digit order, strictly; refuses with a reason what is outside the topic. */
export function readSum(text: string): Reading<Sum> {
  const match = /^([0-9]+)([-+*])([0-9]+)=$/.exec(text);
  if (match === null) return refuse("not of the form a+b=, a-b= or a*b=");
  const [, left, operator, right] = match;
  if (hasLeadingZero(left) || hasLeadingZero(right)) return refuse("leading zero");
  if (left.length > maxDigits || right.length > maxDigits) return refuse(`operand longer than ${maxDigits} digits`);
  if (operator === "*" && left.length > 1 && right.length > 1) {
    return refuse("multiplication needs an operand of one digit");
  }
  return { ok: true, value: { left, operator: operator as Operator, right } };
}

/** Reads a sum that the model wrote, digits reversed. */
export function readWrittenSum(reply: string): Reading<Sum> {
  // Only runs of digits are turned round; whatever else stands in the reply stays for `readSum` to refuse.
  return readSum(reply.replace(/[0-9]+/g, reverse));
}

/** Reads a result that the model wrote, digits reversed, into the canonical integer; `-0` is `0`. */
export function readWrittenNumber(reply: string): Reading<string> {
  const match = /^(-?)([0-9]+)$/.exec(reply);
  if (match === null) return refuse(reply === "" ? "empty" : "not a number");
  const [, sign, written] = match;
  if (written.length > maxAnswerDigits) return refuse(`longer than ${maxAnswerDigits} digits`);
  const digits = reverse(written);
  if (hasLeadingZero(digits)) return refuse("leading zero");
  return { ok: true, value: digits === "0" ? "0" : `${sign}${digits}` };
}

/** The canonical integer of opposite sign. */
export function negate(number: string): string {
  if (number === "0") return "0";
  return number.startsWith("-") ? number.slice(1) : `-${number}`;
}

function hasLeadingZero(digits: string): boolean {
  return digits.length > 1 && digits.startsWith("0");
}

function reverse(digits: string): string {
  return [...digits].reverse().join("");
}
