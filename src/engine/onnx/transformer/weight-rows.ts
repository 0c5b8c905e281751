// Single rows of a matrix in plain numbers: embeddings of tokens, and what the head holds for a token.
import { blockLength } from "../graph/operators.ts";
import { float32Data, type Tensor, tensorRows } from "../runtime/runtime.ts";
import { blockNames } from "./linear.ts";

/** Copies row `row` of a matrix of this name, float32 or in blocks, into `into`, which is as long as a row. */
export function readRow(weights: ReadonlyMap<string, Tensor>, name: string, row: number, into: Float32Array): void {
  const width = into.length;
  const whole = weights.get(name);
  if (whole !== undefined) {
    into.set(float32Data(whole).subarray(row * width, (row + 1) * width));
    return;
  }
  const names = blockNames(name);
  const [values, scales] = [weights.get(names.values), weights.get(names.scales)];
  if (values === undefined || scales === undefined) throw new Error(`The model has no weight ${name}.`);
  const from = (values.data as Int8Array).subarray(row * width, (row + 1) * width);
  const factors = float32Data(scales).subarray((row * width) / blockLength, ((row + 1) * width) / blockLength);
  for (let i = 0; i < width; i++) into[i] = from[i] * factors[Math.floor(i / blockLength)];
}

/** Rows `from` to before `to` of a matrix as inputs of a graph, without a copy: `name` itself, or its blocks. */
export function rowsOfWeight(
  weights: ReadonlyMap<string, Tensor>,
  name: string,
  from: number,
  to: number,
): Record<string, Tensor> {
  const names = blockNames(name);
  const parts = [name, names.values, names.scales].flatMap((part) => {
    const tensor = weights.get(part);
    return tensor === undefined ? [] : [[part, tensorRows(tensor, from, to)] as const];
  });
  return Object.fromEntries(parts);
}
