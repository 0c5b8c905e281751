// Graphs of one layer, which stand for all of them: each layer's weights are handed in under the names of layer 0. The backward graph
// begins from the layer's input and, where there is memory for it, from what the forward graph kept; the rest it computes again.
import { adapterSpecs } from "../../../model/lora.ts";
import type { ParameterSpec } from "../../../model/model-config.ts";
import { gradientsFrom } from "../graph/gradients.ts";
import { Graph, type Value } from "../graph/graph.ts";
import { add, gatedSilu } from "../graph/operators.ts";
import { takeAsInputs } from "../graph/prune.ts";
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

/** A value of the forward pass that the backward pass takes over, and its size for each row. */
export interface KeptValue {
  readonly name: string;
  readonly width: number;
}

interface Layer {
  readonly graph: Graph;
  readonly parameters: Parameters;
  readonly hidden: Value;
  readonly result: Value;
  /**
   * Results of matrix products that the backward pass reads: with them it has none of the forward pass to repeat but the scores of
   * attention. All are [rows, width].
   */
  readonly kept: readonly Value[];
}

function buildLayer(layout: WeightLayout, levels: number): Layer {
  const { config, lora } = layout;
  const graph = Graph.create();
  const parameters = declareParameters(graph, layout, layerPrefix(0));
  const packed = declarePackedRows(graph, config, levels);
  const hidden = graph.input("hidden", ["rows", config.hiddenSize]);
  const kept: Value[] = [];
  const keep = (value: Value): Value => {
    kept.push(value);
    return value;
  };
  const linear = matrixLinear(parameters, lora, keep);
  const attend = packedAttention(config, packed);
  const parts = {
    linear: (x: Value, name: string): Value => (name.endsWith("down_proj") ? linear(x, name) : keep(linear(x, name))),
    norm: rmsNormOf(config, parameters),
    heads: packedHeads(config, packed),
    gated: gatedSilu,
  };
  const result = decoderLayer(config, parts, 0, hidden, (...inputs) => keep(attend(...inputs)));
  return { graph, parameters, hidden, result, kept };
}

/** What the graphs with `keep` hand over, in both of them under these names. */
export function keptValues(layout: WeightLayout, levels: number): KeptValue[] {
  return buildLayer(layout, levels).kept.map(({ name, shape }) => ({ name, width: Number(shape[1]) }));
}

/**
 * `hidden` [rows, hiddenSize], a layer's weights and the inputs of `declarePackedRows` → `next_hidden`, and with `keep` the values of
 * `keptValues`.
 */
export function layerForwardGraph(layout: WeightLayout, levels: number, keep: boolean): Graph {
  const { graph, result, kept } = buildLayer(layout, levels);
  graph.output("next_hidden", result);
  if (keep) for (const value of kept) graph.output(value.name, value);
  return graph;
}

/**
 * Further inputs: `next_gradient` [rows, hiddenSize], the gradient of the layer's result, with `keep` the values of `keptValues`, and
 * the gradients so far of the layer's adapter, under `gradientName`. Outputs: `gradient`, that of `hidden`, and under
 * `newGradientName` those of the adapter with this micro-batch's added.
 */
export function layerBackwardGraph(layout: WeightLayout, levels: number, keep: boolean): Graph {
  const { config } = layout;
  const { graph, parameters, hidden, result, kept } = buildLayer(layout, levels);
  const seed = graph.input("next_gradient", ["rows", config.hiddenSize]);
  const specs = layerAdapter(layout);
  const [gradient, ...adapter] = gradientsFrom(graph, new Map([[result, seed]]), [
    hidden,
    ...specs.map(({ name }) => parameter(parameters, name)),
  ]);
  graph.output("gradient", gradient!);
  for (const [i, { name, shape }] of specs.entries()) {
    graph.output(newGradientName(name), add(adapter[i]!, graph.input(gradientName(name), shape)));
  }
  takeAsInputs(graph, keep ? kept : []);
  return graph;
}

/** The adapter of layer 0. */
function layerAdapter({ config, lora }: WeightLayout): ParameterSpec[] {
  return lora === null ? [] : adapterSpecs(config, lora).filter(({ name }) => name.startsWith(layerPrefix(0)));
}
