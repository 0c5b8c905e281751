// Small models with random weights: one for each thing in which the families differ.

import { elementCount, float32Tensor, type Tensor } from "../../../src/engine/onnx/runtime/runtime.ts";
import { type ModelConfig, parameterSpecs } from "../../../src/model/model-config.ts";
import { rowLength, type WeightSource } from "../../../src/model/weight-source.ts";
import { randomStream } from "../../../src/random.ts";

const llama: ModelConfig = {
  family: "llama",
  vocabSize: 13,
  hiddenSize: 16,
  intermediateSize: 24,
  layers: 2,
  heads: 4,
  keyValueHeads: 4,
  headSize: 16,
  normEps: 1e-6,
  ropeTheta: 10_000,
  ropeScaling: null,
  maxPositions: 32,
  tiedEmbeddings: false,
  queryKeyValueBias: false,
  outputBias: false,
  feedForwardBias: false,
  queryKeyNorm: false,
};

/** Head sizes are multiples of 8, as the engine's attention asks; query width and hidden size differ. */
export const modelVariants = {
  llama,
  "llama with biases": { ...llama, queryKeyValueBias: true, outputBias: true, feedForwardBias: true },
  "llama, linear rope scaling": { ...llama, ropeScaling: { type: "linear", factor: 4 } },
  "llama 3.1 rope scaling": {
    ...llama,
    ropeTheta: 500,
    ropeScaling: {
      type: "llama3",
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalMaxPositions: 64,
    },
  },
  "qwen2: biases, grouped heads, tied": {
    ...llama,
    family: "qwen2",
    keyValueHeads: 2,
    headSize: 8,
    queryKeyValueBias: true,
    tiedEmbeddings: true,
    ropeTheta: 1_000_000,
  },
  "qwen3: query and key norm, one key-value head, wide heads": {
    ...llama,
    family: "qwen3",
    keyValueHeads: 1,
    headSize: 32,
    queryKeyNorm: true,
    tiedEmbeddings: true,
  },
} as const satisfies Record<string, ModelConfig>;

export interface RandomModel {
  readonly tensors: Map<string, Tensor>;
  /** The same memory, by the same names. */
  readonly arrays: Map<string, Float32Array>;
}

/** Weights large enough that attention and every bias matter: `scale` / sqrt(inputs) for matrices. */
export function randomModel(config: ModelConfig, seed: number, scale = 1.5): RandomModel {
  const tensors = new Map<string, Tensor>();
  const arrays = new Map<string, Float32Array>();
  for (const { name, shape } of parameterSpecs(config)) {
    const random = randomStream(seed, name);
    const norm = name.endsWith("norm.weight");
    const spread = shape.length === 2 ? scale / Math.sqrt(shape[1]) : 0.5;
    const data = Float32Array.from({ length: elementCount(shape) }, () => (norm ? 1 : 0) + spread * random.normal());
    arrays.set(name, data);
    tensors.set(name, float32Tensor(shape, data));
  }
  return { tensors, arrays };
}

/** The random model's weights as a file would give them. */
export function weightSourceOf({ arrays }: RandomModel, config: ModelConfig): WeightSource {
  const shapes = new Map(parameterSpecs(config).map(({ name, shape }) => [name, shape]));
  return {
    path: "random",
    shapeOf: (name) => shapes.get(name) ?? null,
    readTensor: (name) => Float32Array.from(arrays.get(name)!),
    readRows: (name, firstRow, into) => {
      const start = firstRow * rowLength(shapes.get(name)!);
      into.set(arrays.get(name)!.subarray(start, start + into.length));
    },
    [Symbol.dispose]: () => undefined,
  };
}
