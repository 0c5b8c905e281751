// Sums and products of matrices as trees, so that an answer may be left as a product.
import type { Node } from "./node.ts";

const times = (a: Node, b: Node): Node => ({ kind: "operation", operator: "*", operands: [a, b] });
const plus = (operands: readonly Node[]): Node => ({ kind: "operation", operator: "+", operands });

type Matrix = Node & { kind: "matrix" };

/** Sums and products of matrices and numbers, entry by entry; null for anything else or shapes that do not fit. */
export function matrixValue(node: Node): Matrix | null {
  if (node.kind === "matrix") return node;
  if (node.kind !== "operation") return null;
  if (node.operator === "^") return transposed(node);
  const parts = node.operands.map(matrixValue);
  if (parts.every((part) => part === null)) return null;
  const [left, right] = parts;
  if (node.operator === "neg" && left !== null) {
    return { ...left, operands: left.operands.map((entry) => ({ ...node, operands: [entry] })) };
  }
  if (node.operator === "+") {
    const matrices = parts.filter((part) => part !== null);
    const [first] = matrices;
    if (matrices.length !== parts.length || matrices.some((part) => !sameShape(part, first))) return null;
    return { ...first, operands: first.operands.map((_, i) => plus(matrices.map((part) => part.operands[i]))) };
  }
  if (node.operator !== "*") return null;
  if (left !== null && right !== null) return matrixProduct(left, right);
  const [matrix, factor] = left === null ? [right, node.operands[0]] : [left, node.operands[1]];
  return matrix === null ? null : { ...matrix, operands: matrix.operands.map((entry) => times(factor, entry)) };
}

/** `(1, 2)^T` and matrices with a raised T. */
function transposed(node: Node & { kind: "operation" }): Matrix | null {
  const [base, exponent] = node.operands;
  if (exponent.kind !== "symbol" || !/^(?:T|top|intercal)$/.test(exponent.name)) return null;
  // A tuple in a line with T is a column.
  if (base.kind === "list" && base.open !== "\\{") return { kind: "matrix", columns: 1, operands: base.operands };
  const matrix = matrixValue(base);
  if (matrix === null) return null;
  const rows = matrix.operands.length / matrix.columns;
  const operands = matrix.operands.map((_, i) => matrix.operands[(i % rows) * matrix.columns + Math.floor(i / rows)]);
  return { kind: "matrix", columns: rows, operands };
}

const sameShape = (a: Matrix, b: Matrix): boolean => a.columns === b.columns && a.operands.length === b.operands.length;

function matrixProduct(left: Matrix, right: Matrix): Matrix | null {
  const [rows, inner] = [left.operands.length / left.columns, left.columns];
  if (right.operands.length / right.columns !== inner || rows * inner * right.columns > 1000) return null;
  const operands: Node[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < right.columns; column++) {
      const terms = Array.from({ length: inner }, (_, k) =>
        times(left.operands[row * inner + k], right.operands[k * right.columns + column]),
      );
      operands.push(plus(terms));
    }
  }
  return { kind: "matrix", columns: right.columns, operands };
}
