// The weights that do not train, in memory once, whatever the number of policies and sessions: as inputs for graphs that
// compute many rows at a time, and as constants, packed by the runtime for its kernels, for the one graph that decodes.

import { parameterCount, parameterSpecs } from "../../../model/model-config.ts";
import type { WeightSource } from "../../../model/weight-source.ts";
import type { Value } from "../graph/graph.ts";
import { microsoftDomain } from "../graph/graph.ts";
import { blockLength } from "../graph/operators.ts";
import { elementCount, float32Data, float32Tensor, int8Tensor, type Tensor } from "../runtime/runtime.ts";
import { blockNames, inBlocks, type Parameters, parameter, type WeightLayout } from "./linear.ts";

/** Tensors by the names that `declareParameters` gives the inputs. */
export type FrozenWeights = ReadonlyMap<string, Tensor>;

/** Values that are quantised at a time. */
const chunkLength = 2 ** 20;

/** Reads the weights one by one; those in blocks are quantised some rows at a time. */
export function loadFrozenWeights(
  layout: WeightLayout,
  source: WeightSource,
  onProgress: (done: number, total: number) => void = () => undefined,
): FrozenWeights {
  const weights = new Map<string, Tensor>();
  const total = parameterCount(layout.config);
  let done = 0;
  for (const spec of parameterSpecs(layout.config)) {
    onProgress(done, total);
    done += elementCount(spec.shape);
    const { name, shape } = spec;
    if (!inBlocks(layout, spec)) {
      weights.set(name, float32Tensor(shape, source.readTensor(name)));
      continue;
    }
    const [rows, columns] = shape;
    const values = new Int8Array(rows * columns);
    const scales = new Float32Array((rows * columns) / blockLength);
    const step = Math.max(1, Math.floor(chunkLength / columns));
    for (let row = 0; row < rows; row += step) {
      const end = Math.min(rows, row + step) * columns;
      const chunk = new Float32Array(end - row * columns);
      source.readRows(name, row, chunk);
      const start = row * columns;
      quantise(chunk, values.subarray(start, end), scales.subarray(start / blockLength, end / blockLength));
    }
    const names = blockNames(name);
    weights.set(names.values, int8Tensor(shape, values));
    weights.set(names.scales, float32Tensor([rows, columns / blockLength], scales));
  }
  return weights;
}

/** Rounds to the nearest whole number above −128 when it is added and then cut off. */
const rounding = 128.5;

/**
 * Blocks of 32 values with one scale, max|x| / 127: GGUF's Q8_0, whose own values come out as they were. Sizes are compared as the bits
 * of floats, whose order is that of whole numbers: this loop sees every weight of a model.
 */
function quantise(from: Float32Array, values: Int8Array, scales: Float32Array): void {
  const bits = new Int32Array(from.buffer, from.byteOffset, from.length);
  const largest = new Float32Array(1);
  const largestBits = new Int32Array(largest.buffer);
  for (let block = 0; block < scales.length; block++) {
    const start = block * blockLength;
    const end = start + blockLength;
    let greatest = 0;
    for (let i = start; i < end; i++) {
      const size = bits[i] & 0x7fffffff;
      greatest = size > greatest ? size : greatest;
    }
    largestBits[0] = greatest;
    const scale = Math.fround(largest[0] / 127);
    scales[block] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let i = start; i < end; i++) values[i] = ((from[i] * inverse + rounding) | 0) - 128;
  }
}

/**
 * Products of few rows with frozen matrices. Those in blocks are constants of the graph that the rows belong to and go through
 * MatMulNBits, which also makes the rows int8 (accuracy level 4). float32 matrices stay inputs: as constants the runtime would
 * keep both its packed copy and the original, which made a model of 135 M parameters .5 GiB larger twice over for a fifth less time.
 */
export function constantProduct(
  layout: WeightLayout,
  weights: FrozenWeights,
  parameters: Parameters,
): (x: Value, weight: string) => Value {
  const specs = new Map(parameterSpecs(layout.config).map((spec) => [spec.name, spec]));
  return (x, name) => {
    const spec = specs.get(name);
    if (spec === undefined) throw new Error(`The model has no weight ${name}.`);
    const [rows, columns] = spec.shape;
    const shape = [...x.shape.slice(0, -1), rows];
    const emit = (op: string, inputs: Value[], attributes: Record<string, number>): Value =>
      x.graph.emit(op, inputs, [{ shape }], { attributes, domain: microsoftDomain })[0];
    if (!inBlocks(layout, spec)) return emit("FusedMatMul", [x, parameter(parameters, name)], { transA: 0, transB: 1 });
    const names = blockNames(name);
    const [values, scales] = [weights.get(names.values), weights.get(names.scales)];
    if (values === undefined || scales === undefined) throw new Error(`There are no blocks of ${name}.`);
    const count = elementCount(spec.shape);
    const blocks = x.graph.external(
      `constant:${names.values}`,
      [rows, columns / blockLength, blockLength],
      "uint8",
      count,
      () => withZeroPoint(values.data as Int8Array),
    );
    const scaleCount = count / blockLength;
    const factors = x.graph.external(`constant:${names.scales}`, [scaleCount], "float32", scaleCount * 4, () => {
      const data = float32Data(scales);
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    });
    const attributes = { K: columns, N: rows, bits: 8, block_size: blockLength, accuracy_level: 4 };
    return emit("MatMulNBits", [x, blocks, factors], attributes);
  };
}

/** From signed values to MatMulNBits' own, which count from a zero point of 128. */
function withZeroPoint(values: Int8Array): Uint8Array {
  const bytes = Uint8Array.from(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  for (let i = 0; i < bytes.length; i++) bytes[i] ^= 0x80;
  return bytes;
}
