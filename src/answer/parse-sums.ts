// Grammar, first of three files: what stands between operands. Lists, relations, set operations, ratios, sums, products
// and powers, from the weakest to the strongest.
import {
  type Cursor,
  fail,
  isCommand,
  isPunctuation,
  nested,
  operation,
  peek,
  quantity,
  symbol,
  take,
  textAt,
} from "./cursor.ts";
import type { Node } from "./node.ts";
import { rational } from "./rational.ts";
import type { Token } from "./syntax.ts";

/** Items between separators; `;` groups stronger lists into tuples. */
export function list(cursor: Cursor, open: string, isEnd: () => boolean): Node {
  const groups: Node[][] = [[]];
  let grouped = false;
  if (!isEnd()) {
    groups[0].push(relation(cursor));
    while (!isEnd()) {
      if (!separator(cursor)) fail();
      let semicolon = textAt(cursor) === ";";
      while (separator(cursor)) {
        semicolon ||= textAt(cursor) === ";";
        cursor.at++;
      }
      if (isEnd()) break;
      if (semicolon) {
        grouped = true;
        groups.push([]);
      }
      groups[groups.length - 1].push(relation(cursor));
    }
  }
  if (grouped && groups.some((group) => group.length > 1)) {
    const tuples = groups.map(
      (group): Node => (group.length === 1 ? group[0] : { kind: "list", open: "", close: "", operands: group }),
    );
    return { kind: "list", open, close: "", operands: tuples };
  }
  return { kind: "list", open, close: "", operands: groups.flat() };
}

const separator = (cursor: Cursor): boolean =>
  peek(cursor)?.type === "punctuation" && [",", ";", "and", "or"].includes(textAt(cursor));

export const relation = (cursor: Cursor): Node =>
  nested(cursor, () => {
    const operators: string[] = [];
    const operands: Node[] = [setExpression(cursor)];
    while (peek(cursor)?.type === "relation") {
      operators.push(textAt(cursor));
      cursor.at++;
      operands.push(setExpression(cursor));
    }
    return operators.length === 0 ? operands[0] : { kind: "relation", operators, operands };
  });

function setExpression(cursor: Cursor): Node {
  let left = ratio(cursor);
  while (isPunctuation(cursor, "∪") || isPunctuation(cursor, "∩") || isPunctuation(cursor, "∖")) {
    const operator = textAt(cursor) as "∪" | "∩" | "∖";
    cursor.at++;
    left = operation(operator, left, ratio(cursor));
  }
  return left;
}

function ratio(cursor: Cursor): Node {
  const parts = [sum(cursor)];
  while (!cursor.builder && take(cursor, ":")) parts.push(sum(cursor));
  return parts.length === 1 ? parts[0] : operation(":", ...parts);
}

export function sum(cursor: Cursor): Node {
  const terms: Node[] = [];
  let sign = signHere(cursor);
  if (sign === null) {
    terms.push(product(cursor));
    sign = signHere(cursor);
  }
  while (sign !== null) {
    cursor.at++;
    const term = signed(cursor, product);
    if (sign === "+") terms.push(term);
    // -5 °C is a quantity, not what 5 °C is counted backwards.
    else if (sign === "-" && terms.length === 0 && term.kind === "quantity") terms.push(negated(term));
    else terms.push(operation(sign === "-" ? "neg" : sign, term));
    sign = signHere(cursor);
  }
  return terms.length === 1 ? terms[0] : operation("+", ...terms);
}

const negated = (term: Node & { kind: "quantity" }): Node => ({
  ...term,
  operands: [operation("neg", term.operands[0])],
});

type Sign = "+" | "-" | "±" | "∓";

function signHere(cursor: Cursor): Sign | null {
  if (peek(cursor)?.type !== "punctuation") return null;
  const text = textAt(cursor);
  return text === "+" || text === "-" || text === "±" || text === "∓" ? text : null;
}

