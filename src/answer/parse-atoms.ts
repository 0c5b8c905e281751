// Grammar, second of three files: numbers (mixed numbers, bases, single digits that TeX takes), symbols with subscripts,
// and the choice of what an operand is.
import {
  type Cursor,
  expect,
  fail,
  inBrackets,
  isCommand,
  isPunctuation,
  nested,
  operation,
  peek,
  symbol,
  take,
} from "./cursor.ts";
import type { Node } from "./node.ts";
import { type Rational, rational } from "./rational.ts";
import type { Token } from "./syntax.ts";

type NumberToken = Token & { readonly type: "number" };

const numberNode = ({ value, decimals }: NumberToken): Node => ({ kind: "number", value, decimals });
const integerNode = (digits: string): Node => ({ kind: "number", value: integer(digits), decimals: 0 });
const integer = (digits: string): Rational => rational(BigInt(digits)) ?? fail();

/** One operand without its exponent. */
export const primary = (cursor: Cursor): Node =>
  nested(cursor, () => {
    const token = peek(cursor) ?? fail();
    if (token.type === "number") return number(cursor, token);
    cursor.at++;
    switch (token.type) {
      case "symbol":
        return symbolOrCall(cursor, token.text);
      case "word":
        return symbol(token.text.toLowerCase(), true);
      case "function":
        return cursor.rules.namedFunction(cursor, token.text);
      case "environment":
        return token.text.startsWith("begin") ? cursor.rules.environment(cursor, token.text.slice(6)) : fail();
      case "command":
        return cursor.rules.command(cursor, token.text);
      case "relation":
      case "unit":
        return fail();
      case "punctuation":
        return cursor.rules.bracket(cursor, token.text);
    }
  });

export function argument(cursor: Cursor, wholeNumber: boolean): Node {
  if (isPunctuation(cursor, "{")) return primary(cursor);
  const token = peek(cursor);
  if (token?.type !== "number") return nested(cursor, () => primary(cursor));
  if (!wholeNumber) return digit(cursor, token);
  cursor.at++;
  const node = numberNode(token);
  return take(cursor, "^") ? cursor.rules.raise(cursor, node) : node;
}

/** Takes one digit off a number token, as TeX does. */
function digit(cursor: Cursor, token: NumberToken): Node {
  const digits = cursor.pendingDigits === "" ? `${token.value.numerator}` : cursor.pendingDigits;
  if (token.value.denominator !== 1n) {
    cursor.at++;
    return numberNode(token);
  }
  cursor.pendingDigits = digits.slice(1);
  if (cursor.pendingDigits === "") cursor.at++;
  return integerNode(digits[0]);
}

export function rest(cursor: Cursor, node: Node): Node {
  if (cursor.pendingDigits === "") return node;
  const factor = integerNode(cursor.pendingDigits);
  cursor.pendingDigits = "";
  cursor.at++;
  return operation("*", node, factor);
}

function number(cursor: Cursor, token: NumberToken): Node {
  cursor.at++;
  const node = numberNode(token);
  // A base: 1011_2.
  if (take(cursor, "_")) return operation("based", node, argument(cursor, true));
  const whole = token.value.denominator === 1n && token.decimals === 0;
  return whole ? mixedNumber(cursor, node) : node;
}

/** Mixed numbers, 1\frac{1}{2} and 1 1/2; any other whole number as it is. */
function mixedNumber(cursor: Cursor, node: Node): Node {
  if (isCommand(cursor, "frac")) {
    const fraction = primary(cursor);
    return operation(isProperFraction(fraction) ? "+" : "*", node, fraction);
  }
  const [next, slash, below] = [peek(cursor), peek(cursor, 1), peek(cursor, 2)];
  if (next?.type !== "number" || !next.space || below?.type !== "number" || slash?.type !== "punctuation") return node;
  if (slash.text !== "/" || slash.space || below.space) fail();
  cursor.at += 3;
  return operation("+", node, operation("/", numberNode(next), numberNode(below)));
}

function isProperFraction(node: Node): boolean {
  if (node.kind !== "operation" || node.operator !== "/") return false;
  const [top, bottom] = node.operands;
  return (
    top.kind === "number" &&
    bottom.kind === "number" &&
    top.value.denominator === 1n &&
    bottom.value.denominator === 1n &&
    top.value.numerator < bottom.value.numerator
  );
}

/** A letter with its subscript and primes, and its arguments where the name is one that functions have. */
export function symbolOrCall(cursor: Cursor, letter: string): Node {
  let name = letter;
  if (isPunctuation(cursor, "_")) name += subscript(cursor);
  while (take(cursor, "'")) name += "'";
  // f(x) is a call where the name is one that functions have; x(y+1) is a product.
  if (/^[fghFGHPQ](?:[_'].*)?$/.test(name) && isPunctuation(cursor, "(") && !(peek(cursor)?.space ?? false)) {
    cursor.at++;
    const inner = inBrackets(cursor, () => cursor.rules.list(cursor, "(", () => isPunctuation(cursor, ")")));
    expect(cursor, ")");
    return { kind: "call", name, operands: inner.kind === "list" ? inner.operands : [inner] };
  }
  return symbol(name);
}

/** The text of a subscript; it is part of the name and has no meaning of its own. */
function subscript(cursor: Cursor): string {
  cursor.at++;
  let text = "_";
  let open = 0;
  do {
    const token = peek(cursor) ?? fail();
    cursor.at++;
    if (token.type === "punctuation" && token.text === "{") open++;
    else if (token.type === "punctuation" && token.text === "}" && open > 0) open--;
    else text += token.type === "number" ? `${token.value.numerator}` : token.text;
  } while (open > 0);
  return text;
}
