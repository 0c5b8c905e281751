// The weights of a model inside a graph, and the linear layers made of them: the one place that knows how a matrix is
// stored and applied: as plain float32, as int8 blocks, and with an adapter beside it.

import type { Lora } from "../../../model/lora.ts";
import { adapterNames, adapterSpecs } from "../../../model/lora.ts";
import { type ModelConfig, type ParameterSpec, parameterSpecs } from "../../../model/model-config.ts";
import { gatherInto } from "../graph/decode-operators.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { add, blockLength, dequantise, gemm, matMul, multiply, transpose } from "../graph/operators.ts";
import { columns, join } from "../graph/packed-operators.ts";

/** How the weights of a model stand in its graphs. */
export interface WeightLayout {
  readonly config: ModelConfig;
  /** The adapter that trains beside frozen weights; null where all weights train. */
  readonly lora: Lora | null;
  /** Frozen matrices are int8 blocks of 32 with a scale each, instead of float32. */
  readonly blocks: boolean;
  /** Logits are computed where they are needed, in slices of rows, and micro-batches are planned by memory. */
  readonly sliced: boolean;
}

/** Vocabularies up to this size are computed whole: their logits are no larger than other activations. */
const largestWholeVocabulary = 4096;

/** All weights as float32, and all of them train. */
export function plainLayout(config: ModelConfig): WeightLayout {
  return { config, lora: null, blocks: false, sliced: config.vocabSize > largestWholeVocabulary };
}

/** An adapter trains beside frozen weights. */
export function adapterLayout(config: ModelConfig, lora: Lora, blocks = false): WeightLayout {
  return { config, lora, blocks, sliced: true };
}

/** What trains: the adapter, or every weight. */
export function trainableSpecs({ config, lora }: WeightLayout): ParameterSpec[] {
  return lora === null ? parameterSpecs(config) : adapterSpecs(config, lora);
}

/** Whether this weight stands as int8 blocks. Vectors, and matrices whose rows are no whole blocks, stay float32. */
export function inBlocks({ blocks }: WeightLayout, { shape }: ParameterSpec): boolean {
  return blocks && shape.length === 2 && shape[1] % blockLength === 0;
}

/** Names of the two inputs that hold a weight in blocks. */
export const blockNames = (name: string): { readonly values: string; readonly scales: string } => ({
  values: `${name}:blocks`,
  scales: `${name}:scales`,
});

/**
 * The weights inside of a graph, under their Hugging Face names and in Hugging Face layout. A matrix in blocks becomes float32
 * when it is first asked for, so that a graph makes only what it uses.
 */
export class Parameters {
  readonly #values = new Map<string, Value>();
  readonly #blocks = new Map<string, readonly [Value, Value]>();

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  setBlocks(name: string, blocks: readonly [Value, Value]): void {
    this.#blocks.set(name, blocks);
  }

