// From a tree to all that it can mean. `(1, 3)` is a pair and an interval; a number with a unit is a quantity and, where the
// other side has none, a number. The first reading gives the canonical text.
import { unknowns } from "./evaluate.ts";
import { exactValue } from "./exact.ts";
import { matrixValue } from "./matrix.ts";
import type { Node } from "./node.ts";
import { asOneQuantity, hasUnits, unitReadings } from "./quantities.ts";
import { allReals, canonicalRegion, combineRegions, interval, type Region, solveInequality } from "./region.ts";
import { canonicalUpToScale, difference, position, type Scalar, scalar } from "./scalar.ts";
import { expandSigns, hasWord, nameOf, nounsBeside, rename, replaceCall, stripWords } from "./tree.ts";
import { type Beside, type Readings, sameReadings, type Value } from "./value.ts";
import { variants } from "./variants.ts";

/** Longer lists are compared as they are written. */
const maxItems = 200;

/** All readings of a tree, the preferred one first; null where it holds words or has no value. */
export function readingsOf(node: Node): Readings | null {
  const readings = variants(node).flatMap((tree) => readingsOfVariant(tree) ?? []);
  return readings.length === 0 ? null : readings;
}

function readingsOfVariant(node: Node): Readings | null {
  const stripped = stripWords(node);
  if ((stripped.kind === "list" || stripped.kind === "matrix") && stripped.operands.length > maxItems) return null;
  switch (stripped.kind) {
    case "relation":
      return relationReadings(stripped);
    case "list":
      return listReadings(stripped);
    case "matrix":
      return matrixReadings(stripped);
    default: {
      const nouns = stripped === node ? [] : nounsBeside(node);
      return beside(withUnits(stripped, expressionReadings), nouns.length === 0 ? {} : { nouns });
    }
  }
}

/** Reads a tree with units in each of its meanings. */
function withUnits<Tree extends Node>(tree: Tree, read: (tree: Tree) => Readings | null): Readings | null {
  if (!hasUnits(tree)) return read(tree);
  const [base, written, ...others] = unitReadings(tree).map(({ node, tag, suffix }) =>
    // Taking units off keeps relations relations; of other trees only expressions and pairs come here.
    (read(node as Tree) ?? []).map((value) => ({
      ...value,
      canonical: value.canonical + suffix,
      ...(tag === undefined ? {} : { unit: tag }),
    })),
  );
  const bare = written?.[0] === undefined || others.length > 0 ? {} : { bare: written[0].canonical };
  const readings = [...base.map((value) => ({ ...value, ...bare })), ...(written ?? []), ...others.flat()];
  return readings.length === 0 ? null : readings;
}

const beside = (readings: Readings | null, what: Beside): Readings | null =>
  readings === null ? null : readings.map((value) => ({ ...value, ...what }));

