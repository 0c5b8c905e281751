// float32 products whose rows are each the same whatever rows stand beside them. The runtime cuts a product's sums into
// stretches of inputs and adds up those. A stretch has 128 inputs, or more where a thread is left with few outputs, and how outputs are
// shared out among threads depends on the number of rows. So where a thread might be left with few, the stretches are cut here.

import { reshapeLike } from "../../graph/decode-operators.ts";
import type { Value } from "../../graph/graph.ts";
import { microsoftDomain } from "../../graph/graph.ts";
import { reduceSum, reshape } from "../../graph/operators.ts";

/** Inputs of one stretch, at most; sums of fewer are never cut. */
const stretchLength = 128;
/** With this many outputs for each thread, the runtime's stretches have always `stretchLength` inputs. */
const outputsPerThread = 96;

export interface RowProductOptions {
  /** Whether the matrix is [outputs, inputs] rather than [inputs, outputs]. */
  readonly transposed: boolean;
  readonly threads: number;
}

/** x·w for x [rows, inputs] with at least two rows and w [inputs, outputs]; x·wᵀ where w is `transposed`. */
export function rowProduct(x: Value, w: Value, { transposed, threads }: RowProductOptions): Value {
  const [rows] = x.shape;
  const [outputs, inputs] = (transposed ? w.shape : [...w.shape].reverse()).map(Number);
  const transB = transposed ? 1 : 0;
  if (inputs <= stretchLength || outputs >= outputsPerThread * threads) {
    return emit([x, w], [rows, outputs], { transA: 0, transB });
  }
  const width = stretchWidth(inputs);
  const count = inputs / width;
  const cut = reshapeLike(x, [-1, count, width], [rows, count, width]);
  const stretches = reshape(w, transposed ? [outputs, count, width] : [count, width, outputs]);
  const attributes = { transA: 0, transB, transBatchA: 1, transBatchB: transB };
  return reduceSum(emit([cut, stretches], [count, rows, outputs], attributes), [0], false);
}

function emit(inputs: Value[], shape: Value["shape"], attributes: Record<string, number>): Value {
  return inputs[0].graph.emit("FusedMatMul", inputs, [{ shape }], { attributes, domain: microsoftDomain })[0];
}

/** The largest divisor of a number of inputs up to the length of a stretch. */
function stretchWidth(inputs: number): number {
  for (let width = stretchLength; width > 1; width--) if (inputs % width === 0) return width;
  return 1;
}
