// The operators that a decoder-only transformer and its training need, with the shapes of their results.
// Each function records one ONNX node (a few record two) in the graph of its first operand. Which of them can be
// differentiated is told by the table in gradient-rules.ts.
import { type Dimension, type ElementType, elementTypeCode, microsoftDomain, type Shape, type Value } from "./graph.ts";

const one = (
  op: string,
  inputs: readonly [Value, ...(Value | null)[]],
  shape: Shape,
  attributes: Readonly<Record<string, number | string | readonly number[] | { readonly float: number }>> = {},
  type: ElementType = inputs[0].type,
  domain = "",
): Value => inputs[0].graph.emit(op, inputs, [{ shape, type }], { attributes, domain })[0];

const elementwise = (op: string) => (a: Value, b: Value) => one(op, [a, b], broadcastShape(a.shape, b.shape));
const comparison = (op: string) => (a: Value, b: Value) =>
  one(op, [a, b], broadcastShape(a.shape, b.shape), {}, "bool");
const unary = (op: string) => (x: Value) => one(op, [x], x.shape);

// Elementwise, with numpy broadcasting.
export const add = elementwise("Add");
export const subtract = elementwise("Sub");
export const multiply = elementwise("Mul");
export const divide = elementwise("Div");
export const minimum = elementwise("Min");
export const maximum = elementwise("Max");
export const and = comparison("And");
export const or = comparison("Or");
export const equal = comparison("Equal");
export const greater = comparison("Greater");
export const greaterOrEqual = comparison("GreaterOrEqual");
export const less = comparison("Less");

export const negate = unary("Neg");
export const exponential = unary("Exp");
export const logarithm = unary("Log");
export const squareRoot = unary("Sqrt");
export const reciprocal = unary("Reciprocal");
export const sigmoid = unary("Sigmoid");

/** `condition ? a : b`, elementwise. */
export function where(condition: Value, a: Value, b: Value): Value {
  return one("Where", [condition, a, b], broadcastShape(condition.shape, broadcastShape(a.shape, b.shape)), {}, a.type);
}

export function cast(x: Value, type: ElementType): Value {
  return one("Cast", [x], x.shape, { to: elementTypeCode[type] }, type);
}

/**
 * silu(gate) ∘ up, with a gradient in fewer steps than those of its operators: with s = sigmoid(gate) and y the result,
 * dgate = dy ∘ (y + s ∘ (up − y)) and dup = dy ∘ silu(gate).
 */
export function gatedSilu(gate: Value, up: Value): Value {
  const s = sigmoid(gate);
  const silu = multiply(gate, s);
  const [y] = gate.graph.emit("Mul", [silu, up], [{ shape: gate.shape }], {
    gradient: {
      inputs: [gate, up],
      backwards: (dy) => [multiply(dy, add(y, multiply(s, subtract(up, y)))), multiply(dy, silu)],
    },
  });
  return y;
}

/** x, taken for a constant by differentiation. */
export function stopGradient(x: Value): Value {
  return x.graph.emit("Identity", [x], [{ shape: x.shape, type: x.type }])[0];
}

/** Matrix product over the last two axes, broadcasting the ones before. */
export function matMul(a: Value, b: Value): Value {
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return one("MatMul", [a, b], [...batch, a.shape.at(-2)!, b.shape.at(-1)!]);
}

/**
 * op(a)·op(b) + bias for matrices, where op transposes if asked. With `transposeB` it is the linear layer x·Wᵀ + b on a
 * weight in Hugging Face layout [out, in].
 */
export function gemm(
  a: Value,
  b: Value,
  { bias = null, transposeA = false, transposeB = false }: GemmOptions = {},
): Value {
  const rows = a.shape[transposeA ? 1 : 0];
  const columns = b.shape[transposeB ? 0 : 1];
  const inputs: [Value, ...Value[]] = bias === null ? [a, b] : [a, b, bias];
  return one("Gemm", inputs, [rows, columns], { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 });
}

