// Claims of the directions in which inputs are large: they are orthonormal and the same each time, and along them a product with a rounded
// matrix is the product with the matrix.
import { expect, test } from "vitest";
import { directionCount, findInputDirections } from "../../../../src/engine/onnx/generate/stepped/input-directions.ts";
import { linearGroups } from "../../../../src/engine/onnx/generate/stepped/linear-groups.ts";
import { stepLinear } from "../../../../src/engine/onnx/generate/stepped/step-linear.ts";
import { Graph } from "../../../../src/engine/onnx/graph/graph.ts";
import { createSession, float32Data, float32Tensor } from "../../../../src/engine/onnx/runtime/runtime.ts";
import { loadFrozenWeights } from "../../../../src/engine/onnx/transformer/frozen-weights.ts";
import { adapterLayout, blockNames, Parameters } from "../../../../src/engine/onnx/transformer/linear.ts";
import { projections } from "../../../../src/model/lora.ts";
import { randomStream } from "../../../../src/random.ts";
import { modelVariants, randomModel, weightSourceOf } from "../random-model.ts";

const config = {
  ...modelVariants.llama,
  vocabSize: 300,
  hiddenSize: 192,
  intermediateSize: 512,
  heads: 3,
  keyValueHeads: 1,
  headSize: 64,
  maxPositions: 256,
};
const layout = adapterLayout(config, { rank: 4, alpha: 8, targets: projections }, true);
const frozen = loadFrozenWeights(layout, weightSourceOf(randomModel(config, 3), config));
const module = "model.layers.1.mlp.down_proj";
const inputs = config.intermediateSize;
const outputs = config.hiddenSize;
const directions = await findInputDirections(layout, frozen, 1);

const rowsOf = (matrix: Float32Array, width: number): Float32Array[] =>
  Array.from({ length: matrix.length / width }, (_, i) => matrix.subarray(i * width, (i + 1) * width));
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i], 0);

test("each group has its own, orthonormal, and the same each time", async () => {
  const again = await findInputDirections(layout, frozen, 1);
  expect([...directions.keys()]).toEqual(linearGroups(config, true).map(({ name }) => name));
  for (const { name, inputs: width } of linearGroups(config, true)) {
    const found = rowsOf(directions.get(name)!, width);
    expect(found.length).toBe(directionCount);
    for (const [i, a] of found.entries()) {
      for (const [j, b] of found.entries()) expect(dot(a, b)).toBeCloseTo(i === j ? 1 : 0, 4);
    }
    expect(again.get(name)).toEqual(directions.get(name));
  }
});

test("along them nothing is lost to rounding the matrix, and across them something is", async () => {
  const graph = Graph.create();
  const options = { layout, frozen, directions, adapted: false, threads: 1 };
  graph.output("y", stepLinear(graph, new Parameters(), options)(graph.input("x", ["n", inputs]), module));
  const session = await createSession(graph, { threads: 1 });
  const found = rowsOf(directions.get(module)!, inputs);
  const across = Float32Array.from({ length: inputs }, () => 0);
  const random = randomStream("across");
  across.forEach((_, i) => {
    across[i] = random.normal() / Math.sqrt(inputs);
  });
  for (const direction of found) {
    const along = dot(across, direction);
    across.forEach((x, i) => {
      across[i] = x - along * direction[i];
    });
  }
  const rows = [...found, across];
  const x = Float32Array.from(rows.flatMap((row) => [...row]));
  const y = rowsOf(float32Data((await session.run({ x: float32Tensor([rows.length, inputs], x) }))["y"]), outputs);
  await session.dispose();

  const names = blockNames(`${module}.weight`);
  const [values, scales] = [frozen.get(names.values)!.data as Int8Array, float32Data(frozen.get(names.scales)!)];
  const matrix = rowsOf(
    Float32Array.from(values, (value, i) => value * scales[Math.floor(i / 32)]),
    inputs,
  );
  const errors = rows.map((row, i) => Math.hypot(...matrix.map((w, o) => dot(row, w) - y[i][o])));
  const sizes = rows.map((row) => Math.hypot(...matrix.map((w) => dot(row, w))));
  const shares = errors.map((error, i) => error / sizes[i]);
  expect(Math.max(...shares.slice(0, -1))).toBeLessThan(shares[shares.length - 1] / 4);
  expect(shares[shares.length - 1]).toBeGreaterThan(1e-3);
});
