// The table from operator to vector–Jacobian product: given the gradient of a node's first output, the gradients of its
// inputs in their order, null where there is none (indices, axes, conditions) or where nobody needs it.
import type { GraphNode, Shape, Value } from "./graph.ts";
import {
  cast,
  divide,
  exponential,
  gemm,
  greaterOrEqual,
  matMul,
  multiply,
  negate,
  oneHot,
  reduceMean,
  reduceSum,
  reshape,
  rotary,
  scatterAddRows,
  scatterElements,
  subtract,
  transpose,
  where,
} from "./operators.ts";

/** `needs(i)` tells whether the gradient of input i is used; costly ones are skipped otherwise. */
type GradientRule = (node: GraphNode, dy: Value, needs: (index: number) => boolean) => (Value | null)[];

/** Tables of up to this many rows take their embedding gradient as a one-hot product, larger ones by scattering. */
export const oneHotRowLimit = 512;

export const gradientRules: Readonly<Record<string, GradientRule>> = {
  Add: ({ inputs: [a, b] }, dy) => [sumTo(dy, a!), sumTo(dy, b!)],
  Sub: ({ inputs: [a, b] }, dy, needs) => [sumTo(dy, a!), needs(1) ? sumTo(negate(dy), b!) : null],
  Mul: ({ inputs: [a, b] }, dy, needs) => [
    needs(0) ? sumTo(multiply(dy, b!), a!) : null,
    needs(1) ? sumTo(multiply(dy, a!), b!) : null,
  ],
  Div: ({ inputs: [a, b], outputs: [y] }, dy, needs) => {
    const da = divide(dy, b!);
    return [sumTo(da, a!), needs(1) ? sumTo(negate(multiply(da, y)), b!) : null];
  },
  // Where both are equal the gradient goes to the first, as one-sided derivatives allow.
  Min: ({ inputs: [a, b] }, dy) => {
    const first = cast(greaterOrEqual(b!, a!), "float32");
    return [sumTo(multiply(dy, first), a!), sumTo(multiply(dy, subtract(dy.graph.scalar(1), first)), b!)];
  },
  Max: ({ inputs: [a, b] }, dy) => {
    const first = cast(greaterOrEqual(a!, b!), "float32");
    return [sumTo(multiply(dy, first), a!), sumTo(multiply(dy, subtract(dy.graph.scalar(1), first)), b!)];
  },
  Where: ({ inputs: [condition, a, b] }, dy) => {
    const zero = dy.graph.scalar(0);
    return [null, sumTo(where(condition!, dy, zero), a!), sumTo(where(condition!, zero, dy), b!)];
  },
  Neg: (_, dy) => [negate(dy)],
  Exp: ({ outputs: [y] }, dy) => [multiply(dy, y)],
  Log: ({ inputs: [x] }, dy) => [divide(dy, x!)],
  Sqrt: ({ outputs: [y] }, dy) => [divide(dy, multiply(y, y.graph.scalar(2)))],
  Reciprocal: ({ outputs: [y] }, dy) => [negate(multiply(dy, multiply(y, y)))],
  Sigmoid: ({ outputs: [y] }, dy) => [multiply(dy, multiply(y, subtract(y.graph.scalar(1), y)))],
  MatMul: ({ inputs: [a, b] }, dy, needs) => [
    needs(0) ? sumTo(matMul(dy, swapLastTwo(b!)), a!) : null,
    needs(1) ? sumTo(matMul(swapLastTwo(a!), dy), b!) : null,
  ],
  Gemm: ({ inputs: [a, b, bias], attributes }, dy, needs) => {
    if (attributes["transA"] === 1) throw new Error("No gradient rule for the operator Gemm with transA.");
    const transposed = attributes["transB"] === 1;
    const da = needs(0) ? gemm(dy, b!, { transposeB: !transposed }) : null;
    const db = needs(1) ? (transposed ? gemm(dy, a!, { transposeA: true }) : gemm(a!, dy, { transposeA: true })) : null;
    return bias === undefined ? [da, db] : [da, db, needs(2) ? sumTo(dy, bias!) : null];
  },
  Reshape: ({ inputs: [x] }, dy) => [reshape(dy, x!.shape), null],
  Unsqueeze: ({ inputs: [x] }, dy) => [reshape(dy, x!.shape), null],
  Transpose: ({ attributes }, dy) => {
    const permutation = attributes["perm"] as readonly number[];
    return [
      transpose(
        dy,
        permutation.map((_, axis) => permutation.indexOf(axis)),
      ),
    ];
  },
  ReduceSum: (node, dy) => [multiply(keepReduced(node, dy), onesLike(node.inputs[0]!)), null],
  ReduceMean: (node, dy) => {
    const x = node.inputs[0]!;
    const share = size(node.outputs[0].shape) / size(x.shape);
    return [multiply(keepReduced(node, dy), multiply(onesLike(x), dy.graph.scalar(share))), null];
  },
  // d softmax: y ∘ (dy − Σ dy∘y)
  Softmax: ({ outputs: [y] }, dy) => {
    const weighted = multiply(dy, y);
    return [subtract(weighted, multiply(y, reduceSum(weighted, [y.shape.length - 1], true)))];
  },
  // d log softmax: dy − softmax · Σ dy
  LogSoftmax: ({ outputs: [y] }, dy) => [
    subtract(dy, multiply(exponential(y), reduceSum(dy, [y.shape.length - 1], true))),
  ],
  // With x̂ = x · inverse and g = dy ∘ weight: dx = inverse · (g − x̂ · mean(g ∘ x̂)), dweight = Σ dy ∘ x̂
  SimplifiedLayerNormalization: ({ inputs: [x, weight], outputs: [, inverse] }, dy, needs) => {
    const last = x!.shape.length - 1;
    const normalised = multiply(x!, inverse);
    const g = multiply(dy, weight!);
    const mean = needs(0) ? reduceMean(multiply(g, normalised), [last], true) : null;
    return [
      mean === null ? null : multiply(subtract(g, multiply(normalised, mean)), inverse),
      needs(1) ? sumTo(multiply(dy, normalised), weight!) : null,
    ];
  },
  Gather: ({ inputs: [table, indices] }, dy) => {
    const rows = Number(table!.shape[0]);
    if (rows <= oneHotRowLimit) return [gemm(oneHot(indices!, rows), dy, { transposeA: true }), null];
    return [scatterAddRows(zeros(table!), indices!, dy), null];
  },
  GatherElements: ({ inputs: [x, indices] }, dy) => [scatterElements(zeros(x!), indices!, dy), null],
  // The transpose of a rotation is the rotation back.
  RotaryEmbedding: ({ inputs: [, positions, cosines, sines] }, dy) => [
    rotary(dy, positions!, cosines!, negate(sines!)),
    null,
    null,
    null,
  ],
};

