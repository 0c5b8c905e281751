// Graphs that the training half of the engine runs: score (logprobs only), forward and backward, and the AdamW update.

import type { ParameterSpec } from "../../../model/model-config.ts";
import type { LossFn } from "../../../types.ts";
import { gradients, gradientsFrom } from "../graph/gradients.ts";
import { Graph, type Value } from "../graph/graph.ts";
import { add, divide, logSoftmax, multiply, pickFromRows, squareRoot, subtract } from "../graph/operators.ts";
import {
  declareParameters,
  type Parameters,
  parameter,
  trainableSpecs,
  type WeightLayout,
} from "../transformer/linear.ts";
import { lastHidden, transformerLogits } from "../transformer/whole-sequences.ts";
import { lossValue } from "./loss-graph.ts";
import { type ChosenRows, chooseRows, slicedLogprobs, slicedLoss } from "./sliced-head.ts";

/** Rows and columns of a padded batch. */
export interface BatchShape {
  readonly batch: number;
  readonly time: number;
}

/** Name of a parameter's gradient: input and output of the training graph, input of the update. */
export const gradientName = (parameter: string): string => `gradient:${parameter}`;
/** Output of the training graph: the input of `gradientName` plus this batch's gradient. */
export const newGradientName = (parameter: string): string => `new:gradient:${parameter}`;

/**
 * Logprobs of targets. Inputs: int64 `tokens` [batch · time], the weights; `targets` int64 [batch · time], or where the layout is
 * sliced those of `chooseRows`. Output: `logprobs`, in the shape of the targets.
 */
export function scoreGraph(layout: WeightLayout, shape: BatchShape): Graph {
  const graph = Graph.create();
  const parameters = declareParameters(graph, layout);
  if (layout.sliced) {
    graph.output("logprobs", slicedLogprobs(chosenRows(graph, layout, parameters, shape)));
    return graph;
  }
  graph.output("logprobs", targetLogprobs(graph, layout, parameters, shape));
  return graph;
}

/**
 * Loss and gradients. Further inputs, in the shape of the targets: `weights`, and as the loss needs them `advantages`,
 * `oldLogprobs`, `referenceLogprobs`; scalars `lowestRatio`, `highestRatio`, `klPenaltyCoef`; and the gradients so far of
 * what trains, under `gradientName`. Outputs: `logprobs`, `loss` and under `newGradientName` the gradients so far plus this
 * batch's: bound to the inputs' own memory they accumulate in place.
 */
export function trainingGraph(layout: WeightLayout, shape: BatchShape, lossFn: LossFn, withKl: boolean): Graph {
  const graph = Graph.create();
  const parameters = declareParameters(graph, layout);
  const trained = trainableSpecs(layout).map(({ name }) => parameter(parameters, name));
  const build = layout.sliced ? slicedGradients : wholeGradients;
  const { loss, logprobs, trainedGradients } = build(graph, layout, parameters, shape, { lossFn, withKl }, trained);
  graph.output("logprobs", logprobs);
  graph.output("loss", loss);
  for (const [index, { name, shape }] of trainableSpecs(layout).entries()) {
    const gradient = trainedGradients[index];
    if (gradient === null) throw new Error(`The loss does not depend on the parameter ${name}.`);
    graph.output(newGradientName(name), add(gradient, graph.input(gradientName(name), shape)));
  }
  return graph;
}

interface Loss {
  readonly lossFn: LossFn;
  readonly withKl: boolean;
}

interface LossAndGradients {
  readonly loss: Value;
  readonly logprobs: Value;
  readonly trainedGradients: readonly (Value | null)[];
}

function wholeGradients(
  graph: Graph,
  layout: WeightLayout,
  parameters: Parameters,
  shape: BatchShape,
  { lossFn, withKl }: Loss,
  trained: readonly Value[],
): LossAndGradients {
  const logprobs = targetLogprobs(graph, layout, parameters, shape);
  const perToken = [shape.batch * shape.time];
  const loss = lossValue(lossFn, withKl, logprobs, {
    weights: graph.input("weights", perToken),
    advantages: declaredOnce(graph, "advantages", perToken),
    oldLogprobs: declaredOnce(graph, "oldLogprobs", perToken),
    referenceLogprobs: declaredOnce(graph, "referenceLogprobs", perToken),
    lowestRatio: declaredOnce(graph, "lowestRatio", []),
    highestRatio: declaredOnce(graph, "highestRatio", []),
    klPenaltyCoef: declaredOnce(graph, "klPenaltyCoef", []),
  });
  return { loss, logprobs, trainedGradients: gradients(graph, loss, trained) };
}