function expressionReadings(node: Node): Readings | null {
  if (hasWord(node)) return null;
  if (node.kind === "symbol" && node.name === "ℝ") return regionReading(allReals(), false);
  if (node.kind === "operation") {
    if (node.operator === "∪" || node.operator === "∩" || node.operator === "∖") return setOperation(node);
    if (node.operator === ":" && (node.operands.length > 2 || scalar(node) === null)) {
      return tuple(ratioTerms(node.operands), true);
    }
    if (node.operator === "%") {
      const plain = scalar(node.operands[0]);
      const hundredth = scalar(node);
      if (plain === null || hundredth === null) return null;
      const percent = (id: string) => ({ unit: { id, alone: true } });
      return [
        { ...hundredth, ...percent("%") },
        { ...plain, ...percent("number of %") },
      ];
    }
    if (node.operator === "based") {
      const [digits, base] = node.operands.map(scalar);
      if (digits === null || base === null) return null;
      // The base is a name: it tells 101_2 from 101_3, and a plain 101 is taken for either.
      return [{ ...digits, canonical: `${digits.canonical}_${base.canonical}`, name: `base ${base.canonical}` }];
    }
    const matrix = matrixValue(node);
    if (matrix !== null) return matrixReadings(matrix);
  }
  const signs = expandSigns(node);
  if (signs !== null) return unordered(signs.map((variant) => readingsOf(variant)));
  // f(x) on its own names the function.
  if (node.kind === "call" && /^[a-zA-Z]([_'].*)?$/.test(node.name) && node.operands.every(isUnknown)) {
    const value = scalar({ kind: "symbol", name: `${node.name}()`, word: false });
    return value === null ? null : [value];
  }
  const value = scalar(node);
  return value === null ? null : [value];
}

/** 4 : 6 : 8 is 1 : 3/2 : 2. */
function ratioTerms(operands: readonly Node[]): readonly Node[] {
  const first = exactValue(operands[0]);
  if (first === null || first.numerator === 0n || operands.some((part) => exactValue(part)?.numerator === 0n))
    return operands;
  return operands.map((part) => ({ kind: "operation", operator: "/", operands: [part, operands[0]] }));
}

const isUnknown = (node: Node): boolean => node.kind === "symbol" && !node.word;

// ---- relations

function relationReadings(node: Node & { kind: "relation" }): Readings | null {
  const rounded = node.operators.indexOf("~");
  if (rounded >= 0) {
    const operands = node.operands.slice(0, rounded + 1);
    if (rounded === 0) {
      const name = nameOf(operands[0]);
      return name === null || node.operands.length < 2
        ? readingsOf(operands[0])
        : withName(readingsOf(node.operands[1]), name);
    }
    return relationReadings({ ...node, operators: node.operators.slice(0, rounded), operands });
  }
  const sides = node.operands;
  const [first, last] = [sides[0], sides[sides.length - 1]];
  if (node.operators.includes("->")) return readingsOf(last);
  if (node.operators.every((operator) => operator === "in")) return withName(readingsOf(last), nameOf(first));
  if (node.operators.some((operator) => operator !== "=")) return withUnits(node, inequalityReadings);
  const name = nameOf(first);
  if (name !== null) return assignmentReadings(name, first, last, sides.length);
  if (sides.length > 2) return readingsOf(last);
  const reversed = nameOf(last);
  if (reversed !== null && unknowns(first).length === 0) return withName(readingsOf(first), reversed);
  if (unknowns(first).length + unknowns(last).length === 0) return readingsOf(last);
  return withUnits(node, ({ operands: [left, right] }) => {
    const equation = equationReading(left, right);
    return equation === null ? null : [equation];
  });
}

function assignmentReadings(name: string, left: Node, right: Node, sides: number): Readings | null {
  // f(y) = y and f(x) = x are one function: the argument's name is bound.
  const bound = left.kind === "call" && left.operands.length === 1 ? left.operands[0] : null;
  const body = bound?.kind === "symbol" ? rename(right, bound.name, "#") : null;
  const values = withName(readingsOf(right), name);
  const general = body === null ? null : withName(readingsOf(body), name);
  const equation =
    sides === 2 && left.kind === "symbol" && values?.[0].kind === "scalar" && !hasUnits(right)
      ? equationReading(left, right)
      : null;
  if (values === null) return null;
  return [...values, ...(general ?? []), ...(equation === null ? [] : [equation])];
}

function equationReading(left: Node, right: Node): Value | null {
  if (hasWord(left) || hasWord(right)) return null;
  const canonical = canonicalUpToScale(difference(left, right), false);
  return canonical === null ? null : { kind: "equation", canonical: `${canonical}=0` };
}

const withName = (readings: Readings | null, name: string | null): Readings | null =>
  name === null || name === "" ? readings : beside(readings, { name });

function inequalityReadings(node: Node & { kind: "relation" }): Readings | null {
  if (hasWord(node)) return null;
  const plain = replaceCall(node);
  const names = unknowns(plain);
  let region: Region | null = allReals();
  const texts: string[] = [];
  for (const [i, operator] of plain.operators.entries()) {
    const [left, right] = [plain.operands[i], plain.operands[i + 1]];
    if (names.length === 1 && operator !== "=" && operator !== "in") {
      const part = solveInequality(left, operator, right, names[0]);
      region = part === null || region === null ? null : combineRegions(region, part, (a, b) => a && b);
    } else region = null;
    const swapped = operator.startsWith(">");
    const equation = operator === "=" || operator === "!=";
    const text = canonicalUpToScale(swapped ? difference(right, left) : difference(left, right), !equation);
    if (text === null) return null;
    texts.push(`${text}${swapped ? operator.replace(">", "<") : operator}0`);
  }
  if (region !== null) return withName(regionReading(region, true), names[0]);
  return [{ kind: "inequality", canonical: [...new Set(texts)].sort().join(" & ") }];
}

// ---- sets and lists

const regionReading = (region: Region, conditional: boolean): Readings => [
  { kind: "region", region, conditional, canonical: canonicalRegion(region) },
];

function setOperation(node: Node & { kind: "operation" }): Readings | null {
  const regions = node.operands.map((part) => asRegion(readingsOf(part)));
  const [a, b] = regions;
  if (a === null || b === null) return null;
  const keep: Readonly<Record<string, (inA: boolean, inB: boolean) => boolean>> = {
    "∪": (inA, inB) => inA || inB,
    "∩": (inA, inB) => inA && inB,
    "∖": (inA, inB) => inA && !inB,
  };
  const region = combineRegions(a, b, keep[node.operator]);
  return region === null ? null : regionReading(region, false);
}

function asRegion(readings: Readings | null): Region | null {
  for (const value of readings ?? []) {
    if (value.kind === "region") return value.region;
    if (value.kind === "scalar" && value.unknowns.length === 0) return point(value);
    if (value.kind === "list" && !value.ordered) {
      let union: Region | null = [];
      for (const item of value.items) {
        const part = asRegion(item);
        union = part === null || union === null ? null : combineRegions(union, part, (a, b) => a || b);
      }
      return union;
    }
  }
  return null;
}

function point(value: Scalar): Region | null {
  if (Number.isNaN(position(value))) return null;
  const part = interval(value, value, true, true);
  return part === null ? null : [part];
}

function listReadings(node: Node & { kind: "list" }): Readings | null {
  const { open, close, operands } = node;
  if (open === "(" || open === "[") {
    const signs = expandSigns(node);
    if (signs !== null) return unordered(signs.map(readingsOf));
    const asInterval = intervalReading(node);
    // (0, 9) can be a pair; a square bracket says interval wherever the ends allow one.
    if (asInterval !== null && (open !== "(" || close !== ")")) return asInterval;
    if (asInterval?.[0].canonical.includes("∞")) return asInterval;
    const asTuple = tuple(operands, true);
    return asTuple === null ? asInterval : [...asTuple, ...(asInterval ?? [])];
  }
  if (operands.length === 0) return regionReading([], false);
  const whole = open === "" ? asOneQuantity(operands) : null;
  if (whole !== null) return readingsOf(whole);
  const items = operands.map(readingsOf);
  if (open === "\\{") return unordered(items);
  return conditionReadings(items) ?? namedTuple(items) ?? unordered(items);
}

const intervalReading = (node: Node & { kind: "list" }): Readings | null => withUnits(node, plainInterval);

function plainInterval(node: Node & { kind: "list" }): Readings | null {
  if (node.operands.length !== 2) return null;
  const [low, high] = node.operands.map(scalar);
  if (low === null || high === null || [low, high].some((end) => Number.isNaN(position(end)))) return null;
  const part = interval(low, high, node.open === "[", node.close === "]");
  return part === null ? null : regionReading([part], false);
}

/** `x > 1, x < 3` bounds one interval; `x < 1 or x > 3` can only mean both. */
function conditionReadings(items: readonly (Readings | null)[]): Readings | null {
  const regions = items.map((item) => (item?.[0].kind === "region" && item[0].conditional ? item[0].region : null));
  if (regions.some((region) => region === null)) return null;
  const merge = (keep: (a: boolean, b: boolean) => boolean): Region | null =>
    regions.reduce((a, b) => (a === null || b === null ? null : combineRegions(a, b, keep)));
  const both = merge((a, b) => a && b);
  const region = both === null || both.length > 0 ? both : merge((a, b) => a || b);
  return region === null ? null : withName(regionReading(region, true), items[0]?.[0].name ?? null);
}

/** `y = 2, x = 1` is the pair (1, 2): different unknowns put values in order. Roots `x_1, x_2` stay a set. */
function namedTuple(items: readonly (Readings | null)[]): Readings | null {
  const names = items.map((item) => item?.[0].name?.replace(/_.*$/, ""));
  if (names.some((name) => name === undefined) || new Set(names).size !== names.length) return null;
  const order = items.map((_, i) => i).sort((a, b) => ((names[a] ?? "") < (names[b] ?? "") ? -1 : 1));
  return list(
    order.map((i) => items[i]),
    true,
  );
}

const tuple = (operands: readonly Node[], ordered: boolean): Readings | null => list(operands.map(readingsOf), ordered);

function unordered(items: readonly (Readings | null)[]): Readings | null {
  return list(
    items.flatMap((item): readonly (Readings | null)[] => {
      // A list inside a set came from ±: its members belong to the set.
      const inner = item?.[0];
      return inner?.kind === "list" && !inner.ordered ? inner.items : [item];
    }),
    false,
  );
}

function list(items: readonly (Readings | null)[], ordered: boolean): Readings | null {
  const known: Readings[] = [];
  for (const item of items) {
    if (item === null) return null;
    if (ordered || !known.some((other) => sameReadings(other, item))) known.push(item);
  }
  if (known.length === 1) return known[0];
  const join = (texts: string[]): string => (ordered ? `(${texts.join(", ")})` : `{${texts.sort().join(", ")}}`);
  const canonical = join(known.map((item) => item[0].canonical));
  const bare = known.some((item) => item[0].bare !== undefined)
    ? { bare: join(known.map((item) => item[0].bare ?? item[0].canonical)) }
    : {};
  return [{ kind: "list", ordered, items: known, canonical, ...bare }];
}

// ---- matrices

function matrixReadings(node: Node & { kind: "matrix" }): Readings | null {
  const rows = node.operands.length / node.columns;
  if (rows === 1 && node.columns === 1) return readingsOf(node.operands[0]);
  if (rows === 1 || node.columns === 1) return vector(tuple(node.operands, true), rows === 1);
  const entries = list(node.operands.map(readingsOf), true);
  if (entries?.[0].kind !== "list") return null;
  return [{ ...entries[0], canonical: `matrix ${rows}×${node.columns} ${entries[0].canonical}` }];
}

/** A column is what a tuple stands for; a row says so in its canonical text. */
const vector = (readings: Readings | null, isRow: boolean): Readings | null =>
  readings === null
    ? null
    : readings.map((value) => ({
        ...value,
        canonical: isRow ? `row ${value.canonical}` : value.canonical,
        shape: isRow ? "row" : "column",
      }));
