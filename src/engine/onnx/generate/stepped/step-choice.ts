// How a step chooses the next token of a row: the most likely one, or a draw from the whole distribution. Draws from part of it, which
// need the vocabulary sorted, are made from the logits by a graph of their own (token-choice.ts).

import {
  argMax,
  conditional,
  cumulativeSum,
  gatherInto,
  lastColumn,
  reshapeLike,
  seenFrom,
} from "../../graph/decode-operators.ts";
import { Graph, type Value } from "../../graph/graph.ts";
import {
  add,
  cast,
  greater,
  minimum,
  multiply,
  pickFromRows,
  reduceSum,
  softmax,
  subtract,
  unsqueeze,
} from "../../graph/operators.ts";
import { tokenChoice } from "../token-choice.ts";

export interface Chosen {
  /** int64 [draws]. */
  readonly tokens: Value;
  /** Their probabilities at temperature 1, float32 [draws]. Their logarithms are not taken here: the runtime's differs in the last digit with its place. */
  readonly shares: Value;
}

/**
 * From `logits` [ends, vocabulary]. Adds the input `draws` int64 [draws], the end that each draw is from, and the inputs `greedy` and `tempered` bool [], `inverse_temperature` float32 [] and `uniforms` float32 [draws], in [0, 1 − 2⁻²³]. With
 * neither flag the temperature is 1.
 */
export function declareChoice(graph: Graph, logits: Value): Chosen {
  const greedy = graph.input("greedy", [], "bool");
  const tempered = graph.input("tempered", [], "bool");
  const inverse = graph.input("inverse_temperature", []);
  const uniforms = graph.input("uniforms", ["draws"]);
  const draws = graph.input("draws", ["draws"], "int64");
  const shares = softmax(logits);
  const result = { shape: ["draws"], type: "int64" as const };
  const likeliest = (body: Graph): Value => gatherInto(seenFrom(body, draws), argMax(seenFrom(body, logits)));
  const draw = (body: Graph): Value =>
    conditional(
      body,
      tempered,
      result,
      (inner) => drawInBlocks(softmax(multiply(seenFrom(inner, logits), inverse)), draws, uniforms),
      (inner) => drawInBlocks(seenFrom(inner, shares), draws, uniforms),
    );
  const tokens = conditional(graph, greedy, result, likeliest, draw);
  const places = add(multiply(draws, graph.integers([Number(logits.shape[1])])), tokens);
  return { tokens, shares: gatherInto(places, reshapeLike(shares, [-1], ["shares"])) };
}

/**
 * From `logits` [ends, vocabulary], `draws` int64 [draws], the end of each draw, `places` int64 [draws], 0, 1, …, and the inputs of the
 * "truncated" choice, to `next` and `logprobs`.
 */
export function buildTruncatedChoiceGraph(vocabulary: number): Graph {
  const graph = Graph.create();
  const choose = tokenChoice(graph, "truncated");
  const ends = graph.input("logits", ["ends", vocabulary]);
  const logits = gatherInto(graph.input("draws", ["draws"], "int64"), ends);
  const { tokens, logprobs } = choose(logits, graph.input("places", ["draws"], "int64"));
  graph.output("next", tokens);
  graph.output("logprobs", logprobs);
  return graph;
}

/**
 * For each draw the first element of its row of `shares` [ends, vocabulary] at which the running sum passes `uniform` [draws] of the whole: first
 * the block in which it does, then the place in the block, so that only sums of blocks and one block a row are summed up.
 */
function drawInBlocks(shares: Value, draws: Value, uniform: Value): Value {
  const [ends, vocabulary] = [shares.shape[0], Number(shares.shape[1])];
  const { graph } = shares;
  const width = blockWidth(vocabulary);
  const count = Math.ceil(vocabulary / width);
  const filled = filledUp(shares, count * width - vocabulary);
  const ofEnds = reduceSum(reshapeLike(filled, [-1, count, width], [ends, count, width]), [2], false);
  const row = seenFrom(graph, draws);
  const [sums, running] = [ofEnds, cumulativeSum(ofEnds)].map((x) => gatherInto(row, x));
  const wanted = multiply(unsqueeze(seenFrom(graph, uniform), 1), lastColumn(running));
  const block = argMax(cast(greater(running, wanted), "int32"));
  const before = subtract(pickFromRows(running, block), pickFromRows(sums, block));
  const place = add(multiply(row, graph.integers([count])), block);
  const inside = cumulativeSum(gatherInto(place, reshapeLike(filled, [-1, width], ["blocks", width])));
  // The sum of a block and the running sum inside of it differ in the last digits: the end of the block must stay above.
  const end = multiply(lastColumn(inside), graph.scalar(1 - 2 ** -22));
  const rest = minimum(subtract(wanted, unsqueeze(before, 1)), end);
  return add(multiply(block, graph.integers([width])), argMax(cast(greater(inside, rest), "int32")));
}

/** The largest power of two from 64 to 512 that divides a vocabulary's size, or 64. */
function blockWidth(vocabulary: number): number {
  for (let width = 512; width > 64; width /= 2) if (vocabulary % width === 0) return width;
  return 64;
}

/** Columns of zeros behind the others, so that every row begins where the runtime's sums treat it as they treat the first. */
function filledUp(x: Value, columns: number): Value {
  if (columns === 0) return x;
  const { graph } = x;
  const pads = graph.integers([0, 0, 0, columns]);
  return graph.emit("Pad", [x, pads], [{ shape: [x.shape[0], Number(x.shape[1]) + columns] }])[0];
}
