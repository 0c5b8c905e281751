// One layer of the transformer as generation needs it, on hidden [rows, time, hiddenSize] of any size: the attention in
// the middle is given by the caller, who keeps keys and values. The layer that training differentiates is in
// transformer.ts; it works on fixed sizes.

import { type ModelConfig, parameterSpecs } from "../../../model/model-config.ts";
import { reshapeLike } from "../graph/decode-operators.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { add, matMul, multiply, rmsNorm, rotary, sigmoid, transpose } from "../graph/operators.ts";

/** Weights by Hugging Face name; `transposed` gives a matrix as [in, out], turned once for each run of the graph. */
export interface Weights {
  plain(name: string): Value;
  transposed(name: string): Value;
}

export function weightInputs(graph: Graph, config: ModelConfig): Weights {
  const inputs = new Map(parameterSpecs(config).map(({ name, shape }) => [name, graph.input(name, shape)]));
  const turned = new Map<string, Value>();
  const plain = (name: string): Value => {
    const input = inputs.get(name);
    if (input === undefined) throw new Error(`The model has no weight named ${name}.`);
    return input;
  };
  return {
    plain,
    transposed: (name) => {
      const known = turned.get(name) ?? transpose(plain(name), [1, 0]);
      turned.set(name, known);
      return known;
    },
  };
}

/** Rotary tables [positions, headSize / 2], and where each entry stands: int64 [rows, time], or [1] for the first one. */
export interface Rotation {
  readonly cosines: Value;
  readonly sines: Value;
  readonly positions: Value;
}

/** The tables as inputs of the graph. */
export function rotaryInputs(graph: Graph, config: ModelConfig): { cosines: Value; sines: Value } {
  const shape = ["positions", config.headSize / 2];
  return { cosines: graph.input("cosines", shape), sines: graph.input("sines", shape) };
}

/** query [rows, time, heads · headSize], key and value [rows, time, keyValueHeads · headSize], rotated. */
export type Attend = (query: Value, key: Value, value: Value) => { context: Value; keys: Value; values: Value };

export function generationBlock(
  config: ModelConfig,
  weights: Weights,
  layer: number,
  hidden: Value,
  { cosines, sines, positions }: Rotation,
  attend: Attend,
): { hidden: Value; keys: Value; values: Value } {
  const prefix = `model.layers.${layer}`;
  const linear = (x: Value, name: string, bias: boolean): Value => {
    const y = matMul(x, weights.transposed(`${prefix}.${name}.weight`));
    return bias ? add(y, weights.plain(`${prefix}.${name}.bias`)) : y;
  };
  const norm = (x: Value, name: string): Value => rmsNorm(x, weights.plain(`${prefix}.${name}.weight`), config.normEps);
  const perHeadNorm = (x: Value, heads: number, name: string): Value => {
    const [rows, time, width] = x.shape;
    const split = reshapeLike(x, [0, 0, heads, config.headSize], [rows, time, heads, config.headSize]);
    return reshapeLike(norm(split, name), [0, 0, heads * config.headSize], [rows, time, width]);
  };
  const normed = norm(hidden, "input_layernorm");
  const projection = (name: "q" | "k", heads: number): Value => {
    const y = linear(normed, `self_attn.${name}_proj`, config.queryKeyValueBias);
    const scaled = config.queryKeyNorm ? perHeadNorm(y, heads, `self_attn.${name}_norm`) : y;
    return rotary(scaled, positions, cosines, sines);
  };
  const { context, keys, values } = attend(
    projection("q", config.heads),
    projection("k", config.keyValueHeads),
    linear(normed, "self_attn.v_proj", config.queryKeyValueBias),
  );
  const middle = add(hidden, linear(context, "self_attn.o_proj", config.outputBias));
  const inner = norm(middle, "post_attention_layernorm");
  const gate = linear(inner, "mlp.gate_proj", config.feedForwardBias);
  const up = linear(inner, "mlp.up_proj", config.feedForwardBias);
  const activated = multiply(multiply(gate, sigmoid(gate)), up);
  return { hidden: add(middle, linear(activated, "mlp.down_proj", config.feedForwardBias)), keys, values };
}
