// The graph that computes the keys and values of prompts, which generation then continues from (decode-graph.ts).

import type { ModelConfig } from "../../../model/model-config.ts";
import { causalAttention, gatherInto } from "../graph/decode-operators.ts";
import { Graph } from "../graph/graph.ts";
import { type Attend, generationBlock, rotaryInputs, weightInputs } from "./generation-block.ts";

/** Names of the keys and values of each layer's prompts, outputs of one graph and inputs of the other. */
export function prefixNames(config: ModelConfig): string[] {
  return Array.from({ length: config.layers }, (_, layer) => [`prefix_keys_${layer}`, `prefix_values_${layer}`]).flat();
}

/**
 * Inputs: the weights; `tokens` int64 [prompts, time] (prompts padded on the right with any token), `last_positions`
 * int32 [prompts], all time − 1; `total` int32 [1], time; `cosines` and `sines` [positions, headSize / 2].
 * Outputs: `prefix_keys_n`, `prefix_values_n` [prompts, keyValueHeads, time, headSize] of each layer, keys rotated.
 * Attention is causal, so what stands in the padding does not reach the positions before it.
 */
export function buildPrefillGraph(config: ModelConfig): Graph {
  const graph = Graph.create();
  const weights = weightInputs(graph, config);
  const tokens = graph.input("tokens", ["prompts", "time"], "int64");
  const rotation = { ...rotaryInputs(graph, config), positions: graph.integers([0]) };
  const lengths = {
    lastPositions: graph.input("last_positions", ["prompts"], "int32"),
    total: graph.input("total", [1], "int32"),
  };
  const attend: Attend = (query, key, value) => causalAttention(query, key, value, config, lengths);
  let hidden = gatherInto(tokens, weights.plain("model.embed_tokens.weight"));
  for (let layer = 0; layer < config.layers; layer++) {
    const block = generationBlock(config, weights, layer, hidden, rotation, attend);
    graph.output(`prefix_keys_${layer}`, block.keys);
    graph.output(`prefix_values_${layer}`, block.values);
    hidden = block.hidden;
  }
  return graph;
}
