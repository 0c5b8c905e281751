// The weights that do not train, in memory once, whatever the number of policies and sessions: inputs of the graphs
// that train and score. The sampler packs them once more for its kernels (generate/stepped/pack-weights.ts).

import { parameterCount, parameterSpecs } from "../../../model/model-config.ts";
import type { WeightSource } from "../../../model/weight-source.ts";
import { blockLength } from "../graph/operators.ts";
import { elementCount, float32Tensor, int8Tensor, type Tensor } from "../runtime/runtime.ts";
import { blockNames, inBlocks, type WeightLayout } from "./linear.ts";

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