export function product(cursor: Cursor): Node {
  let left = power(cursor);
  for (;;) {
    const next = peek(cursor);
    if (take(cursor, "*")) left = operation("*", left, signed(cursor, power));
    else if (take(cursor, "/")) left = operation("/", left, signed(cursor, power));
    else if (next?.type === "unit") {
      cursor.at++;
      left = quantity(left, next.text);
    } else if (next?.type === "word" && scales.has(next.text.toLowerCase()) && left.kind !== "symbol") {
      cursor.at++;
      left = operation("*", left, scale(next.text));
    } else if (next?.type === "number" && left.kind === "quantity") return compound(cursor, left);
    else if (startsFactor(cursor)) left = operation("*", left, power(cursor));
    else return left;
  }
}

/** `2 hours 30 minutes`: quantities of one kind side by side are added. */
function compound(cursor: Cursor, first: Node & { kind: "quantity" }): Node {
  const rest = product(cursor);
  const next = rest.kind === "operation" && rest.operator === "+" ? rest.operands[0] : rest;
  return next.kind === "quantity" && next.unit.dimension === first.unit.dimension
    ? operation("+", first, rest)
    : fail();
}

const scales: ReadonlyMap<string, number> = new Map([
  ["dozen", 12],
  ["hundred", 100],
  ["thousand", 1000],
  ["million", 1e6],
  ["billion", 1e9],
  ["trillion", 1e12],
]);

const scale = (word: string): Node => ({
  kind: "number",
  value: rational(BigInt(scales.get(word.toLowerCase()) ?? fail())) ?? fail(),
  decimals: 0,
});

/** An operand behind any number of signs, as in `3 + -2` and `--3`. */
export function signed(cursor: Cursor, read: (cursor: Cursor) => Node): Node {
  let negative = false;
  for (;;) {
    if (take(cursor, "-")) negative = !negative;
    else if (!take(cursor, "+")) break;
  }
  const sign = take(cursor, "±") ? "±" : take(cursor, "∓") ? "∓" : null;
  const operand =
    sign === null
      ? read(cursor)
      : operation(
          sign,
          nested(cursor, () => signed(cursor, read)),
        );
  return negative ? operation("neg", operand) : operand;
}

/** True where the next token continues a product without a sign: `2x`, `3(x+1)`, `\frac12\pi`. */
export function startsFactor(cursor: Cursor): boolean {
  const token = peek(cursor);
  if (token === undefined || token.type === "relation") return false;
  if (token.type === "number" || token.type === "unit") return false;
  if (token.type === "environment") return token.text.startsWith("begin");
  if (token.type === "punctuation") return token.text === "(" || token.text === "{" || opensBar(cursor, token);
  return token.text !== "rfloor" && token.text !== "rceil";
}

const opensBar = (cursor: Cursor, token: Token): boolean =>
  token.type !== "number" && token.text === "|" && cursor.bars === 0 && !cursor.builder;

export const power = (cursor: Cursor): Node =>
  nested(cursor, () => {
    let base = cursor.rules.primary(cursor);
    for (;;) {
      if (take(cursor, "^")) base = raise(cursor, base);
      else if (take(cursor, "%")) base = operation("%", base);
      else if (take(cursor, "!")) base = { kind: "call", name: "factorial", operands: [base] };
      else if (take(cursor, "'")) base = base.kind === "symbol" ? symbol(`${base.name}'`) : fail();
      else return base;
    }
  });

/** `base` to the exponent that comes now; `^\circ` is degrees. */
export function raise(cursor: Cursor, base: Node): Node {
  const braced = isPunctuation(cursor, "{") && isCommand(cursor, "circ", 1) && isPunctuation(cursor, "}", 2);
  if (braced || isCommand(cursor, "circ")) {
    cursor.at += braced ? 3 : 1;
    return quantity(base, "°");
  }
  if (isPunctuation(cursor, "*")) fail();
  const { primary, argument } = cursor.rules;
  const exponent = isPunctuation(cursor, "{")
    ? primary(cursor)
    : isPunctuation(cursor, "-") || isPunctuation(cursor, "+")
      ? signed(cursor, cursor.rules.power)
      : argument(cursor, true);
  return operation("^", base, exponent);
}
