// Grammar, last of three files: named functions, LaTeX commands, brackets, sets and environments.
import {
  type Cursor,
  expect,
  fail,
  inBrackets,
  isPunctuation,
  operation,
  peek,
  quantity,
  symbol,
  take,
  textAt,
} from "./cursor.ts";
import type { Node } from "./node.ts";
import { rename } from "./tree.ts";

/** `\sin^2 x`, `\log_2 8`, `\tan^{-1} x`. */
export function namedFunction(cursor: Cursor, name: string): Node {
  const { argument } = cursor.rules;
  const base = take(cursor, "_") ? argument(cursor, false) : null;
  const exponent = take(cursor, "^") ? argument(cursor, true) : null;
  const parts = functionArguments(cursor);
  const inverse = exponent !== null && isMinusOne(exponent);
  const call: Node = {
    kind: "call",
    name: inverse ? `arc${name}` : name,
    operands: base === null ? parts : [...parts, base],
  };
  return exponent === null || inverse ? call : operation("^", call, exponent);
}

const isMinusOne = (node: Node): boolean =>
  node.kind === "operation" &&
  node.operator === "neg" &&
  node.operands[0].kind === "number" &&
  node.operands[0].value.numerator === 1n &&
  node.operands[0].value.denominator === 1n;

function functionArguments(cursor: Cursor): readonly Node[] {
  const { primary, signed, power, startsFactor } = cursor.rules;
  if (isPunctuation(cursor, "(") || isPunctuation(cursor, "{")) {
    const inner = primary(cursor);
    return inner.kind === "list" ? inner.operands : [inner];
  }
  // sin 2x takes the product up to the next sign or function.
  let inner = isPunctuation(cursor, "-") ? signed(cursor, power) : power(cursor);
  while (startsFactor(cursor) && peek(cursor)?.type !== "function" && !isPunctuation(cursor, "(")) {
    inner = operation("*", inner, power(cursor));
  }
  const next = peek(cursor);
  if (next?.type !== "unit") return [inner];
  cursor.at++;
  return [quantity(inner, next.text)];
}

/** What follows a backslash, except functions, relations and operators. */
export function command(cursor: Cursor, name: string): Node {
  const { argument, rest, sum, symbolOrCall } = cursor.rules;
  switch (name) {
    case "frac": {
      const top = argument(cursor, false);
      return rest(cursor, operation("/", top, argument(cursor, false)));
    }
    case "sqrt":
      return root(cursor);
    case "binom":
    case "tbinom":
    case "dbinom":
      return { kind: "call", name: "binomial", operands: [argument(cursor, false), argument(cursor, false)] };
    case "overline":
    case "vec":
    case "hat":
    case "bar":
    case "overrightarrow":
    case "widehat":
      return argument(cursor, false);
    case "lfloor":
    case "lceil": {
      const inner = sum(cursor);
      if (textAt(cursor) !== (name === "lfloor" ? "rfloor" : "rceil")) fail();
      cursor.at++;
      return { kind: "call", name: name === "lfloor" ? "floor" : "ceil", operands: [inner] };
    }
    case "angle":
    case "triangle":
    case "circ":
      return symbol(name);
    case "sum":
    case "prod":
    case "int":
    case "lim":
      return bigOperator(cursor, name);
    case "emptyset":
    case "varnothing":
      return { kind: "list", open: "\\{", close: "\\}", operands: [] };
    case "varphi":
    case "varepsilon":
      return symbolOrCall(cursor, name.slice(3));
    default:
      return /^[a-zA-Z]{1,12}$/.test(name) ? symbolOrCall(cursor, name === "R" ? "ℝ" : name) : fail();
  }
}

function root(cursor: Cursor): Node {
  let degree: Node | null = null;
  if (take(cursor, "[")) {
    degree = cursor.rules.sum(cursor);
    expect(cursor, "]");
  }
  const inside = cursor.rules.rest(cursor, cursor.rules.argument(cursor, peek(cursor)?.space ?? false));
  return { kind: "call", name: "root", operands: degree === null ? [inside] : [inside, degree] };
}

/** Bounds and body become operands; only finite sums and products are ever evaluated. */
function bigOperator(cursor: Cursor, name: string): Node {
  const bounds: Node[] = [symbol("none"), symbol("none")];
  while (isPunctuation(cursor, "_") || isPunctuation(cursor, "^")) {
    const index = isPunctuation(cursor, "_") ? 0 : 1;
    cursor.at++;
    if (take(cursor, "{")) {
      bounds[index] = cursor.rules.relation(cursor);
      expect(cursor, "}");
    } else bounds[index] = cursor.rules.argument(cursor, false);
  }
  const beside = cursor.sumDepth;
  cursor.sumDepth = 0;
  const operands = [cursor.rules.product(cursor), ...bounds];
  // The index has no meaning outside, and may be called i, which is a number elsewhere. Each depth has a name of its
  // own, so that a sum inside keeps its index apart.
  const index = bounds[0].kind === "relation" ? bounds[0].operands[0] : null;
  const boundName = `index${cursor.sumDepth}`;
  cursor.sumDepth = Math.max(beside, cursor.sumDepth + 1);
  const bound = index?.kind === "symbol" ? operands.map((each) => rename(each, index.name, boundName)) : operands;
  return { kind: "call", name, operands: bound };
}

