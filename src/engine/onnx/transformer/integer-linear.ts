// Products of float32 rows with int8 matrices, by integer instructions: several times as fast as float32 ones, on some
// processors ten times. A matrix has one scale for each of its outputs. Rows are cut into two halves of 7 bits each, high and
// low, so that they keep 13 bits of their greatest value: with 8 bits, few large values in a row would leave nothing
// of the others, which breaks real models. Halves of 7 bits, not 8, because processors without a product of
// whole numbers of their own add two products in 16 bits, which must not overflow.
//
// A row's results depend on that row alone: its scale is its own and sums of integers are exact.

import type { Value } from "../graph/graph.ts";
import { dequantiseRows, integerProduct, quantiseRows, rowMaximum } from "../graph/integer-operators.ts";
import { add, concatenate, matMul, multiply, reshape, subtract, unsqueeze } from "../graph/operators.ts";

/** Greatest magnitude of a half; its zero is at 64. */
const most = 63;
const zeroPoint = 64;
/** A high step is this many low steps. */
const lowSteps = 2 * most;
/** Keeps rows of zeros from dividing by zero; far below any activation. */
const leastMaximum = 1e-30;

/** Rows cut in halves: row = scales · halves. */
export interface HalvedRows {
  /** uint8 [rows, 2, inputs]. */
  readonly halves: Value;
  /** float32 [rows, 1, 2]. */
  readonly scales: Value;
}

/** Cuts the rows of a matrix. */
export function halveRows(x: Value): HalvedRows {
  const { graph } = x;
  const [rows] = x.shape;
  const maximum = add(rowMaximum(x), graph.scalar(leastMaximum));
  const highStep = multiply(maximum, graph.scalar(1 / most));
  const lowStep = multiply(maximum, graph.scalar(1 / (most * lowSteps)));
  const [size] = graph.emit("Shape", [highStep], [{ shape: [1], type: "int64" }]);
  const zero = graph.emit("Expand", [graph.scalar(zeroPoint, "uint8"), size], [{ shape: [rows], type: "uint8" }])[0];
  const high = quantiseRows(x, highStep, zero);
  const low = quantiseRows(subtract(x, dequantiseRows(high, highStep, zero)), lowStep, zero);
  const scales = concatenate([unsqueeze(highStep, 1), unsqueeze(lowStep, 1)], 1);
  return {
    halves: concatenate([unsqueeze(high, 1), unsqueeze(low, 1)], 1),
    scales: reshape(scales, [rows, 1, 2]),
  };
}

/** The product of the rows with an int8 matrix [inputs, outputs], whose columns have `scales` [outputs]: [rows, outputs]. */
export function productOfHalves({ halves, scales }: HalvedRows, matrix: Value, matrixScales: Value): Value {
  const zero = matrix.graph.scalar(zeroPoint, "uint8");
  const product = matMul(scales, integerProduct(halves, zero, matrix, matrixScales));
  return reshape(product, [halves.shape[0], matrix.shape[1]]);
}
