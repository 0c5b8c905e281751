// How the next token is chosen inside the graph, from logits and one uniform number a row.
import { argMax, cumulativeSum, gatherInto, lastColumn, topK } from "../graph/decode-operators.ts";
import type { Graph, Value } from "../graph/graph.ts";
import {
  cast,
  divide,
  greater,
  less,
  logSoftmax,
  multiply,
  pickFromRows,
  softmax,
  subtract,
  unsqueeze,
  where,
} from "../graph/operators.ts";

/** The most likely token, a draw from the whole distribution, or a draw from its top-k / top-p part. */
export type Choice = "greedy" | "full" | "truncated";

/**
 * From logits [rows, vocabulary] and the rows' places in the table of uniform numbers to tokens, int64 [rows], and their
 * log-probabilities [rows] at temperature 1.
 */
export type Chooser = (logits: Value, places: Value) => { readonly tokens: Value; readonly logprobs: Value };

/**
 * Adds the inputs that a choice needs to `graph`: `uniforms` float32 [places], in [0, 1 − 2⁻²³], and `temperature` float32 []
 * except for "greedy"; `top_p` float32 [] and `top_k` int64 [1] for "truncated", which keeps the top k and, of those,
 * the fewest whose share reaches top p.
 */
export function tokenChoice(graph: Graph, choice: Choice): Chooser {
  const plain = (tokensOf: (logits: Value, places: Value) => Value): Chooser => {
    return (logits, places) => {
      const tokens = tokensOf(logits, places);
      return { tokens, logprobs: pickFromRows(logSoftmax(logits), tokens) };
    };
  };
  if (choice === "greedy") return plain((logits) => argMax(logits));
  const temperature = graph.input("temperature", []);
  const uniforms = graph.input("uniforms", ["places"]);
  const probabilities = (logits: Value): Value => softmax(divide(logits, temperature));
  // The first element at which the running sum passes a uniform part of the whole. Its own probability is not 0.
  const draw = (running: Value, places: Value): Value => {
    const uniform = unsqueeze(gatherInto(places, uniforms), 1);
    return argMax(cast(greater(running, multiply(uniform, lastColumn(running))), "int32"));
  };
  if (choice === "full") return plain((logits, places) => draw(cumulativeSum(probabilities(logits)), places));
  const topP = graph.input("top_p", []);
  const count = graph.input("top_k", [1], "int64");
  return plain((logits, places) => {
    const best = topK(probabilities(logits), count, "top");
    const running = cumulativeSum(best.values);
    const before = subtract(running, best.values);
    const kept = where(less(before, multiply(lastColumn(running), topP)), best.values, logits.graph.scalar(0));
    return pickFromRows(best.columns, draw(cumulativeSum(kept), places));
  });
}
