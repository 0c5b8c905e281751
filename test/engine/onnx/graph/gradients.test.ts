import { describe, expect, test } from "vitest";
import { gradientRules, oneHotRowLimit } from "../../../../src/engine/onnx/graph/gradient-rules.ts";
import { gradients } from "../../../../src/engine/onnx/graph/gradients.ts";
import { Graph, type Value } from "../../../../src/engine/onnx/graph/graph.ts";
import * as ops from "../../../../src/engine/onnx/graph/operators.ts";
import { type GradientCheck, gradientError } from "../../../../src/testing/gradient-checker.ts";

/** Turns any tensor into a scalar that gives every element a different weight. */
function weighted(x: Value): Value {
  const size = x.shape.reduce<number>((a, b) => a * Number(b), 1);
  const weights = Array.from({ length: size }, (_, i) => Math.cos(i * 1.3) + 0.2);
  const product = ops.multiply(x, x.graph.constant(weights, x.shape.map(Number)));
  return ops.reduceSum(
    product,
    x.shape.map((_, axis) => axis),
    false,
  );
}

const positive = (name: string, index: number): number => 1 + 0.5 * Math.sin(index + name.length);

/** At least one case for every operator in the table; `operators` says which rules a case exercises. */
const cases: (GradientCheck & { readonly title: string; readonly operators: readonly string[] })[] = [
  {
    title: "add, broadcasting both sides",
    operators: ["Add"],
    inputs: { a: [2, 3], b: [3], c: [2, 1] },
    build: ({ a, b, c }) => weighted(ops.add(ops.add(a, b), c)),
  },
  {
    title: "subtract",
    operators: ["Sub"],
    inputs: { a: [2, 3], b: [1, 3] },
    build: ({ a, b }) => weighted(ops.subtract(a, b)),
  },
  {
    title: "multiply, with a value used twice",
    operators: ["Mul"],
    inputs: { a: [2, 3], b: [3] },
    build: ({ a, b }) => weighted(ops.multiply(ops.multiply(a, b), a)),
  },
  {
    title: "divide",
    operators: ["Div"],
    inputs: { a: [2, 3], b: [3] },
    initial: positive,
    build: ({ a, b }) => weighted(ops.divide(a, b)),
  },
  {
    title: "minimum",
    operators: ["Min"],
    inputs: { a: [5], b: [5] },
    step: 1e-3,
    build: ({ a, b }) => weighted(ops.minimum(a, b)),
  },
  {
    title: "maximum",
    operators: ["Max"],
    inputs: { a: [5], b: [1] },
    step: 1e-3,
    build: ({ a, b }) => weighted(ops.maximum(a, b)),
  },
  {
    title: "where",
    operators: ["Where"],
    inputs: { a: [4], b: [4] },
    build: ({ a, b }, graph) =>
      weighted(ops.where(ops.greater(graph.constant([1, 0, 2, 0], [4]), graph.scalar(0.5)), a, b)),
  },
  { title: "negate", operators: ["Neg"], inputs: { a: [3] }, build: ({ a }) => weighted(ops.negate(a)) },
  { title: "exponential", operators: ["Exp"], inputs: { a: [3] }, build: ({ a }) => weighted(ops.exponential(a)) },
  {
    title: "logarithm",
    operators: ["Log"],
    inputs: { a: [3] },
    initial: positive,
    build: ({ a }) => weighted(ops.logarithm(a)),
  },
  {
    title: "squareRoot",
    operators: ["Sqrt"],
    inputs: { a: [3] },
    initial: positive,
    build: ({ a }) => weighted(ops.squareRoot(a)),
  },
  {
    title: "reciprocal",
    operators: ["Reciprocal"],
    inputs: { a: [3] },
    initial: positive,
    build: ({ a }) => weighted(ops.reciprocal(a)),
  },
  { title: "sigmoid", operators: ["Sigmoid"], inputs: { a: [4] }, build: ({ a }) => weighted(ops.sigmoid(a)) },
  {
    title: "matMul over a batch, one side broadcast",
    operators: ["MatMul"],
    inputs: { a: [2, 2, 3], b: [3, 2] },
    build: ({ a, b }) => weighted(ops.matMul(a, b)),
  },
  {
    title: "gemm with transposed weight and bias",
    operators: ["Gemm"],
    inputs: { x: [3, 2], w: [4, 2], b: [4] },
    build: ({ x, w, b }) => weighted(ops.gemm(x, w, { transposeB: true, bias: b })),
  },
  {
    title: "gemm plain",
    operators: ["Gemm"],
    inputs: { x: [3, 2], w: [2, 4] },
    build: ({ x, w }) => weighted(ops.gemm(x, w)),
  },
  {
    title: "reshape",
    operators: ["Reshape"],
    inputs: { a: [2, 3] },
    build: ({ a }) => weighted(ops.reshape(a, [3, 2])),
  },
  { title: "unsqueeze", operators: ["Unsqueeze"], inputs: { a: [3] }, build: ({ a }) => weighted(ops.unsqueeze(a, 1)) },
  {
    title: "transpose",
    operators: ["Transpose"],
    inputs: { a: [2, 3, 2] },
    build: ({ a }) => weighted(ops.transpose(a, [2, 0, 1])),
  },
  {
    title: "reduceSum dropping axes",
    operators: ["ReduceSum"],
    inputs: { a: [2, 3] },
    build: ({ a }) => weighted(ops.reduceSum(a, [1], false)),
  },
  {
    title: "reduceSum keeping axes",
    operators: ["ReduceSum"],
    inputs: { a: [2, 3] },
    build: ({ a }) => weighted(ops.reduceSum(a, [0], true)),
  },
  {
    title: "reduceMean",
    operators: ["ReduceMean"],
    inputs: { a: [2, 3] },
    build: ({ a }) => weighted(ops.reduceMean(a, [1], false)),
  },
  { title: "softmax", operators: ["Softmax"], inputs: { a: [2, 4] }, build: ({ a }) => weighted(ops.softmax(a)) },
  {
    title: "logSoftmax",
    operators: ["LogSoftmax"],
    inputs: { a: [2, 4] },
    build: ({ a }) => weighted(ops.logSoftmax(a)),
  },
  {
    title: "rmsNorm",
    operators: ["SimplifiedLayerNormalization"],
    inputs: { x: [3, 4], w: [4] },
    build: ({ x, w }) => weighted(ops.rmsNorm(x, w, 1e-6)),
  },
  {
    title: "gatherRows from a small table, an index repeated",
    operators: ["Gather"],
    inputs: { table: [4, 2] },
    build: ({ table }, graph) => weighted(ops.gatherRows(table, graph.constant([1, 3, 1], [3], "int64"))),
  },
  {
    title: "gatherRows from a large table, an index repeated",
    operators: ["Gather", "ScatterND"],
    inputs: { table: [oneHotRowLimit + 1, 1] },
    build: ({ table }, graph) => weighted(ops.gatherRows(table, graph.constant([1, 500, 1], [3], "int64"))),
  },
  {
    title: "pickFromRows",
    operators: ["GatherElements"],
    inputs: { x: [3, 4] },
    build: ({ x }, graph) => weighted(ops.pickFromRows(x, graph.constant([2, 0, 3], [3], "int64"))),
  },
  {
    title: "rotary",
    operators: ["RotaryEmbedding"],
    inputs: { x: [2, 3, 8] },
    build: ({ x }, graph) => {
      const angles = [0, 0, 0.5, 0.1, 1, 0.2];
      const cosines = graph.constant(angles.map(Math.cos), [3, 2]);
      const sines = graph.constant(angles.map(Math.sin), [3, 2]);
      return weighted(ops.rotary(x, graph.integers([0]), cosines, sines));
    },
  },
];

describe("gradient rules", () => {
  test.each(cases)("$title matches central differences", async (check) => {
    expect(await gradientError(check)).toBeLessThan(2e-3);
  });

  test("every rule of the table has a case", () => {
    const covered = new Set(cases.flatMap(({ operators }) => operators));
    expect(Object.keys(gradientRules).filter((operator) => !covered.has(operator))).toEqual([]);
  });

  test("an operator without a rule is named", () => {
    const graph = Graph.create();
    const x = graph.input("x", [2]);
    const [y] = graph.emit("Erf", [x], [{ shape: [2] }]);
    expect(() => gradients(graph, ops.reduceSum(y, [0], false), [x])).toThrow(/Erf/);
  });

  test("stopGradient lets nothing through", () => {
    const graph = Graph.create();
    const x = graph.input("x", [2]);
    const loss = ops.reduceSum(ops.stopGradient(ops.exponential(x)), [0], false);
    expect(gradients(graph, loss, [x])).toEqual([null]);
  });
});
