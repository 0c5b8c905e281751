// Quantities in trees: what an expression with units measures, its value in base units and its number as written. The tags
// made here say which readings may be compared (docs/decisions/0021).
import { exactValue } from "./exact.ts";
import type { Node } from "./node.ts";
import { toNumber } from "./rational.ts";
import { joinDimensions, type Unit } from "./units.ts";

/** Two readings with tags must have the same; one without a tag goes with those that may stand alone. */
export interface UnitTag {
  readonly id: string;
  readonly alone: boolean;
}

export const sameUnit = (a: UnitTag | undefined, b: UnitTag | undefined): boolean =>
  a === undefined || b === undefined ? (a ?? b)?.alone !== false : a.id === b.id;

export const hasUnits = (node: Node): boolean =>
  node.kind === "quantity" || (node.kind !== "number" && node.kind !== "symbol" && node.operands.some(hasUnits));

/** One way to read a tree with units: a tree without them, and what its values are. */
export interface UnitReading {
  readonly node: Node;
  readonly tag: UnitTag | undefined;
  /** What the canonical text ends with. */
  readonly suffix: string;
}

/** The readings of a tree with units, that in base units first. */
export function unitReadings(node: Node): readonly UnitReading[] {
  const units = unitsIn(node);
  const dimension = dimensionOf(node);
  // 3 cm + 2 s says nothing; the numbers are all that is left.
  if (dimension === null) return [{ node: asWritten(node), tag: undefined, suffix: "" }];
  const base: UnitReading = {
    node: inBaseUnits(node),
    tag: dimension === "" ? undefined : { id: dimension, alone: false },
    suffix: dimension === "" ? "" : ` ${dimension}`,
  };
  if (units.length === 1) return [base, written(asWritten(node), units[0])];
  // 2 h 30 min may be meant by 2.5 and by 150.
  const inUnit = (unit: Unit): Node => ({ kind: "operation", operator: "/", operands: [base.node, unit.factor] });
  return node.kind !== "operation" || units.some(({ dimension: each }) => each !== dimension)
    ? [base]
    : [base, ...units.map((unit) => written(inUnit(unit), unit))];
}

const written = (node: Node, unit: Unit): UnitReading => ({
  node,
  tag: { id: `as ${unit.text.replace(/_.*/, "")}`, alone: true },
  suffix: "",
});

/** The different units of a tree. */
function unitsIn(node: Node): readonly Unit[] {
  const units = new Map<string, Unit>();
  const visit = (part: Node): void => {
    if (part.kind === "quantity") units.set(part.unit.text, part.unit);
    if (part.kind !== "number" && part.kind !== "symbol") for (const operand of part.operands) visit(operand);
  };
  visit(node);
  return [...units.values()];
}

/** What an expression measures, empty for pure numbers; null where its parts do not fit together. */
function dimensionOf(node: Node): string | null {
  switch (node.kind) {
    case "quantity": {
      const inner = dimensionOf(node.operands[0]);
      return inner === null ? null : joinDimensions(node.unit.dimension, inner, 1);
    }
    case "relation":
    case "list":
      return common(node.operands);
    case "operation":
      return operationDimension(node);
    default:
      return "";
  }
}

function operationDimension(node: Node & { kind: "operation" }): string | null {
  const [first, second] = node.operands;
  switch (node.operator) {
    case "*":
    case "/":
    case ":": {
      const [a, b] = [dimensionOf(first), dimensionOf(second)];
      return a === null || b === null ? null : joinDimensions(a, b, node.operator === "*" ? 1 : -1);
    }
    case "^": {
      const [base, exponent] = [dimensionOf(first), exactValue(second)];
      if (base === "" || base === null) return base;
      const count = exponent === null ? 0 : toNumber(exponent);
      if (!Number.isInteger(count) || count < 1 || count > 9) return null;
      return Array.from({ length: count }, () => base).reduce((all, each) => joinDimensions(all, each, 1));
    }
    default:
      return common(node.operands);
  }
}

/** The one dimension of terms; unknowns and numbers beside it take it on. */
function common(operands: readonly Node[]): string | null {
  const dimensions = new Set<string | null>(operands.map(dimensionOf));
  dimensions.delete("");
  if (dimensions.size > 1) return null;
  const [only = ""] = dimensions;
  return only;
}

/** Rewrites quantities; angles within functions stay, as sin 30° takes degrees and sin 2 rad does not. */
function convert(node: Node, quantity: (operand: Node, unit: Unit) => Node, within = false): Node {
  if (node.kind === "number" || node.kind === "symbol") return node;
  if (node.kind === "quantity") {
    const operand = convert(node.operands[0], quantity, within);
    if (!within || node.unit.dimension !== "angle") return quantity(operand, node.unit);
    return node.unit.isDegree ? { ...node, operands: [operand] } : operand;
  }
  const inner = within || node.kind === "call";
  return { ...node, operands: node.operands.map((operand) => convert(operand, quantity, inner)) } as Node;
}

const isOne = (node: Node): boolean => node.kind === "number" && node.value.numerator === node.value.denominator;

const inBaseUnits = (node: Node): Node =>
  convert(node, (operand, { factor, offset, isDegree }) => {
    if (isDegree) return operand;
    const size: Node = isOne(factor) ? operand : { kind: "operation", operator: "*", operands: [operand, factor] };
    return offset === null ? size : { kind: "operation", operator: "+", operands: [size, offset] };
  });

const asWritten = (node: Node): Node => convert(node, (operand) => operand);

/** `2 hours and 30 minutes`, `5 feet, 3 inches`: a list that is one quantity, its units growing smaller. */
export function asOneQuantity(operands: readonly Node[]): Node | null {
  if (operands.length < 2) return null;
  const sizes: number[] = [];
  for (const part of operands) {
    if (part.kind !== "quantity" || part.operands[0].kind !== "number") return null;
    const [first] = operands;
    if (first.kind !== "quantity" || part.unit.dimension !== first.unit.dimension) return null;
    const factor = exactValue(part.unit.factor);
    if (factor === null || part.unit.offset !== null) return null;
    sizes.push(toNumber(factor));
  }
  return sizes.every((size, i) => i === 0 || size < sizes[i - 1])
    ? { kind: "operation", operator: "+", operands }
    : null;
}
