// What the decoder layer is made of where sizes are known only when the graph runs: hidden states [rows, time, hiddenSize]
// of prompts or of single new tokens, and rotary tables that are inputs.

import type { ModelConfig } from "../../../../model/model-config.ts";
import { reshapeLike } from "../../graph/decode-operators.ts";
import type { Graph, Value } from "../../graph/graph.ts";
import { rotary } from "../../graph/operators.ts";
import { type LayerParts, rmsNormOf } from "../../transformer/decoder-layer.ts";
import {
  declareParameters,
  embed,
  generationLinear,
  type Linear,
  type Parameters,
  turnedProduct,
  type WeightLayout,
} from "../../transformer/linear.ts";

/** What the layers of one graph share, whatever the positions are. */
export interface GenerationWeights {
  readonly config: ModelConfig;
  readonly parameters: Parameters;
  readonly linear: Linear;
  /** Rows of the embedding by int64 tokens; recorded in the graph of the tokens. */
  readonly embed: (tokens: Value) => Value;
  /** Rotary tables [positions, headSize / 2], inputs of the graph. */
  readonly cosines: Value;
  readonly sines: Value;
}

/** Adds the weights as inputs, and `cosines` and `sines`, to the graph. */
export function generationWeights(graph: Graph, layout: WeightLayout): GenerationWeights {
  const parameters = declareParameters(graph, layout);
  const linear = generationLinear(parameters, layout.lora, turnedProduct(parameters));
  return { ...sharedParts(graph, layout, parameters), linear };
}

function sharedParts(
  graph: Graph,
  { config }: WeightLayout,
  parameters: Parameters,
): Omit<GenerationWeights, "linear"> {
  const shape = ["positions", config.headSize / 2];
  const [cosines, sines] = [graph.input("cosines", shape), graph.input("sines", shape)];
  return { config, parameters, embed: (tokens) => embed(parameters, tokens), cosines, sines };
}

/** `positions` say where each entry stands: int64 [rows, time], or [1] for the first of every row. */
export function generationParts(weights: GenerationWeights, positions: Value): LayerParts {
  const { config, parameters, linear, cosines, sines } = weights;
  const perHead = (x: Value, heads: number, normHead: (x: Value) => Value): Value => {
    const [rows, time, width] = x.shape;
    const split = reshapeLike(x, [0, 0, heads, config.headSize], [rows, time, heads, config.headSize]);
    return reshapeLike(normHead(split), [0, 0, heads * config.headSize], [rows, time, width]);
  };
  return {
    linear,
    norm: rmsNormOf(config, parameters),
    heads: (x, heads, normHead) =>
      rotary(normHead === null ? x : perHead(x, heads, normHead), positions, cosines, sines),
  };
}
