// The graph of a step: some new positions of every row, computed after what is already there of each (step-attention.ts),
// and for some of them the next token. A prompt is computed by the same graph, many positions at a time, as a single token is: so weights
// are packed once. Between steps the main program moves keys and values and decides who takes part (stepped-sampler.ts).

import { parameterSpecs } from "../../../../model/model-config.ts";
import { gatherInto, reshapeLike } from "../../graph/decode-operators.ts";
import { Graph, type Value } from "../../graph/graph.ts";
import { concatenate, rotary, unsqueeze } from "../../graph/operators.ts";
import { float32Data } from "../../runtime/runtime.ts";
import { decoderLayer, type LayerParts, outputLogits, rmsNormOf } from "../../transformer/decoder-layer.ts";
import type { FrozenWeights } from "../../transformer/frozen-weights.ts";
import { declareWeight, embed, Parameters, type WeightLayout } from "../../transformer/linear.ts";
import { declareIndices, declarePools, stepAttention } from "./step-attention.ts";
import { declareChoice } from "./step-choice.ts";
import { type StepLinearOptions, stepLinear } from "./step-linear.ts";

/**
 * Inputs: weights that are no constants, adapters (`packAdapters`), those of step-attention.ts and step-choice.ts, and
 * `tokens` and `positions` int64 [n], where each new position stands in its sequence; `last` int64 [ends], those behind which tokens are wanted;
 * `cosines` and `sines` [positions, headSize / 2].
 * Outputs: `states` [2 · layers, n, keyValueHeads · headSize], keys and values of the new positions, layer by layer; `next` int64 and `shares`
 * float32 [draws]; `logits` [ends, vocabulary].
 */
export function buildStepGraph(options: StepLinearOptions): Graph {
  const { layout, frozen } = options;
  const { config } = layout;
  const graph = Graph.create();
  const tokens = graph.input("tokens", ["n"], "int64");
  const positions = graph.input("positions", ["n"], "int64");
  const parameters = declareParameters(graph, layout, frozen);
  const parts = stepParts(graph, parameters, options, positions);
  const indices = declareIndices(graph, config);
  const states: Value[] = [];
  let hidden = embed(parameters, tokens);
  for (let layer = 0; layer < config.layers; layer++) {
    const pools = declarePools(graph, config, layer);
    hidden = decoderLayer(config, parts, layer, hidden, (query, key, value) => {
      const width = config.keyValueHeads * config.headSize;
      states.push(...[key, value].map((x) => reshapeLike(x, [1, -1, width], [1, "n", width])));
      return stepAttention(config, indices, pools, { query, key, value });
    });
  }
  const [first, ...others] = states;
  graph.output("states", concatenate([first, ...others], 0));
  const last = gatherInto(graph.input("last", ["ends"], "int64"), hidden);
  const logits = outputLogits(config, parts, last);
  const { tokens: next, shares } = declareChoice(graph, logits);
  graph.output("next", next);
  graph.output("shares", shares);
  graph.output("logits", logits);
  return graph;
}

/** Vectors and the embedding; with `frozen`, vectors as constants. Matrices of linear layers only without. */
function declareParameters(graph: Graph, layout: WeightLayout, frozen: FrozenWeights | null): Parameters {
  const parameters = new Parameters();
  for (const spec of parameterSpecs(layout.config)) {
    const { name, shape } = spec;
    const isMatrix = shape.length === 2;
    const known = frozen?.get(name);
    if (name === "model.embed_tokens.weight" || frozen === null) declareWeight(graph, layout, spec, parameters);
    else if (!isMatrix && known !== undefined) parameters.set(name, graph.constant(float32Data(known), [...shape]));
  }
  return parameters;
}

function stepParts(graph: Graph, parameters: Parameters, options: StepLinearOptions, positions: Value): LayerParts {
  const { config } = options.layout;
  const { headSize } = config;
  const tables = ["positions", headSize / 2];
  const [cosines, sines] = [graph.input("cosines", tables), graph.input("sines", tables)];
  // Every position is a sequence of its own to the operator, which takes none that are longer than its tables.
  const alone = unsqueeze(positions, 1);
  return {
    linear: stepLinear(graph, parameters, options),
    norm: rmsNormOf(config, parameters),
    heads: (x, heads, normHead) => {
      const perHead = ["n·heads", headSize];
      const normed = normHead === null ? x : normHead(reshapeLike(x, [-1, headSize], perHead));
      const width = heads * headSize;
      const rotated = rotary(reshapeLike(normed, [-1, 1, width], ["n", 1, width]), alone, cosines, sines);
      return reshapeLike(rotated, [-1, width], ["n", width]);
    },
  };
}
