// How the addition topic writes sums for the model: column by column, least significant digit first, each column behind a letter
// that counts on from a drawn one. `123+45` from `k` on is `k35l24m10n=`. The solver says each column again with its digit of the
// result, `k358l246m101n=0`. A letter finds its column from any distance (index hints: Zhou et al. 2023, arXiv 2310.16028), and what is
// added then stands side by side with the column before, so that what is learned of a column holds in a longer sum too. The
// last letter is of the column that only a carry fills. Nothing here computes a sum; see addition-truth.ts.
import { type Random, randomStream } from "../random.ts";
import { refuse } from "../reading.ts";
import type { Question, Reading } from "../types.ts";

/** What each role's prompt begins with; no other topic uses these, so one model can know several topics. */
export const additionMarks = { propose: "A", solve: "B" } as const;

/** Longest operand, in digits. With the column of the last carry each column has a letter of its own. */
export const maxAddendDigits = 24;

const letters = "abcdefghijklmnopqrstuvwxyz";

/** All characters of the topic's notation, for the seed model's alphabet. */
export const additionCharacters = `${additionMarks.propose}${additionMarks.solve}=0123456789${letters}`;

/** Two whole numbers in normal digit order, without leading zeros. */
export interface Addition {
  readonly left: string;
  readonly right: string;
}

/** The question that a sum asks. Its difficulty is the digits of the longer operand, 1 to 24. */
export function additionQuestion({ left, right }: Addition): Question {
  const leftFirst = left.length === right.length ? left >= right : left.length > right.length;
  const [long, short] = leftFirst ? [left, right] : [right, left];
  return {
    text: `${left}+${right}=`,
    key: `${long}+${short}`,
    difficulty: long.length,
    kind: `${long.length} and ${short.length} digits`,
  };
}

/** Reads a sum in normal digit order, strictly. */
export function readAddition(text: string): Reading<Addition> {
  const match = /^([0-9]+)\+([0-9]+)=$/.exec(text);
  if (match === null) return refuse("not of the form a+b=");
  const [, left, right] = match;
  for (const number of [left, right]) {
    if (number.length > 1 && number.startsWith("0")) return refuse("leading zero");
    if (number.length > maxAddendDigits) return refuse(`operand longer than ${maxAddendDigits} digits`);
  }
  return { ok: true, value: { left, right } };
}

/** `count` letters from the one of index `first` on; `a` follows `z`. */
export function lettersFrom(first: number, count: number): string {
  return Array.from({ length: count }, (_, i) => letters[(first + i) % letters.length]).join("");
}

/** What opens a proposal of `digits` digits: the letters of its columns. */
export function writeRequest(digits: number, random: Random): string {
  return `${additionMarks.propose}${lettersFrom(random.integer(0, letters.length - 1), digits)}=`;
}

/** The columns of a sum from a place on (0 has the ones), each behind its letter. */
export function writeColumns({ left, right }: Addition, columnLetters: string, from = 0): string {
  const column = (number: string, place: number): string => number[number.length - 1 - place] ?? "0";
  return [...columnLetters].map((letter, i) => letter + column(left, from + i) + column(right, from + i)).join("");
}

/** The letters that a sum is put with, drawn from its own text: one for each digit, and one for the last carry. */
export function lettersOf({ left, right }: Addition): string {
  const first = randomStream("columns", left, right).integer(0, letters.length - 1);
  return lettersFrom(first, Math.max(left.length, right.length) + 1);
}

/** A sum as it is put to the solver, behind its mark: its columns, and the letter of the last carry. */
export function writeAsked(sum: Addition, columnLetters: string): string {
  return `${writeColumns(sum, columnLetters.slice(0, -1))}${columnLetters.slice(-1)}=`;
}

/** A result as the model writes it: each column of the sum with its digit of the result, then the digit of the last carry. */
export function writeResult(sum: Addition, result: string, columnLetters: string): string {
  const digit = (place: number): string => result[result.length - 1 - place] ?? "0";
  const columns = [...columnLetters.slice(0, -1)].map(
    (letter, place) => writeColumns(sum, letter, place) + digit(place),
  );
  return `${columns.join("")}${columnLetters.slice(-1)}=${digit(columns.length)}`;
}

/** Reads a sum that the model wrote in columns. */
export function readColumns(reply: string): Reading<Addition> {
  if (!/^([a-z][0-9][0-9])+$/.test(reply)) return refuse("not columns of a letter and two digits");
  const columns = reply.match(/.../g)!;
  const order = columns.map(([letter]) => letter).join("");
  if (order !== lettersFrom(letters.indexOf(order[0]), columns.length)) return refuse("letters out of order");
  const number = (digit: 1 | 2): string =>
    columns
      .map((column) => column[digit])
      .reverse()
      .join("")
      .replace(/^0+(?=.)/, "");
  const sum = { left: number(1), right: number(2) };
  if (columns.length > 1 && Math.max(sum.left.length, sum.right.length) < columns.length) return refuse("leading zero");
  return readAddition(`${sum.left}+${sum.right}=`);
}

/**
 * Reads a result that the model wrote into the canonical integer: the last digit behind each of the question's letters. What it says of
 * the columns is working, which is not judged. A result with fewer columns than its question cannot be read, so that a model that stops too
 * soon has no vote.
 */
export function readResult(reply: string, columnLetters: string): Reading<string> {
  if (!/^([a-z][0-9]{3})*[a-z]=[0-9]$/.test(reply)) {
    return refuse(reply === "" ? "empty" : "not columns of a letter and three digits, with a last one like n=0");
  }
  const order = reply.replace(/[0-9=]/g, "");
  if (order.length < columnLetters.length) return refuse("fewer columns than the question");
  if (order !== columnLetters) return refuse("other columns than the question's");
  const digits = reply
    .match(/[0-9](?=[a-z]|$)/g)!
    .reverse()
    .join("");
  return { ok: true, value: digits.replace(/^0+(?=.)/, "") };
}
