// The graph of generation: many sequences, from their prompts' keys and values (prefill-graph.ts) to their ends, in one run.
// Nothing but tokens and logprobs leaves it, since moving caches in and out costs more than computing. It is three
// loops, one in another:
// - a step computes one position of every row and chooses the next tokens (decode-step.ts). Keys and values of earlier
//   stretches are `frozen`: read from outside the loop, never copied. Those of the stretch are few and grow with every step.
// - a stretch gives the rows of finished sequences to waiting ones, then makes some steps (decode-stretch.ts).
// - a round drops the finished rows when nothing waits and few are left, so that the batch shrinks with the work.

import { compress, gatherInto, loop, sizeOf, slice } from "../../graph/decode-operators.ts";
import { Graph, type Value } from "../../graph/graph.ts";
import { add, cast, greater, multiply, reduceSum, reshape, where } from "../../graph/operators.ts";
import type { WeightLayout } from "../../transformer/linear.ts";
import { type Choice, tokenChoice } from "../token-choice.ts";
import { decodeCaches, frozenShape, named, timeFirst } from "./decode-caches.ts";
import type { Values } from "./decode-step.ts";
import { makeStretches, type StretchInputs } from "./decode-stretch.ts";
import { generationWeights } from "./generation-parts.ts";
import { prefixNames } from "./prefill-graph.ts";

/** The batch shrinks when no more than half of its rows are busy, unless it is this small already. */
const smallBatch = 8;
/** What is carried for each row, beside its keys and values. */
const perRow = ["sequence", "token", "generated", "left"];

/**
 * Inputs: the weights, `cosines`, `sines`, those of `tokenChoice`, and
 * - for each sequence, in the order in which they begin: `queue_tokens`, the prompt's last token; `queue_lengths`, the number
 *   of tokens before it; `queue_prefixes`, the row of the prompt in `prefix_keys_n` and `prefix_values_n` [prompts,
 *   keyValueHeads, prefixTime, headSize], prefixTime ≥ 1 (all int64 [sequences]);
 * - `places` int64 [rows] with 0, 1, …: as many rows as shall be computed together, no more than there are sequences;
 * - `max_tokens` int64 [1], tokens of a sequence; `unstopped` int64 [vocabulary], 0 for tokens that end one, else 1;
 * - `stretch` and `last_stretch` int64 [1]: steps of a stretch while sequences wait, and when none does.
 * `uniforms` has one number for each sequence and position, [sequences · max_tokens + 1].
 * Outputs: `tokens` int64 and `logprobs` float32 [sequences · max_tokens + 1]; what comes after the end of a sequence, and
 * the last element, have no meaning.
 */
export function buildDecodeGraph(layout: WeightLayout, choice: Choice): Graph {
  const graph = Graph.create();
  const firstRows = graph.input("places", ["first_rows"], "int64");
  const inputs = declareInputs(graph, layout, choice);
  const { caches } = inputs;
  const description = {
    maxTrips: null,
    carried: firstState(graph, inputs, firstRows),
    carriedShapes: {
      ...caches.shapes("round_rows", "round_old", "round_recent"),
      ...named(perRow, () => ["round_rows"]),
    },
    trips: "rounds",
  };
  const rounds = loop(graph, description, (body, _, state) => {
    const nothing = body.integers([0]);
    const busy = greater(state["left"], nothing);
    const kept: Values = Object.fromEntries([
      ...[...perRow, ...caches.frozenNames].map((name) => [name, compress(state[name], busy, 0, "rows")]),
      ...caches.recentNames.map((name) => [name, compress(state[name], busy, 1, "rows")]),
    ]);
    const rows = sizeOf(kept["sequence"], 0);
    const few = where(greater(rows, body.integers([smallBatch])), divideByTwo(rows), nothing);
    const carried = makeStretches(body, inputs, { ...state, ...kept }, few);
    const left = reduceSum(cast(greater(carried["left"], nothing), "int64"), [0], true);
    return { again: reshape(greater(left, nothing), []), carried, scanned: {} };
  });
  graph.output("tokens", rounds.carried["tokens"]);
  graph.output("logprobs", rounds.carried["logprobs"]);
  return graph;
}

function declareInputs(graph: Graph, layout: WeightLayout, choice: Choice): StretchInputs {
  const { config } = layout;
  const vector = (name: string, size: string | number): Value => graph.input(name, [size], "int64");
  const queue = {
    tokens: vector("queue_tokens", "sequences"),
    lengths: vector("queue_lengths", "sequences"),
    prefixes: vector("queue_prefixes", "sequences"),
  };
  const maxTokens = vector("max_tokens", 1);
  const sequenceCount = sizeOf(queue.tokens, 0);
  return {
    weights: generationWeights(graph, layout),
    caches: decodeCaches(config),
    choose: tokenChoice(graph, choice),
    prefixes: prefixNames(config).map((name) => graph.input(name, frozenShape(config, "prompts", "prefix_time"))),
    queue,
    maxTokens,
    unstopped: vector("unstopped", config.vocabSize),
    stretch: vector("stretch", 1),
    lastStretch: vector("last_stretch", 1),
    sequenceCount,
    rest: multiply(sequenceCount, maxTokens),
  };
}

/** Each row begins the sequence of its own number; nothing is frozen and nothing is written. */
function firstState(
  graph: Graph,
  { queue, caches, prefixes, maxTokens, rest }: StretchInputs,
  firstRows: Value,
): Values {
  const zeros = multiply(firstRows, graph.scalar(0, "int64"));
  const nothing = graph.integers([0]);
  const size = add(rest, graph.integers([1]));
  const filled = (value: Value): Value =>
    graph.emit("Expand", [value, size], [{ shape: ["places"], type: value.type }])[0];
  const noPlaces = prefixes.map((prefix) => slice(gatherInto(zeros, prefix), 2, nothing, nothing, "no_places"));
  return {
    sequence: firstRows,
    token: gatherInto(firstRows, queue.tokens),
    generated: zeros,
    left: add(zeros, maxTokens),
    head: sizeOf(firstRows, 0),
    tokens: filled(nothing),
    logprobs: filled(graph.constant([0], [1])),
    ...named(caches.frozenNames, (i) => noPlaces[i]),
    ...named(caches.recentNames, (i) => timeFirst(noPlaces[i])),
  };
}

const divideByTwo = (x: Value): Value =>
  x.graph.emit("Div", [x, x.graph.integers([2])], [{ shape: x.shape, type: x.type }])[0];
