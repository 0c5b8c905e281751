// The graph that computes the keys and values of prompts, which generation then continues from (decode-graph.ts).

import type { ModelConfig } from "../../../../model/model-config.ts";
import { causalAttention } from "../../graph/decode-operators.ts";
import { Graph } from "../../graph/graph.ts";
import { decoderLayer } from "../../transformer/decoder-layer.ts";
import type { WeightLayout } from "../../transformer/linear.ts";
import { generationParts, generationWeights } from "./generation-parts.ts";

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
export function buildPrefillGraph(layout: WeightLayout): Graph {
  const { config } = layout;
  const graph = Graph.create();
  const tokens = graph.input("tokens", ["prompts", "time"], "int64");
  const weights = generationWeights(graph, layout);
  const parts = generationParts(weights, graph.integers([0]));
  const lengths = {
    lastPositions: graph.input("last_positions", ["prompts"], "int32"),
    total: graph.input("total", [1], "int32"),
  };
  let hidden = weights.embed(tokens);
  for (let layer = 0; layer < config.layers; layer++) {
    hidden = decoderLayer(config, parts, layer, hidden, (query, key, value) => {
      const { context, keys, values } = causalAttention(query, key, value, config, lengths);
      graph.output(`prefix_keys_${layer}`, keys);
      graph.output(`prefix_values_${layer}`, values);
      return context;
    });
  }
  return graph;
}
