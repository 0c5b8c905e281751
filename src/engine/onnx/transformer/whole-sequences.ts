// The forward pass of a decoder-only transformer (Llama, Qwen2, Qwen3) over whole sequences, as a graph that can be
// differentiated. Generation token by token is built elsewhere (decode-graph.ts).

import { type ModelConfig, parameterSpecs, rotaryTables } from "../../../model/model-config.ts";
import type { Graph, Value } from "../graph/graph.ts";
import {
  add,
  gatherRows,
  gemm,
  matMul,
  multiply,
  reshape,
  rmsNorm,
  rotary,
  sigmoid,
  softmax,
  transpose,
} from "../graph/operators.ts";

/** The weights as inputs of the graph, under their Hugging Face names. */
export type Parameters = ReadonlyMap<string, Value>;

export function declareParameters(graph: Graph, config: ModelConfig): Parameters {
  return new Map(parameterSpecs(config).map(({ name, shape }) => [name, graph.input(name, shape)]));
}

/**
 * Logits [batch · time, vocabulary] of int64 `tokens` [batch · time], rows one after another. Rows are padded on the
 * right: attention is causal, so padding never reaches the tokens before it.
 */
export function transformerLogits(
  config: ModelConfig,
  parameters: Parameters,
  tokens: Value,
  batch: number,
  time: number,
): Value {
  const { graph } = tokens;
  const context = { config, parameters, batch, time, ...attentionConstants(graph, config, time) };
  let hidden = gatherRows(parameter(parameters, "model.embed_tokens.weight"), tokens);
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}`;
    hidden = add(
      hidden,
      attention(context, `${prefix}.self_attn`, normalise(context, `${prefix}.input_layernorm`, hidden)),
    );
    hidden = add(
      hidden,
      feedForward(context, `${prefix}.mlp`, normalise(context, `${prefix}.post_attention_layernorm`, hidden)),
    );
  }
  const head = config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  return gemm(normalise(context, "model.norm", hidden), parameter(parameters, head), { transposeB: true });
}

interface Context {
  readonly config: ModelConfig;
  readonly parameters: Parameters;
  readonly batch: number;
  readonly time: number;
  readonly cosines: Value;
  readonly sines: Value;
  readonly firstPosition: Value;
  readonly causalMask: Value;
}

function attentionConstants(graph: Graph, config: ModelConfig, time: number) {
  const { cosines, sines } = rotaryTables(config, time);
  const mask = new Float32Array(time * time);
  for (let query = 0; query < time; query++) mask.fill(-1e9, query * time + query + 1, (query + 1) * time);
  return {
    cosines: graph.constant(cosines, [time, config.headSize / 2]),
    sines: graph.constant(sines, [time, config.headSize / 2]),
    firstPosition: graph.integers([0]),
    causalMask: graph.constant(mask, [time, time]),
  };
}

/** Causal self-attention with grouped queries: [batch · time, hidden] → [batch · time, hidden]. */
function attention(context: Context, prefix: string, x: Value): Value {
  const { config, batch, time, causalMask } = context;
  const { heads, keyValueHeads, headSize } = config;
  const queriesPerGroup = heads / keyValueHeads;

  const scale = x.graph.scalar(headSize ** -0.5);
  const queries = multiply(rotated(context, `${prefix}.q`, x, heads), scale);
  const keys = rotated(context, `${prefix}.k`, x, keyValueHeads);
  const values = linear(context, `${prefix}.v_proj`, x);

  // Query heads that share keys are stacked along time, so that one product serves the whole group.
  const byHead = transpose(reshape(queries, [batch, time, heads, headSize]), [0, 2, 1, 3]);
  const grouped = reshape(byHead, [batch, keyValueHeads, queriesPerGroup * time, headSize]);
  const keysTransposed = transpose(reshape(keys, [batch, time, keyValueHeads, headSize]), [0, 2, 3, 1]);
  const valuesByHead = transpose(reshape(values, [batch, time, keyValueHeads, headSize]), [0, 2, 1, 3]);

  const scores = reshape(matMul(grouped, keysTransposed), [batch, heads, time, time]);
  const probabilities = softmax(add(scores, causalMask));
  const stacked = reshape(probabilities, [batch, keyValueHeads, queriesPerGroup * time, time]);
  const mixed = reshape(matMul(stacked, valuesByHead), [batch, heads, time, headSize]);
  const joined = reshape(transpose(mixed, [0, 2, 1, 3]), [batch * time, heads * headSize]);
  return linear(context, `${prefix}.o_proj`, joined);
}

/** Queries or keys, normalised per head where the family does so, and rotated: [batch, time, heads · headSize]. */
function rotated(context: Context, prefix: string, x: Value, heads: number): Value {
  const { config, batch, time } = context;
  let projected = linear(context, `${prefix}_proj`, x);
  if (config.queryKeyNorm) {
    const perHead = reshape(projected, [batch * time * heads, config.headSize]);
    projected = normalise(context, `${prefix}_norm`, perHead);
  }
  const sequence = reshape(projected, [batch, time, heads * config.headSize]);
  return rotary(sequence, context.firstPosition, context.cosines, context.sines);
}

/** SwiGLU: down(silu(gate(x)) ∘ up(x)). */
function feedForward(context: Context, prefix: string, x: Value): Value {
  const gate = linear(context, `${prefix}.gate_proj`, x);
  const up = linear(context, `${prefix}.up_proj`, x);
  return linear(context, `${prefix}.down_proj`, multiply(multiply(gate, sigmoid(gate)), up));
}

function linear({ parameters }: Context, name: string, x: Value): Value {
  const bias = parameters.get(`${name}.bias`) ?? null;
  return gemm(x, parameter(parameters, `${name}.weight`), { bias, transposeB: true });
}

function normalise({ config, parameters }: Context, name: string, x: Value): Value {
  return rmsNorm(x, parameter(parameters, `${name}.weight`), config.normEps);
}

function parameter(parameters: Parameters, name: string): Value {
  const value = parameters.get(name);
  if (value === undefined) throw new Error(`The model has no parameter ${name}.`);
  return value;
}
