// The forward pass of a decoder-only transformer over whole sequences, as a graph that can be differentiated: sizes are
// known when it is built. Generation token by token is built elsewhere (generate/decode-graph.ts).

import { type ModelConfig, rotaryTables } from "../../../model/model-config.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { add, matMul, multiply, reshape, rotary, softmax, transpose } from "../graph/operators.ts";
import {
  type Attend,
  decoderLayer,
  type LayerParts,
  outputLogits,
  rmsNormOf,
  type SplitHeads,
} from "./decoder-layer.ts";
import { embed, type Linear, matrixLinear, type Parameters, type WeightLayout } from "./linear.ts";

/** Sizes of a padded batch of sequences, which stand one after another in the rows of a matrix. */
export interface Sizes {
  readonly batch: number;
  readonly time: number;
}

/**
 * Logits [batch · time, vocabulary] of int64 `tokens` [batch · time], rows one after another. Rows are padded on the
 * right: attention is causal, so padding never reaches the tokens before it. `linear` may apply matrices in another way.
 */
export function transformerLogits(
  layout: WeightLayout,
  parameters: Parameters,
  tokens: Value,
  batch: number,
  time: number,
  linear: Linear = matrixLinear(parameters, layout.lora),
): Value {
  const parts = wholeParts(layout, parameters, tokens.graph, { batch, time }, linear);
  return outputLogits(layout.config, parts, throughLayers(layout.config, parts, parameters, tokens, { batch, time }));
}

/** Hidden states [batch · time, hiddenSize] behind the last layer, before its norm and the head. */
export function lastHidden(
  layout: WeightLayout,
  parameters: Parameters,
  tokens: Value,
  sizes: Sizes,
  linear: Linear = matrixLinear(parameters, layout.lora),
): Value {
  const parts = wholeParts(layout, parameters, tokens.graph, sizes, linear);
  return throughLayers(layout.config, parts, parameters, tokens, sizes);
}

function throughLayers(
  config: ModelConfig,
  parts: LayerParts,
  parameters: Parameters,
  tokens: Value,
  sizes: Sizes,
): Value {
  const attend = causalAttention(tokens.graph, config, sizes);
  let hidden = embed(parameters, tokens);
  for (let layer = 0; layer < config.layers; layer++) hidden = decoderLayer(config, parts, layer, hidden, attend);
  return hidden;
}

function wholeParts(
  { config }: WeightLayout,
  parameters: Parameters,
  graph: Graph,
  sizes: Sizes,
  linear: Linear,
): LayerParts {
  return {
    linear,
    norm: rmsNormOf(config, parameters),
    heads: splitHeads(graph, config, sizes),
  };
}

/** [batch · time, heads · headSize] → [batch, time, heads · headSize], normalised per head and rotated. */
function splitHeads(graph: Graph, config: ModelConfig, { batch, time }: Sizes): SplitHeads {
  const { headSize } = config;
  const tables = rotaryTables(config, time);
  const cosines = graph.constant(tables.cosines, [time, headSize / 2]);
  const sines = graph.constant(tables.sines, [time, headSize / 2]);
  return (x, heads, normHead) => {
    const normed = normHead === null ? x : normHead(reshape(x, [batch * time * heads, headSize]));
    return rotary(reshape(normed, [batch, time, heads * headSize]), graph.integers([0]), cosines, sines);
  };
}

/** Causal self-attention with grouped queries: [batch, time, width] → [batch · time, heads · headSize]. */
function causalAttention(graph: Graph, config: ModelConfig, { batch, time }: Sizes): Attend {
  const { heads, keyValueHeads, headSize } = config;
  const queriesPerGroup = heads / keyValueHeads;
  const mask = new Float32Array(time * time);
  for (let query = 0; query < time; query++) mask.fill(-1e9, query * time + query + 1, (query + 1) * time);
  const causalMask = graph.constant(mask, [time, time]);
  return (rotatedQueries, keys, values) => {
    const queries = multiply(rotatedQueries, graph.scalar(headSize ** -0.5));
    // Query heads that share keys are stacked along time, so that one product serves the whole group.
    const byHead = transpose(reshape(queries, [batch, time, heads, headSize]), [0, 2, 1, 3]);
    const grouped = reshape(byHead, [batch, keyValueHeads, queriesPerGroup * time, headSize]);
    const keysTransposed = transpose(reshape(keys, [batch, time, keyValueHeads, headSize]), [0, 2, 3, 1]);
    const valuesByHead = transpose(reshape(values, [batch, time, keyValueHeads, headSize]), [0, 2, 1, 3]);

    const scores = reshape(matMul(grouped, keysTransposed), [batch, heads, time, time]);
    const probabilities = softmax(add(scores, causalMask));
    const stacked = reshape(probabilities, [batch, keyValueHeads, queriesPerGroup * time, time]);
    const mixed = reshape(matMul(stacked, valuesByHead), [batch, heads, time, headSize]);
    return reshape(transpose(mixed, [0, 2, 1, 3]), [batch * time, heads * headSize]);
  };
}
