// Frozen matrices as the integer products of a step take them: int8 [inputs, outputs] with one scale an output.

import { Graph } from "../../graph/graph.ts";
import { rowMaximum } from "../../graph/integer-operators.ts";
import { add, blockLength, dequantise, matMul, multiply, subtract, transpose } from "../../graph/operators.ts";
import {
  createSession,
  float32Data,
  float32Tensor,
  int8Tensor,
  type Session,
  type Tensor,
} from "../../runtime/runtime.ts";
import type { FrozenWeights } from "../../transformer/frozen-weights.ts";
import { blockNames } from "../../transformer/linear.ts";
import { directionCount } from "./input-directions.ts";
import type { LinearGroup } from "./linear-groups.ts";

/** Read once, the values first. */
export interface PackedMatrix {
  readonly values: () => Promise<Uint8Array>;
  readonly scales: () => Promise<Uint8Array>;
  /** What rounding took from the outputs for each of the given directions: float32 [directions, outputs]. */
  readonly lost: () => Promise<Uint8Array>;
}

/** Weights that are turned at a time. */
const chunkLength = 2 ** 22;
const mostInt8 = 127;
/** Keeps columns of zeros from dividing by zero. */
const leastMaximum = 1e-30;

/** `directions`: float32 [directionCount, inputs]. */
export function packMatrix(frozen: FrozenWeights, group: LinearGroup, directions: Float32Array): PackedMatrix {
  const scales = new Float32Array(group.outputs);
  const lost = new Float32Array(directionCount * group.outputs);
  return {
    values: async () => {
      const values = new Int8Array(group.inputs * group.outputs);
      await pack(frozen, group, directions, { values, scales, lost });
      return new Uint8Array(values.buffer);
    },
    scales: async () => new Uint8Array(scales.buffer),
    lost: async () => new Uint8Array(lost.buffer),
  };
}

async function pack(
  frozen: FrozenWeights,
  group: LinearGroup,
  directions: Float32Array,
  { values, scales, lost }: { values: Int8Array; scales: Float32Array; lost: Float32Array },
): Promise<void> {
  const along = float32Tensor([directionCount, group.inputs], directions);
  let first = 0;
  for (const { module, outputs } of group.members) {
    const { rows, session } = await chunksOf(frozen, `${module}.weight`, group.inputs);
    try {
      const step = Math.max(1, Math.floor(chunkLength / group.inputs));
      for (let row = 0; row < outputs; row += step) {
        const count = Math.min(step, outputs - row);
        const packed = await session.run({ ...rows(row, count), directions: along });
        const turned = packed["values"].data as Int8Array;
        for (let i = 0; i < group.inputs; i++) {
          values.set(turned.subarray(i * count, (i + 1) * count), i * group.outputs + first + row);
        }
        scales.set(float32Data(packed["scales"]), first + row);
        const parts = float32Data(packed["lost"]);
        for (let i = 0; i < directionCount; i++) {
          lost.set(parts.subarray(i * count, (i + 1) * count), i * group.outputs + first + row);
        }
      }
    } finally {
      await session.dispose();
    }
    first += outputs;
  }
}

/** Some rows of a matrix as feeds of the session that packs them. */
async function chunksOf(
  frozen: FrozenWeights,
  name: string,
  inputs: number,
): Promise<{ session: Session; rows: (row: number, count: number) => Record<string, Tensor> }> {
  const names = blockNames(name);
  const [whole, blocks, factors] = [frozen.get(name), frozen.get(names.values), frozen.get(names.scales)];
  const session = await createSession(packingGraph(inputs, whole !== undefined), { threads: 1 });
  if (whole !== undefined) {
    const data = float32Data(whole);
    const part = (row: number, count: number) => data.subarray(row * inputs, (row + count) * inputs);
    return { session, rows: (row, count) => ({ matrix: float32Tensor([count, inputs], part(row, count)) }) };
  }
  if (blocks === undefined || factors === undefined) throw new Error(`There is no weight ${name}.`);
  const [data, scales] = [blocks.data as Int8Array, float32Data(factors)];
  const perRow = inputs / blockLength;
  return {
    session,
    rows: (row, count) => ({
      blocks: int8Tensor([count, inputs], data.subarray(row * inputs, (row + count) * inputs)),
      factors: float32Tensor([count, perRow], scales.subarray(row * perRow, (row + count) * perRow)),
    }),
  };
}

/**
 * From rows of a matrix [outputs, inputs] and `directions` to `values` int8 [inputs, outputs], `scales` [outputs], and what is lost,
 * `lost` [directionCount, outputs].
 */
function packingGraph(inputs: number, whole: boolean): Graph {
  const graph = Graph.create();
  const matrix = whole
    ? graph.input("matrix", ["outputs", inputs])
    : dequantise(
        graph.input("blocks", ["outputs", inputs], "int8"),
        graph.input("factors", ["outputs", inputs / blockLength]),
      );
  const scales = multiply(add(rowMaximum(matrix), graph.scalar(leastMaximum)), graph.scalar(1 / mostInt8));
  const [size] = graph.emit("Shape", [scales], [{ shape: [1], type: "int64" }]);
  const [zero] = graph.emit("Expand", [graph.scalar(0, "int8"), size], [{ shape: ["outputs"], type: "int8" }]);
  const [values] = graph.emit("QuantizeLinear", [matrix, scales, zero], [{ shape: matrix.shape, type: "int8" }], {
    attributes: { axis: 0 },
  });
  const [turned] = graph.emit("Transpose", [values], [{ shape: [inputs, "outputs"], type: "int8" }], {
    attributes: { perm: [1, 0] },
  });
  const kept = graph.emit("DequantizeLinear", [values, scales, zero], [{ shape: matrix.shape }], {
    attributes: { axis: 0 },
  })[0];
  const directions = graph.input("directions", [directionCount, inputs]);
  graph.output("lost", matMul(directions, transpose(subtract(matrix, kept), [1, 0])));
  graph.output("values", turned);
  graph.output("scales", scales);
  return graph;
}
