// The layer of a decoder-only transformer (Llama, Qwen2, Qwen3), the same for training and generation. How a matrix is
// applied, how heads are told apart and what is attended to are handed in: they depend on whether sizes are known and on
// where keys and values are kept (whole-sequences.ts, generate/generation-parts.ts).

import type { ModelConfig } from "../../../model/model-config.ts";
import type { Value } from "../graph/graph.ts";
import { add, multiply, rmsNorm, sigmoid } from "../graph/operators.ts";
import { type Linear, type Parameters, parameter } from "./linear.ts";

/** What a layer is made of. Names are those of Hugging Face, without `.weight`. */
export interface LayerParts {
  readonly linear: Linear;
  readonly norm: Norm;
  readonly heads: SplitHeads;
  /** silu(gate) ∘ up; where none is given, of the plain operators. */
  readonly gated?: (gate: Value, up: Value) => Value;
}

/** Root-mean-square normalisation over the last axis. */
export type Norm = (x: Value, name: string) => Value;

/**
 * Queries or keys, each head's part of the last axis normalised by `normHead` (null where the family does not) and then
 * rotated by where it stands in the sequence.
 */
export type SplitHeads = (x: Value, heads: number, normHead: ((x: Value) => Value) | null) => Value;

/**
 * Attention of rotated queries (heads · headSize along the last axis) to rotated keys and to values (keyValueHeads ·
 * headSize). Gives the mixed values, as wide as the queries.
 */
export type Attend = (queries: Value, keys: Value, values: Value) => Value;

export function rmsNormOf(config: ModelConfig, parameters: Parameters): Norm {
  return (x, name) => rmsNorm(x, parameter(parameters, `${name}.weight`), config.normEps);
}

/** One layer, from hidden states to hidden states of the same shape. */
export function decoderLayer(
  config: ModelConfig,
  { linear, norm, heads, gated = siluTimes }: LayerParts,
  layer: number,
  hidden: Value,
  attend: Attend,
): Value {
  const prefix = `model.layers.${layer}`;
  const normed = norm(hidden, `${prefix}.input_layernorm`);
  const rotated = (name: "q" | "k", count: number): Value => {
    const normHead = (x: Value): Value => norm(x, `${prefix}.self_attn.${name}_norm`);
    const projected = linear(normed, `${prefix}.self_attn.${name}_proj`);
    return heads(projected, count, config.queryKeyNorm ? normHead : null);
  };
  const queries = rotated("q", config.heads);
  const keys = rotated("k", config.keyValueHeads);
  const values = linear(normed, `${prefix}.self_attn.v_proj`);
  const attended = add(hidden, linear(attend(queries, keys, values), `${prefix}.self_attn.o_proj`));
  const fed = feedForward({ linear, gated }, `${prefix}.mlp`, norm(attended, `${prefix}.post_attention_layernorm`));
  return add(attended, fed);
}

/** SwiGLU (Shazeer 2020): down(silu(gate(x)) ∘ up(x)). */
function feedForward(
  { linear, gated }: Required<Pick<LayerParts, "linear" | "gated">>,
  prefix: string,
  x: Value,
): Value {
  const gate = linear(x, `${prefix}.gate_proj`);
  const up = linear(x, `${prefix}.up_proj`);
  return linear(gated(gate, up), `${prefix}.down_proj`);
}

function siluTimes(gate: Value, up: Value): Value {
  return multiply(multiply(gate, sigmoid(gate)), up);
}

/** Logits [rows, vocabulary] of the hidden states [rows, hiddenSize] that the last layer gave. */
export function outputLogits(config: ModelConfig, { linear, norm }: LayerParts, hidden: Value): Value {
  return linear(norm(hidden, "model.norm"), config.tiedEmbeddings ? "model.embed_tokens" : "lm_head");
}