export interface GemmOptions {
  readonly bias?: Value | null;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** At most one size may be a name; it is inferred when the graph runs. */
export function reshape(x: Value, shape: Shape): Value {
  const sizes = shape.map((dimension) => (typeof dimension === "number" ? dimension : -1));
  return one("Reshape", [x, x.graph.integers(sizes)], shape);
}

export function transpose(x: Value, permutation: readonly number[]): Value {
  return one(
    "Transpose",
    [x],
    permutation.map((axis) => x.shape[axis]),
    { perm: permutation },
  );
}

/** Sum over axes. Axes count from the front. */
export function reduceSum(x: Value, axes: readonly number[], keepDimensions: boolean): Value {
  return one("ReduceSum", [x, x.graph.integers(axes)], reducedShape(x.shape, axes, keepDimensions), {
    keepdims: keepDimensions ? 1 : 0,
  });
}

/** Maximum over axes; it has no gradient. */
export function reduceMax(x: Value, axes: readonly number[], keepDimensions: boolean): Value {
  return one("ReduceMax", [x, x.graph.integers(axes)], reducedShape(x.shape, axes, keepDimensions), {
    keepdims: keepDimensions ? 1 : 0,
  });
}

/** Mean over axes. */
export function reduceMean(x: Value, axes: readonly number[], keepDimensions: boolean): Value {
  return one("ReduceMean", [x, x.graph.integers(axes)], reducedShape(x.shape, axes, keepDimensions), {
    keepdims: keepDimensions ? 1 : 0,
  });
}

/** Softmax over the last axis. */
export function softmax(x: Value): Value {
  return one("Softmax", [x], x.shape, { axis: -1 });
}

/** Logarithm of the softmax over the last axis. */
export function logSoftmax(x: Value): Value {
  return one("LogSoftmax", [x], x.shape, { axis: -1 });
}

/** Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019): x / sqrt(mean(x²) + eps) · weight. */
export function rmsNorm(x: Value, weight: Value, eps: number): Value {
  const [y] = x.graph.emit(
    "SimplifiedLayerNormalization",
    [x, weight],
    [{ shape: x.shape }, { shape: [...x.shape.slice(0, -1), 1] }],
    { attributes: { axis: -1, epsilon: { float: eps }, stash_type: 1 } },
  );
  return y;
}

/** Rows of a table [rows, width] by int64 indices [n] → [n, width]. */
export function gatherRows(table: Value, indices: Value): Value {
  return one("Gather", [table, indices], [...indices.shape, ...table.shape.slice(1)], { axis: 0 });
}

/** One element of each row of x [n, width] by int64 indices [n] → [n]. */
export function pickFromRows(x: Value, indices: Value): Value {
  const column = unsqueeze(indices, 1);
  const picked = one("GatherElements", [x, column], [x.shape[0], 1], { axis: 1 });
  return reshape(picked, [x.shape[0]]);
}

/** Values in a block of quantised weights, which share one scale. */
export const blockLength = 32;

/**
 * float32 [rows, columns] of int8 blocks [rows, columns] along the columns, each with its scale [rows, columns / blockLength]. At most
 * one size may be a name. Blocks become rows for the kernel, which takes three fifths of the time it has for blocks.
 */
export function dequantise(blocks: Value, scales: Value): Value {
  const rows = reshape(blocks, ["blocks", blockLength]);
  const values = one("DequantizeLinear", [rows, reshape(scales, ["blocks"])], rows.shape, { axis: 0 }, "float32");
  return reshape(values, blocks.shape);
}

export function unsqueeze(x: Value, axis: number): Value {
  return one("Unsqueeze", [x, x.graph.integers([axis])], [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)]);
}

/** float32 [n, depth] with a 1 in the column that int64 indices [n] name. */
export function oneHot(indices: Value, depth: number): Value {
  const { graph } = indices;
  const values = graph.constant([0, 1], [2]);
  return one("OneHot", [indices, graph.integers([depth]), values], [...indices.shape, depth], { axis: -1 }, "float32");
}

/** Adds rows of `updates` [n, width] into `table` [rows, width] at int64 indices [n]; repeated indices accumulate. */
export function scatterAddRows(table: Value, indices: Value, updates: Value): Value {
  return one("ScatterND", [table, unsqueeze(indices, 1), updates], table.shape, { reduction: "add" });
}

/** Writes `updates` [n, 1] into x [n, width] at the columns that int64 indices [n, 1] name. */
export function scatterElements(x: Value, indices: Value, updates: Value): Value {
  return one("ScatterElements", [x, indices, updates], x.shape, { axis: 1 });
}

/**
 * Rotary position embedding in the half-split convention of Llama (Su et al. 2021). x is [batch, time, heads · width];
 * positions are int64 [batch, time], or [1] for the position of the first entry; cosines and sines [positions, width / 2].
 */
export function rotary(x: Value, positions: Value, cosines: Value, sines: Value): Value {
  const attributes = { interleaved: 0 };
  return one("RotaryEmbedding", [x, positions, cosines, sines], x.shape, attributes, "float32", microsoftDomain);
}

export function concatenate(values: readonly [Value, ...Value[]], axis: number): Value {
  const sizes = values.map((value) => value.shape[axis]);
  const total = sizes.every((size) => typeof size === "number") ? sizes.reduce((a, b) => a + b, 0) : sizes.join("+");
  const shape: Dimension[] = [...values[0].shape];
  shape[axis] = total;
  return one("Concat", values, shape, { axis });
}

/** The shape that numpy broadcasting gives; a named size wins over 1 and must equal another name. */
function broadcastShape(a: Shape, b: Shape): Dimension[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new Error(`Shapes [${a}] and [${b}] do not broadcast.`);
  });
}

function reducedShape(shape: Shape, axes: readonly number[], keepDimensions: boolean): Dimension[] {
  return keepDimensions
    ? shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension))
    : shape.filter((_, axis) => !axes.includes(axis));
}
