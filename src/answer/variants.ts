// What one tree can mean where people write two things the same way: `log` to base e or 10, and roots of negative numbers
// as real or principal (docs/decisions/0020).
import { exactValue } from "./exact.ts";
import type { Node } from "./node.ts";

/** The tree in each of its meanings, the preferred one first. */
export function variants(node: Node): readonly Node[] {
  let trees: readonly Node[] = [node];
  if (some(node, isPlainLog)) {
    const natural = replace(node, (part) => (isPlainLog(part) ? { ...part, name: "ln" } : part));
    const common = replace(node, (part) => (isPlainLog(part) ? { ...part, name: "lg" } : part));
    // log 1000 is meant to be 3; log x is what calculus writes.
    trees = some(node, isLogOfPowerOfTen) ? [common, natural] : [natural, common];
  }
  if (some(node, isOddRoot)) {
    const real = (tree: Node): Node => replace(tree, (part) => (isOddRoot(part) ? realRoot(part) : part));
    trees = [...trees, ...trees.map(real)];
  }
  return trees;
}

type Call = Node & { readonly kind: "call" };
type Power = Node & { readonly kind: "operation" };

const isPlainLog = (node: Node): node is Call =>
  node.kind === "call" && node.name === "log" && node.operands.length === 1;

function isLogOfPowerOfTen(node: Node): boolean {
  const value = isPlainLog(node) ? exactValue(node.operands[0]) : null;
  if (value === null) return false;
  return (
    /^10*$/.test(`${value.numerator}`) && /^10*$/.test(`${value.denominator}`) && value.numerator !== value.denominator
  );
}

/** `(-8)^{1/3}`: a negative number to a fraction with an odd denominator. */
function isOddRoot(node: Node): node is Power {
  if (node.kind !== "operation" || node.operator !== "^") return false;
  const [base, exponent] = node.operands.map(exactValue);
  return (
    base !== null &&
    exponent !== null &&
    base.numerator < 0n &&
    exponent.denominator !== 1n &&
    exponent.denominator % 2n === 1n
  );
}

/** The real value: the root of the size, with the sign that the numerator leaves. */
function realRoot(node: Power): Node {
  const [base, exponent] = node.operands;
  const size: Node = { kind: "operation", operator: "neg", operands: [base] };
  const power: Node = { kind: "operation", operator: "^", operands: [size, exponent] };
  const odd = (exactValue(exponent)?.numerator ?? 0n) % 2n !== 0n;
  return odd ? { kind: "operation", operator: "neg", operands: [power] } : power;
}

const some = (node: Node, holds: (part: Node) => boolean): boolean =>
  holds(node) || (node.kind !== "number" && node.kind !== "symbol" && node.operands.some((part) => some(part, holds)));

function replace(node: Node, change: (part: Node) => Node): Node {
  if (node.kind === "number" || node.kind === "symbol") return node;
  const operands = node.operands.map((operand) => replace(operand, change));
  return change({ ...node, operands } as Node);
}