  get(name: string): Value | undefined {
    const blocks = this.#blocks.get(name);
    if (blocks !== undefined && !this.#values.has(name)) this.#values.set(name, dequantise(...blocks));
    return this.#values.get(name);
  }

  blocksOf(name: string): readonly [Value, Value] | undefined {
    return this.#blocks.get(name);
  }
}

/** Declares every weight and adapter as inputs, or those whose names begin with `prefix`. */
export function declareParameters(graph: Graph, layout: WeightLayout, prefix = ""): Parameters {
  const parameters = new Parameters();
  for (const spec of parameterSpecs(layout.config)) {
    if (spec.name.startsWith(prefix)) declareWeight(graph, layout, spec, parameters);
  }
  for (const { name, shape } of layout.lora === null ? [] : adapterSpecs(layout.config, layout.lora)) {
    if (name.startsWith(prefix)) parameters.set(name, graph.input(name, shape));
  }
  return parameters;
}

export function declareWeight(graph: Graph, layout: WeightLayout, spec: ParameterSpec, into: Parameters): void {
  const { name, shape } = spec;
  if (inBlocks(layout, spec)) into.setBlocks(name, declareBlocks(graph, spec));
  else into.set(name, graph.input(name, shape));
}

/** A matrix of which some rows are given, under its name or those of its blocks: float32 [rows, columns]. */
export function declareRows(graph: Graph, layout: WeightLayout, name: string, rows: string): Value {
  const spec = parameterSpecs(layout.config).find((known) => known.name === name);
  if (spec === undefined) throw new Error(`The model has no weight ${name}.`);
  const columns = spec.shape[1];
  if (!inBlocks(layout, spec)) return graph.input(name, [rows, columns]);
  const { values, scales } = blockNames(name);
  return dequantise(graph.input(values, [rows, columns], "int8"), graph.input(scales, [rows, columns / blockLength]));
}

/** The inputs of a weight in blocks: int8 values [rows, columns] and float32 scales [rows, columns / 32]. */
function declareBlocks(graph: Graph, { name, shape }: ParameterSpec): [Value, Value] {
  const { values, scales } = blockNames(name);
  return [graph.input(values, shape, "int8"), graph.input(scales, [shape[0], shape[1] / blockLength])];
}

export function parameter(parameters: Parameters, name: string): Value {
  const value = parameters.get(name);
  if (value === undefined) throw new Error(`The model has no parameter ${name}.`);
  return value;
}

/**
 * Rows of the embedding by int64 tokens, recorded in the graph of the tokens. Of a matrix in blocks only these rows are made
 * float32.
 */
export function embed(parameters: Parameters, tokens: Value): Value {
  const name = "model.embed_tokens.weight";
  const blocks = parameters.blocksOf(name);
  if (blocks === undefined) return gatherInto(tokens, parameter(parameters, name));
  return dequantise(gatherInto(tokens, blocks[0]), gatherInto(tokens, blocks[1]));
}

/** x·Wᵀ + b along the last axis of x, with `name.weight` [out, in] and, where the model has it, `name.bias` [out]. */
export type Linear = (x: Value, name: string) => Value;

/** Layers with one input, whose adapters' products with it are made as one. */
const oneInput: readonly (readonly string[])[] = [
  ["q_proj", "k_proj", "v_proj"],
  ["gate_proj", "up_proj"],
];

/** Linear layers of matrices [rows, in], which can be differentiated; `onLow` sees what the adapters' A made of their input. */
export function matrixLinear(
  parameters: Parameters,
  lora: Lora | null,
  onLow: (low: Value) => void = () => undefined,
): Linear {
  const lows = new Map<string, Value>();
  /** What its A makes of x, for every adapter that has this input. */
  const makeLows = (x: Value, name: string, { alpha, rank }: Lora): void => {
    const block = name.slice(0, name.lastIndexOf(".") + 1);
    const own = name.slice(block.length);
    const group = (oneInput.find((names) => names.includes(own)) ?? [own]).map((member) => block + member);
    const members = group.flatMap((member) => {
      const adapter = adapterOf(parameters, member);
      return adapter === null ? [] : [{ member, a: adapter.a }];
    });
    const sizes = x.graph.integers(members.map(() => rank));
    const a = join(
      members.map((member) => member.a),
      0,
      sizes,
    );
    const all = multiply(gemm(x, a, { transposeB: true }), x.graph.scalar(alpha / rank));
    onLow(all);
    for (const [i, { member }] of members.entries()) lows.set(member, columns(all, i * rank, (i + 1) * rank));
  };
  return (x, name) => {
    const bias = parameters.get(`${name}.bias`) ?? null;
    const y = gemm(x, parameter(parameters, `${name}.weight`), { bias, transposeB: true });
    const adapter = adapterOf(parameters, name);
    if (adapter === null || lora === null) return y;
    if (!lows.has(name)) makeLows(x, name, lora);
    // Not as the product's bias: the runtime would copy y first, on one thread, which takes three times as long as this sum.
    return add(y, gemm(lows.get(name)!, adapter.b, { transposeB: true }));
  };
}

/**
 * Linear layers of any number of axes and any sizes, made from `product`, which applies the matrix of a weight's name. Adapters are
 * turned once for each run of the graph, outside its loops.
 */
export function generationLinear(
  parameters: Parameters,
  lora: Lora | null,
  product: (x: Value, weight: string) => Value,
): Linear {
  const turn = turnOnce();
  return (x, name) => {
    const bias = parameters.get(`${name}.bias`);
    const y = product(x, `${name}.weight`);
    const biased = bias === undefined ? y : add(y, bias);
    const adapter = adapterOf(parameters, name);
    if (adapter === null || lora === null) return biased;
    const low = multiply(matMul(x, turn(adapter.a)), x.graph.scalar(lora.alpha / lora.rank));
    return add(biased, matMul(low, turn(adapter.b)));
  };
}

/** The product with a matrix that is a value of the graph; it is turned once for each run, outside of the loops. */
export function turnedProduct(parameters: Parameters): (x: Value, weight: string) => Value {
  const turn = turnOnce();
  return (x, weight) => matMul(x, turn(parameter(parameters, weight)));
}

function turnOnce(): (matrix: Value) => Value {
  const turned = new Map<Value, Value>();
  return (matrix) => {
    const known = turned.get(matrix) ?? transpose(matrix, [1, 0]);
    turned.set(matrix, known);
    return known;
  };
}

function adapterOf(parameters: Parameters, module: string): { readonly a: Value; readonly b: Value } | null {
  const names = adapterNames(module);
  const [a, b] = [parameters.get(names.a), parameters.get(names.b)];
  return a === undefined || b === undefined ? null : { a, b };
}
