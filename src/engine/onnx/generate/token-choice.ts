// How the next token is chosen inside the graph, from logits and one uniform number a row.
import {
  argMax,
  cumulativeSum,
  gatherInto,
  lastColumn,
  logSumExp,
  range,
  reshapeLike,
  sizeOf,
  topK,
} from "../graph/decode-operators.ts";
import type { Graph, Value } from "../graph/graph.ts";
import {
  add,
  cast,
  divide,
  greater,
  less,
  logSoftmax,
  minimum,
  multiply,
  pickFromRows,
  reduceSum,
  reshape,
  softmax,
  subtract,
  unsqueeze,
  where,
} from "../graph/operators.ts";

/**
 * The most likely token, a draw from the whole distribution, or a draw from its top-k / top-p part; `switched` is the first or
 * the second, as an input says, for large vocabularies and for weights that shall be packed for one graph only.
 */
export type Choice = "greedy" | "full" | "truncated" | "switched";

/**
 * From logits [rows, vocabulary] and the rows' places in the table of uniform numbers to tokens, int64 [rows], and their
 * log-probabilities [rows] at temperature 1.
 */
export type Chooser = (logits: Value, places: Value) => { readonly tokens: Value; readonly logprobs: Value };

/**
 * Adds the inputs that a choice needs to `graph`: `uniforms` float32 [places], in [0, 1 − 2⁻²³], and `temperature` float32 []
 * except for "greedy"; `greedy` bool [] for "switched"; `top_p` float32 [] and `top_k` int64 [1] for "truncated", which keeps the top k and, of those,
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
  if (choice === "switched") {
    const greedy = graph.input("greedy", [], "bool");
    return (logits, places) => {
      const drawn = drawInBlocks(probabilities(logits), gatherInto(places, uniforms));
      // Taken into the body of the loop, so that the choice is recorded there.
      const [isGreedy] = logits.graph.emit("Identity", [greedy], [{ shape: [], type: "bool" }]);
      const tokens = where(isGreedy, argMax(logits), drawn);
      return { tokens, logprobs: subtract(pickFromRows(logits, tokens), logSumExp(logits)) };
    };
  }
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

/**
 * The first element of each row of `shares` [rows, vocabulary] at which the running sum passes `uniform` [rows] of the whole: first
 * the block in which it does, then the place in the block, so that only sums of blocks and one block a row are summed up.
 */
function drawInBlocks(shares: Value, uniform: Value): Value {
  const [rows, vocabulary] = [shares.shape[0], Number(shares.shape[1])];
  const { graph } = shares;
  const width = blockWidth(vocabulary);
  const count = vocabulary / width;
  const sums = reduceSum(reshapeLike(shares, [-1, count, width], [rows, count, width]), [2], false);
  const running = cumulativeSum(sums);
  const wanted = multiply(unsqueeze(uniform, 1), lastColumn(running));
  const block = argMax(cast(greater(running, wanted), "int32"));
  const before = subtract(pickFromRows(running, block), pickFromRows(sums, block));
  const row = range(reshape(sizeOf(shares, 0), []), String(rows));
  const place = add(multiply(row, graph.integers([count])), block);
  const inside = cumulativeSum(gatherInto(place, reshapeLike(shares, [-1, width], ["blocks", width])));
  // The sum of a block and the running sum inside of it differ in the last digits: the end of the block must stay above.
  const end = multiply(lastColumn(inside), graph.scalar(1 - 2 ** -22));
  const rest = minimum(subtract(wanted, unsqueeze(before, 1)), end);
  return add(multiply(block, graph.integers([width])), argMax(cast(greater(inside, rest), "int32")));
}

/** The largest divisor of a vocabulary's size up to 512. */
function blockWidth(vocabulary: number): number {
  for (let width = Math.min(512, vocabulary); width > 1; width--) if (vocabulary % width === 0) return width;
  return 1;
}
