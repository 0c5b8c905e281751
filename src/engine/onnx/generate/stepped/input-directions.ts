// In which directions the inputs of linear layers are large. A few hold most of what a model's rows consist of, whatever the text, so that
// what rounding a matrix costs can be given back for these alone (pack-weights.ts).

import { randomStream } from "../../../../random.ts";
import { Graph, type Value } from "../../graph/graph.ts";
import { matMul, transpose } from "../../graph/operators.ts";
import { createSession, float32Data, int64Tensor } from "../../runtime/runtime.ts";
import { rmsNormOf } from "../../transformer/decoder-layer.ts";
import type { FrozenWeights } from "../../transformer/frozen-weights.ts";
import { declareParameters, type Linear, matrixLinear, type WeightLayout } from "../../transformer/linear.ts";
import { lastHidden } from "../../transformer/whole-sequences.ts";
import { type LinearGroup, linearGroups } from "./linear-groups.ts";

/** Directions of each group's inputs. */
export const directionCount = 8;
/** Tokens that the inputs are taken from, drawn from the whole vocabulary. */
const tokenCount = 128;
const iterations = 12;

/** By group, orthonormal: float32 [directionCount, inputs]. */
export type InputDirections = ReadonlyMap<string, Float32Array>;

/** The model's own weights without an adapter, as they are at first. */
export async function findInputDirections(
  layout: WeightLayout,
  frozen: FrozenWeights,
  threads: number,
): Promise<InputDirections> {
  const { config } = layout;
  const time = Math.min(tokenCount, config.maxPositions);
  const groups = linearGroups(config, true);
  const session = await createSession(inputsGraph(layout, groups, time), { threads, keepMemory: false });
  try {
    const random = randomStream("input directions");
    const tokens = Array.from({ length: time }, () => random.integer(0, config.vocabSize - 1));
    const found = await session.run({ ...Object.fromEntries(frozen), tokens: int64Tensor([time], tokens) });
    return new Map(
      groups.map(({ name, inputs }) => {
        const [rows, products] = [`rows:${name}`, `products:${name}`].map((key) => float32Data(found[key]));
        return [name, largestDirections(rows, products, time, inputs)];
      }),
    );
  } finally {
    await session.dispose();
  }
}

/** To each group's inputs `rows:…` [time, inputs] and their products with one another `products:…` [time, time]. */
function inputsGraph(layout: WeightLayout, groups: readonly LinearGroup[], time: number): Graph {
  const { config } = layout;
  const graph = Graph.create();
  const plain = { ...layout, lora: null };
  const parameters = declareParameters(graph, plain);
  const tokens = graph.input("tokens", [time], "int64");
  const base = matrixLinear(parameters, null);
  const tell = (name: string, x: Value): void => {
    graph.output(`rows:${name}`, x);
    graph.output(`products:${name}`, matMul(x, transpose(x, [1, 0])));
  };
  const firstOf = new Map(groups.map((group) => [group.members[0].module, group.name]));
  const linear: Linear = (x, module) => {
    const name = firstOf.get(module);
    if (name !== undefined) tell(name, x);
    return base(x, module);
  };
  const hidden = lastHidden(plain, parameters, tokens, { batch: 1, time }, linear);
  tell(groups[groups.length - 1].name, rmsNormOf(config, parameters)(hidden, "model.norm"));
  return graph;
}

/**
 * The right singular vectors of `rows` [time, inputs] with the largest singular values, by subspace iteration on their products with
 * one another: [directionCount, inputs].
 */
function largestDirections(rows: Float32Array, products: Float32Array, time: number, inputs: number): Float32Array {
  const random = randomStream("subspace", time);
  const count = Math.min(directionCount, time);
  let left = Array.from({ length: count }, () => Float64Array.from({ length: time }, () => random.normal()));
  for (let i = 0; i < iterations; i++) {
    orthonormalise(left);
    left = left.map((vector) => Float64Array.from({ length: time }, (_, t) => dot(products, t * time, vector)));
  }
  orthonormalise(left);
  const right = left.map((vector) => {
    const sum = new Float64Array(inputs);
    for (let t = 0; t < time; t++) for (let i = 0; i < inputs; i++) sum[i] += vector[t] * rows[t * inputs + i];
    return sum;
  });
  orthonormalise(right);
  const directions = new Float32Array(directionCount * inputs);
  for (const [i, vector] of right.entries()) directions.set(vector, i * inputs);
  return directions;
}

function dot(matrix: Float32Array, start: number, vector: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += matrix[start + i] * vector[i];
  return sum;
}

/** Gram–Schmidt, in place, twice over each; one that others span becomes zero. */
function orthonormalise(vectors: readonly Float64Array[]): void {
  for (const [i, vector] of vectors.entries()) {
    const before = Math.hypot(...vector);
    for (let pass = 0; pass < 2; pass++) {
      for (const other of vectors.slice(0, i)) {
        let along = 0;
        for (let k = 0; k < vector.length; k++) along += vector[k] * other[k];
        for (let k = 0; k < vector.length; k++) vector[k] -= along * other[k];
      }
    }
    const size = Math.hypot(...vector);
    const scale = size > 1e-6 * before ? 1 / size : 0;
    for (let k = 0; k < vector.length; k++) vector[k] *= scale;
  }
}