/** Undoes broadcasting: sums dy over the axes along which `operand` was repeated. */
function sumTo(dy: Value, operand: Value): Value {
  const extra = dy.shape.length - operand.shape.length;
  const leading = Array.from({ length: extra }, (_, axis) => axis);
  const stretched = operand.shape.flatMap((dimension, axis) =>
    dimension === 1 && dy.shape[axis + extra] !== 1 ? [axis + extra] : [],
  );
  if (leading.length + stretched.length === 0) return dy;
  const summed = reduceSum(dy, [...leading, ...stretched], true);
  return extra === 0 ? summed : reshape(summed, operand.shape);
}

function swapLastTwo(x: Value): Value {
  const axes = x.shape.map((_, axis) => axis);
  return transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
}

/** Gives dy the axes of length 1 that the reduction dropped. */
function keepReduced({ inputs: [x, axes], attributes }: GraphNode, dy: Value): Value {
  if (attributes["keepdims"] === 1) return dy;
  const data = dy.graph.initializers.find(({ value }) => value === axes)?.data;
  const reduced = new Set(Array.from(data ?? [], Number));
  return reshape(
    dy,
    x!.shape.map((dimension, axis) => (reduced.has(axis) ? 1 : dimension)),
  );
}

function onesLike(x: Value): Value {
  return filled(x, 1);
}

function zeros(x: Value): Value {
  return filled(x, 0);
}

/** A tensor of x's shape, made when the graph runs so that the model does not carry it. */
function filled(x: Value, value: number): Value {
  const shape = x.graph.integers(x.shape.map(Number));
  const zero = x.graph.constant([value], [1]);
  return x.graph.emit("Expand", [zero, shape], [{ shape: x.shape }])[0];
}

function size(shape: Shape): number {
  return shape.reduce<number>((product, dimension) => product * Number(dimension), 1);
}
