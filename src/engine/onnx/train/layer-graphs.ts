// Graphs of one layer, which stand for all of them: each layer's weights are handed in under the names of layer 0. Between layers
// nothing is in memory but hidden states; the backward graph computes its layer once more.

import { adapterSpecs } from "../../../model/lora.ts";
import { gradientsFrom } from "../graph/gradients.ts";
import { Graph, type Value } from "../graph/graph.ts";
import { prune } from "../graph/prune.ts";
import { decoderLayer, rmsNormOf } from "../transformer/decoder-layer.ts";
import {
  declareParameters,
  matrixLinear,
  type Parameters,
  parameter,
  type WeightLayout,
} from "../transformer/linear.ts";
import { declarePackedRows, packedAttention, packedHeads } from "../transformer/packed-attention.ts";
import { gradientName, newGradientName } from "./training-graph.ts";

/** What the names of a layer's weights begin with. */
export const layerPrefix = (layer: number): string => `model.layers.${layer}.`;

interface Layer {
  readonly graph: Graph;
  readonly parameters: Parameters;
  readonly hidden: Value;
  readonly result: Value;
}

function buildLayer(layout: WeightLayout, levels: number): Layer {
  const { config, lora } = layout;
  const graph = Graph.create();
  const parameters = declareParameters(graph, layout, layerPrefix(0));
  const packed = declarePackedRows(graph, config, levels);
  const hidden = graph.input("hidden", ["rows", config.hiddenSize]);
  const parts = {
    linear: matrixLinear(parameters, lora),
    norm: rmsNormOf(config, parameters),
    heads: packedHeads(config, packed),
  };
  const result = decoderLayer(config, parts, 0, hidden, packedAttention(config, packed));
  return { graph, parameters, hidden, result };
}

/** `hidden` [rows, hiddenSize], a layer's weights and the inputs of `declarePackedRows` → `next_hidden`. */
export function layerForwardGraph(layout: WeightLayout, levels: number): Graph {
  const { graph, result } = buildLayer(layout, levels);
  graph.output("next_hidden", result);
  return graph;
}

/**
 * Further inputs: `next_gradient` [rows, hiddenSize], the gradient of the layer's result, and the gradients so far of the layer's
 * adapter, under `gradientName`. Outputs: `gradient`, that of `hidden`, and under `newGradientName` those of the adapter
 * with this micro-batch's added.
 */
export function layerBackwardGraph(layout: WeightLayout, levels: number): Graph {
  const { config } = layout;
  const { graph, parameters, hidden, result } = buildLayer(layout, levels);
  const seed = graph.input("next_gradient", ["rows", config.hiddenSize]);
  const specs = layerAdapter(layout);
  const [gradient, ...adapter] = gradientsFrom(graph, new Map([[result, seed]]), [
    hidden,
    ...specs.map(({ name }) => parameter(parameters, name)),
  ]);
  graph.output("gradient", gradient!);
  for (const [i, { name, shape }] of specs.entries()) {
    const so = graph.input(gradientName(name), shape);
    graph.output(newGradientName(name), graph.emit("Add", [adapter[i]!, so], [{ shape }])[0]);
  }
  prune(graph);
  return graph;
}

/** The adapter of layer 0. */
function layerAdapter({ config, lora }: WeightLayout) {
  return lora === null ? [] : adapterSpecs(config, lora).filter(({ name }) => name.startsWith(layerPrefix(0)));
}
