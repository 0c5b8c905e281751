// Operators on 8-bit integers: products at the speed of a processor's integer instructions, and the way to them and back.
import { type Dimension, microsoftDomain, type Value } from "./graph.ts";

/** The greatest absolute value of each row of a matrix: [rows]. */
export function rowMaximum(x: Value): Value {
  const { graph } = x;
  const [absolute] = graph.emit("Abs", [x], [{ shape: x.shape }]);
  const inputs = [absolute, graph.integers([1])];
  return graph.emit("ReduceMax", inputs, [{ shape: [x.shape[0]] }], { attributes: { keepdims: 0 } })[0];
}

/** round(x / scale) + zero for each row of a matrix, clamped to uint8; `scale` and `zero` (uint8) are [rows]. */
export function quantiseRows(x: Value, scale: Value, zero: Value): Value {
  const outputs = [{ shape: x.shape, type: "uint8" as const }];
  return x.graph.emit("QuantizeLinear", [x, scale, zero], outputs, { attributes: { axis: 0 } })[0];
}

/** (x − zero) · scale for each row of a uint8 matrix. */
export function dequantiseRows(x: Value, scale: Value, zero: Value): Value {
  return x.graph.emit("DequantizeLinear", [x, scale, zero], [{ shape: x.shape }], { attributes: { axis: 0 } })[0];
}

/**
 * (x − zero)·w · scales over the last two axes: x uint8 [rows, …, inputs], `zero` uint8 [], w int8 [inputs, outputs], `scales`
 * float32 [outputs]. The sums are exact.
 */
export function integerProduct(x: Value, zero: Value, w: Value, scales: Value): Value {
  const { graph } = x;
  const shape: Dimension[] = [...x.shape.slice(0, -1), w.shape[1]];
  const inputs = [x, w, graph.scalar(1), scales, zero];
  return graph.emit("MatMulIntegerToFloat", inputs, [{ shape }], { domain: microsoftDomain })[0];
}
