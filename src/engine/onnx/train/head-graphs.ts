// Norm and head for chosen rows, a slice of the vocabulary at a time, so that neither logits nor a float32 head are ever whole in
// memory. A pass over the vocabulary keeps for each row the largest logit so far, the sum of exponentials below it and the mean
// of the head's rows weighted by them: log Σ exp, and with the gradient of log p(token) = head[token] − mean, all that training
// needs. (Online softmax: Milakov & Gimelshein 2018, arXiv 1805.02867.)
import type { ModelConfig } from "../../../model/model-config.ts";
import { gradientsFrom } from "../graph/gradients.ts";
import { Graph } from "../graph/graph.ts";
import {
  add,
  exponential,
  gemm,
  maximum,
  multiply,
  reduceMax,
  reduceSum,
  rmsNorm,
  subtract,
} from "../graph/operators.ts";
import { prune } from "../graph/prune.ts";
import { declareRows, type WeightLayout } from "../transformer/linear.ts";

export const headName = ({ tiedEmbeddings }: ModelConfig): string =>
  tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
export const lastNorm = "model.norm.weight";

/** `hidden` [picks, hiddenSize] and the norm's weight → `normed`; with `next_gradient`, that of `normed`, → `gradient`. */
export function normGraph({ hiddenSize, normEps }: ModelConfig, backward: boolean): Graph {
  const graph = Graph.create();
  const hidden = graph.input("hidden", ["picks", hiddenSize]);
  const normed = rmsNorm(hidden, graph.input(lastNorm, [hiddenSize]), normEps);
  if (!backward) {
    graph.output("normed", normed);
    return graph;
  }
  const seed = graph.input("next_gradient", ["picks", hiddenSize]);
  graph.output("gradient", gradientsFrom(graph, new Map([[normed, seed]]), [hidden])[0]!);
  prune(graph);
  return graph;
}

/**
 * One slice of the vocabulary. Inputs: `normed` [picks, hiddenSize], rows of the head under its name (or those of its blocks), and of
 * the slices before `largest`, `sum` [picks, 1] and with `means` `mean` [picks, hiddenSize], not yet divided by the
 * sum. Outputs: the same with this slice, under `next_…`.
 */
export function vocabularySliceGraph(layout: WeightLayout, means: boolean): Graph {
  const { hiddenSize } = layout.config;
  const graph = Graph.create();
  const normed = graph.input("normed", ["picks", hiddenSize]);
  const head = declareRows(graph, layout, headName(layout.config), "slice");
  const before = graph.input("largest", ["picks", 1]);
  const logits = gemm(normed, head, { transposeB: true });
  const largest = maximum(before, reduceMax(logits, [1], true));
  const exponentials = exponential(subtract(logits, largest));
  const shrink = exponential(subtract(before, largest));
  const sum = multiply(graph.input("sum", ["picks", 1]), shrink);
  graph.output("next_largest", largest);
  graph.output("next_sum", add(sum, reduceSum(exponentials, [1], true)));
  if (means) {
    const mean = multiply(graph.input("mean", ["picks", hiddenSize]), shrink);
    graph.output("next_mean", add(mean, gemm(exponentials, head)));
  }
  return graph;
}