/** What an opening bracket, bar or brace begins; the position is behind it. */
export function bracket(cursor: Cursor, open: string): Node {
  const { list, sum } = cursor.rules;
  if (open === "|") {
    cursor.bars++;
    const inner = sum(cursor);
    cursor.bars--;
    expect(cursor, "|");
    return { kind: "call", name: "abs", operands: [inner] };
  }
  if (open === "{") {
    const inner = inBrackets(cursor, () => list(cursor, "", () => isPunctuation(cursor, "}")));
    expect(cursor, "}");
    return single(inner);
  }
  if (open === "\\{") return set(cursor);
  if (open !== "(" && open !== "[" && open !== "]") fail();
  if (open === "[" && isRows(cursor)) return rowsInBrackets(cursor);
  const isEnd = (): boolean => isPunctuation(cursor, ")") || isPunctuation(cursor, "]");
  const inner = inBrackets(cursor, () => list(cursor, open, isEnd));
  const close = textAt(cursor) || fail();
  cursor.at++;
  if (inner.kind !== "list") return fail();
  return (open === "(" && close === ")") || (open === "[" && close === "]")
    ? single({ ...inner, close })
    : { ...inner, close };
}

/** True where nothing but bracketed rows follows up to the closing bracket: `[[1], [2]]`. */
function isRows(cursor: Cursor): boolean {
  let depth = 0;
  if (!isPunctuation(cursor, "[")) return false;
  for (let offset = 0; peek(cursor, offset) !== undefined; offset++) {
    if (isPunctuation(cursor, "[", offset)) depth++;
    else if (isPunctuation(cursor, "]", offset)) depth--;
    else if (depth === 0 && !isPunctuation(cursor, ",", offset)) return false;
    if (depth < 0) return true;
    if (depth > 1) return false;
  }
  return false;
}

/** A matrix as programs print it. */
function rowsInBrackets(cursor: Cursor): Node {
  const rows: Node[] = [];
  do {
    expect(cursor, "[");
    rows.push(inBrackets(cursor, () => cursor.rules.list(cursor, "[", () => isPunctuation(cursor, "]"))));
    expect(cursor, "]");
  } while (take(cursor, ","));
  expect(cursor, "]");
  const lengths = new Set(rows.map((row) => (row.kind === "list" ? row.operands.length : 0)));
  const [columns] = lengths;
  if (lengths.size > 1 || columns === 0) return { kind: "list", open: "(", close: ")", operands: rows };
  return { kind: "matrix", columns, operands: rows.flatMap((row) => (row.kind === "list" ? row.operands : [row])) };
}

/** The only item of a list in place of the list. */
const single = (node: Node): Node => (node.kind === "list" && node.operands.length === 1 ? node.operands[0] : node);

const set = (cursor: Cursor): Node =>
  inBrackets(cursor, () => {
    cursor.builder = true;
    const isEnd = (): boolean => ["\\}", "mid", "|", ":"].some((text) => isPunctuation(cursor, text));
    const items = cursor.rules.list(cursor, "\\{", isEnd);
    if (take(cursor, "\\}")) return { ...items, close: "\\}" } as Node;
    // {x | condition}: the condition says it all.
    cursor.at++;
    cursor.builder = false;
    const condition = cursor.rules.list(cursor, "", () => isPunctuation(cursor, "\\}"));
    expect(cursor, "\\}");
    return single(condition);
  });

/** Matrices, and systems of equations as the list of their lines. */
export function environment(cursor: Cursor, name: string): Node {
  const isEnd = (): boolean => peek(cursor)?.type === "environment" && textAt(cursor) === `end ${name}`;
  const rows: Node[][] = [[]];
  inBrackets(cursor, () => {
    while (!isEnd()) {
      if (take(cursor, "\\\\")) {
        if (!isEnd()) rows.push([]);
      } else if (!take(cursor, "&")) rows[rows.length - 1].push(cursor.rules.relation(cursor));
    }
    return symbol("matrix");
  });
  cursor.at++;
  const columns = rows[0].length;
  // Conditions in a second column of a system are beyond us.
  if (!/matrix$|^array$/.test(name)) {
    if (columns !== 1) fail();
    return { kind: "list", open: "", close: "", operands: rows.flat() };
  }
  if (columns === 0 || rows.some((row) => row.length !== columns)) fail();
  return { kind: "matrix", columns, operands: rows.flat() };
}