function slicedGradients(
  graph: Graph,
  layout: WeightLayout,
  parameters: Parameters,
  shape: BatchShape,
  { lossFn, withKl }: Loss,
  trained: readonly Value[],
): LossAndGradients {
  const chosen = chosenRows(graph, layout, parameters, shape);
  const head = slicedLoss(chosen, lossFn, withKl, trained.includes(chosen.head));
  const seeds = new Map([[chosen.normed, head.normedGradient]]);
  if (head.headGradient !== null) seeds.set(chosen.head, head.headGradient);
  return { loss: head.loss, logprobs: head.logprobs, trainedGradients: gradientsFrom(graph, seeds, trained) };
}

function chosenRows(graph: Graph, layout: WeightLayout, parameters: Parameters, shape: BatchShape): ChosenRows {
  const tokens = graph.input("tokens", [shape.batch * shape.time], "int64");
  return chooseRows(layout.config, parameters, lastHidden(layout, parameters, tokens, shape));
}

/**
 * One AdamW update (Loshchilov & Hutter 2019) of every parameter. Inputs for each parameter `name`: the weights, the
 * gradient, `m:name` and `v:name`; scalars `learningRate`, `gradientScale`, `beta1`, `beta2`, `eps`, `weightDecay`,
 * `correction1` = 1/(1 − beta1^t) and `correction2` = 1/(1 − beta2^t). Outputs `new:name`, `new:m:name`, `new:v:name`:
 * bound to the inputs' own memory they update it in place. Vectors (norms, biases) are not decayed.
 */
export function adamGraph(specs: readonly ParameterSpec[]): Graph {
  const graph = Graph.create();
  const scalar = (name: string): Value => graph.input(name, []);
  const learningRate = scalar("learningRate");
  const gradientScale = scalar("gradientScale");
  const [beta1, beta2] = [scalar("beta1"), scalar("beta2")];
  const [correction1, correction2] = [scalar("correction1"), scalar("correction2")];
  const eps = scalar("eps");
  const keep = subtract(graph.scalar(1), multiply(learningRate, scalar("weightDecay")));
  const rest1 = subtract(graph.scalar(1), beta1);
  const rest2 = subtract(graph.scalar(1), beta2);
  for (const { name, shape } of specs) {
    const weight = graph.input(name, shape);
    const gradient = multiply(graph.input(gradientName(name), shape), gradientScale);
    const m = add(multiply(graph.input(`m:${name}`, shape), beta1), multiply(gradient, rest1));
    const v = add(multiply(graph.input(`v:${name}`, shape), beta2), multiply(multiply(gradient, gradient), rest2));
    const direction = divide(multiply(m, correction1), add(squareRoot(multiply(v, correction2)), eps));
    const decayed = shape.length > 1 ? multiply(weight, keep) : weight;
    graph.output(`new:${name}`, subtract(decayed, multiply(direction, learningRate)));
    graph.output(`new:m:${name}`, m);
    graph.output(`new:v:${name}`, v);
  }
  return graph;
}

function targetLogprobs(
  graph: Graph,
  layout: WeightLayout,
  parameters: Parameters,
  { batch, time }: BatchShape,
): Value {
  const tokens = graph.input("tokens", [batch * time], "int64");
  const targets = graph.input("targets", [batch * time], "int64");
  return pickFromRows(logSoftmax(transformerLogits(layout, parameters, tokens, batch, time)), targets);
}

/** Declares the input when it is first asked for, so that a graph has only the inputs that it uses. */
function declaredOnce(graph: Graph, name: string, shape: readonly number[]): () => Value {
  let value: Value | null = null;
  return () => {
    value ??= graph.input(name, shape);
    return value;
  };
}
