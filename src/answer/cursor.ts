// Where the parser stands: the tokens, the position and what surrounds it. The grammar's rules call each other across
// three files; they do so through `rules`, so that no two files import each other.
import type { Node, Operator } from "./node.ts";
import type { Token } from "./syntax.ts";
import { unitOf } from "./units.ts";

export const maxDepth = 400;

/** Signals that tokens are no answer; `parse` turns it into a reason. */
export class Unreadable extends Error {}

type Rule = (cursor: Cursor) => Node;

/** The rules that a file calls and another one defines. */
export interface Rules {
  /** Items up to `isEnd`; `open` is the bracket that they stand in. */
  readonly list: (cursor: Cursor, open: string, isEnd: () => boolean) => Node;
  readonly relation: Rule;
  readonly sum: Rule;
  readonly product: Rule;
  readonly power: Rule;
  /** What `read` reads, behind any number of signs. */
  readonly signed: (cursor: Cursor, read: Rule) => Node;
  readonly raise: (cursor: Cursor, base: Node) => Node;
  readonly startsFactor: (cursor: Cursor) => boolean;
  readonly primary: Rule;
  /** One brace group, or the single token that LaTeX takes instead: `\frac12` splits digits, `^10` in plain text does not. */
  readonly argument: (cursor: Cursor, wholeNumber: boolean) => Node;
  /** What remains of a number after `argument` took a digit from it, as a factor of `node`: `\sqrt35` is √3 · 5. */
  readonly rest: (cursor: Cursor, node: Node) => Node;
  readonly symbolOrCall: (cursor: Cursor, letter: string) => Node;
  readonly namedFunction: (cursor: Cursor, name: string) => Node;
  readonly command: (cursor: Cursor, name: string) => Node;
  readonly bracket: (cursor: Cursor, open: string) => Node;
  readonly environment: (cursor: Cursor, name: string) => Node;
}

export interface Cursor {
  readonly source: readonly Token[];
  readonly rules: Rules;
  at: number;
  depth: number;
  deepest: number;
  /** Open `|` bars: inside them a bar closes. */
  bars: number;
  /** Inside a set-builder head, `:` and `|` separate. */
  builder: boolean;
  /** How many sums and the like stand inside each other in what was just read. */
  sumDepth: number;
  /** Digits of the number at `at` that were not taken yet. */
  pendingDigits: string;
}

export const cursorOver = (source: readonly Token[], rules: Rules): Cursor => ({
  source,
  rules,
  at: 0,
  depth: 0,
  deepest: 0,
  bars: 0,
  builder: false,
  sumDepth: 0,
  pendingDigits: "",
});

export const operation = (operator: Operator, ...operands: readonly Node[]): Node => ({
  kind: "operation",
  operator,
  operands,
});

/** An operand with the unit behind it, which the tokeniser has found in the text. */
export const quantity = (operand: Node, text: string): Node => ({
  kind: "quantity",
  unit: unitOf(text) ?? fail(),
  operands: [operand],
});

export const symbol = (name: string, word = false): Node => ({ kind: "symbol", name, word });

export function fail(): never {
  throw new Unreadable();
}

export const peek = (cursor: Cursor, offset = 0): Token | undefined => cursor.source[cursor.at + offset];

/** The text of a token; empty for numbers and past the end. */
export function textAt(cursor: Cursor, offset = 0): string {
  const token = peek(cursor, offset);
  return token === undefined || token.type === "number" ? "" : token.text;
}

export const isPunctuation = (cursor: Cursor, text: string, offset = 0): boolean =>
  peek(cursor, offset)?.type === "punctuation" && textAt(cursor, offset) === text;

export const isCommand = (cursor: Cursor, text: string, offset = 0): boolean =>
  peek(cursor, offset)?.type === "command" && textAt(cursor, offset) === text;

/** Steps over a punctuation mark where it stands here. */
export function take(cursor: Cursor, text: string): boolean {
  if (!isPunctuation(cursor, text)) return false;
  cursor.at++;
  return true;
}

export function expect(cursor: Cursor, text: string): void {
  if (!take(cursor, text)) fail();
}

/** Reads one level deeper; too deep is unreadable. */
export function nested(cursor: Cursor, read: () => Node): Node {
  cursor.depth++;
  cursor.deepest = Math.max(cursor.deepest, cursor.depth);
  if (cursor.depth > maxDepth) fail();
  const node = read();
  cursor.depth--;
  return node;
}

/** Reads inside brackets, where bars and set-builder heads of outside have no meaning. */
export function inBrackets(cursor: Cursor, read: () => Node): Node {
  const [outerBars, outerBuilder] = [cursor.bars, cursor.builder];
  cursor.bars = 0;
  cursor.builder = false;
  const node = read();
  [cursor.bars, cursor.builder] = [outerBars, outerBuilder];
  return node;
}
