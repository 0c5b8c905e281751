// The graph of generation: many sequences, from their prompts' keys and values (prefill-graph.ts) to their ends, in one run.
// Nothing but tokens and logprobs leaves it, since moving caches in and out costs more than computing. It is three
// loops, one in another:
// - a step computes one position of every row and chooses the next tokens. Keys and values of earlier stretches are
//   `frozen`: read from outside the loop, never copied. Those of the stretch are few and grow with every step.
// - a stretch gives the rows of finished sequences to waiting ones, then makes some steps, then sets their keys and
//   values behind the others. All rows write at the same place, wherever their sequences stand: attention does not ask
//   for order, so a row only has to know how many of the last places are its own.
// - a round drops the finished rows when nothing waits and few are left, so that the batch shrinks with the work.

import type { ModelConfig } from "../../../model/model-config.ts";
import {
  compress,
  cumulativeSum,
  gatherInto,
  loop,
  scatterInto,
  sizeOf,
  slice,
  vectorMaximum,
} from "../graph/decode-operators.ts";
import { Graph, type Value } from "../graph/graph.ts";
import {
  add,
  and,
  cast,
  concatenate,
  equal,
  greater,
  less,
  logSoftmax,
  matMul,
  maximum,
  minimum,
  multiply,
  or,
  pickFromRows,
  reduceSum,
  reshape,
  rmsNorm,
  subtract,
  transpose,
  unsqueeze,
  where,
} from "../graph/operators.ts";
import { attention, ownPlaces } from "./decode-attention.ts";
import { generationBlock, rotaryInputs, weightInputs } from "./generation-block.ts";
import { prefixNames } from "./prefill-graph.ts";
import { type Choice, tokenChoice } from "./token-choice.ts";

/** The batch shrinks when no more than half of its rows are busy, unless it is this small already. */
const smallBatch = 8;
type Values = Readonly<Record<string, Value>>;

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
export function buildDecodeGraph(config: ModelConfig, choice: Choice): Graph {
  const graph = Graph.create();
  const weights = weightInputs(graph, config);
  const rotary = rotaryInputs(graph, config);
  const vector = (name: string, size: string | number): Value => graph.input(name, [size], "int64");
  const queue = {
    tokens: vector("queue_tokens", "sequences"),
    lengths: vector("queue_lengths", "sequences"),
    prefixes: vector("queue_prefixes", "sequences"),
  };
  const firstRows = vector("places", "first_rows");
  const maxTokens = vector("max_tokens", 1);
  const unstopped = vector("unstopped", config.vocabSize);
  const stretch = vector("stretch", 1);
  const lastStretch = vector("last_stretch", 1);
  const choose = tokenChoice(graph, choice);
  const cacheShape = (rows: string, time: string) => [rows, config.keyValueHeads, time, config.headSize];
  const prefixes = prefixNames(config).map((name) => graph.input(name, cacheShape("prompts", "prefix_time")));
  const frozenKeys = prefixes.map((_, i) => `frozen_${i}`);
  const recentKeys = prefixes.map((_, i) => `recent_${i}`);
  const named = <T>(keys: readonly string[], make: (index: number) => T): Readonly<Record<string, T>> =>
    Object.fromEntries(keys.map((key, i) => [key, make(i)]));
  /** Frozen places are [rows, keyValueHeads, time, headSize], recent ones, which grow with every step, have time first. */
  const shapes = (rows: string, frozenTime: string, recentTime: string) => ({
    ...named(frozenKeys, () => cacheShape(rows, frozenTime)),
    ...named(recentKeys, () => [recentTime, rows, config.keyValueHeads, config.headSize]),
  });
  const timeFirst = (x: Value): Value => transpose(x, [2, 0, 1, 3]);
  const rowsFirst = (x: Value): Value => transpose(x, [1, 2, 0, 3]);

  const sequenceCount = sizeOf(queue.tokens, 0);
  const rest = multiply(sequenceCount, maxTokens);
  const size = add(rest, graph.integers([1]));
  const filled = (value: Value): Value =>
    graph.emit("Expand", [value, size], [{ shape: ["places"], type: value.type }])[0];
  const zeros = multiply(firstRows, graph.scalar(0, "int64"));

  /** One step of all rows, against frozen keys and values. */
  const takeSteps = (
    outer: Graph,
    rows: Values,
    start: Values,
    frozen: readonly Value[],
    bias: Value,
    frozenSize: Value,
    maxTrips: Value,
  ) =>
    loop(
      outer,
      {
        maxTrips,
        carried: start,
        carriedShapes: shapes("rows", "frozen", "recent"),
        trips: "steps",
      },
      (body, _, { token, generated, left, ...recent }) => {
        const one = body.integers([1]);
        const nothing = body.integers([0]);
        const positions = unsqueeze(add(generated, rows["length"]), 1);
        const nextRecent: Record<string, Value> = {};
        let hidden = unsqueeze(gatherInto(token, weights.plain("model.embed_tokens.weight")), 1);
        for (let layer = 0; layer < config.layers; layer++) {
          const attend = attention(config, {
            frozen: { keys: frozen[2 * layer], values: frozen[2 * layer + 1] },
            recent: { keys: recent[recentKeys[2 * layer]], values: recent[recentKeys[2 * layer + 1]] },
            bias,
            frozenSize,
          });
          const block = generationBlock(config, weights, layer, hidden, { ...rotary, positions }, attend);
          nextRecent[recentKeys[2 * layer]] = block.keys;
          nextRecent[recentKeys[2 * layer + 1]] = block.values;
          hidden = block.hidden;
        }
        const last = reshape(hidden, ["rows", config.hiddenSize]);
        const normed = rmsNorm(last, weights.plain("model.norm.weight"), config.normEps);
        const head = config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
        const logits = matMul(normed, weights.transposed(head));
        const busy = greater(left, nothing);
        const place = where(busy, add(generated, rows["firstPlace"]), rest);
        const next = choose(logits, place);
        const nextLeft = multiply(maximum(subtract(left, one), nothing), gatherInto(next, unstopped));
        const nextBusy = cast(greater(nextLeft, nothing), "int64");
        return {
          again: reshape(greater(reduceSum(nextBusy, [0], true), nothing), []),
          carried: {
            token: next,
            // A finished row stays at its last position, which the model and the tables still know.
            generated: add(generated, nextBusy),
            left: nextLeft,
            ...nextRecent,
          },
          scanned: { places: place, tokens: next, logprobs: pickFromRows(logSoftmax(logits), next) },
        };
      },
    );

  /** Refills, steps, stores, until nothing waits and few rows (by `few`, int64 [1]) are busy. */
  const makeStretches = (outer: Graph, start: Values, few: Value) =>
    loop(
      outer,
      {
        maxTrips: null,
        carried: start,
        carriedShapes: shapes("rows", "old", "recent"),
        trips: "stretches",
      },
      (body, _, state) => {
        const nothing = body.integers([0]);
        const one = body.integers([1]);
        const free = equal(state["left"], nothing);
        const candidate = subtract(add(cumulativeSum(cast(free, "int64")), state["head"]), one);
        const begins = and(free, less(candidate, sequenceCount));
        const beginner = minimum(candidate, body.emit("Sub", [sequenceCount, one], [{ shape: [1], type: "int64" }])[0]);
        const sequence = where(begins, beginner, state["sequence"]);
        const generated = where(begins, nothing, state["generated"]);
        const left = where(begins, maxTokens, state["left"]);
        const token = where(begins, gatherInto(sequence, queue.tokens), state["token"]);
        const head = add(state["head"], reduceSum(cast(begins, "int64"), [0], true));
        const length = gatherInto(sequence, queue.lengths);

        const busyGenerated = where(greater(left, nothing), generated, nothing);
        const reach = vectorMaximum(busyGenerated);
        // The last `reach` places: all or some of the recent ones, and before them the last of the frozen ones.
        const recentSize = sizeOf(state[recentKeys[0]], 0);
        const oldSize = sizeOf(state[frozenKeys[0]], 2);
        const recentFrom = maximum(subtract(recentSize, reach), nothing);
        const oldFrom = subtract(oldSize, maximum(subtract(reach, recentSize), nothing));
        const prefixRow = gatherInto(sequence, queue.prefixes);
        const frozen = prefixes.map((prefix, i) => {
          const old = slice(state[frozenKeys[i]], 2, oldFrom, oldSize, "window");
          const recent = rowsFirst(slice(state[recentKeys[i]], 0, recentFrom, recentSize, "recent_window"));
          return concatenate([gatherInto(prefixRow, prefix), old, recent], 2);
        });
        const frozenSize = sizeOf(frozen[0], 2);
        const bias = ownPlaces(body, prefixes[0], reach, length, generated);

        const firstPlace = multiply(sequence, maxTokens);
        const empty = named(recentKeys, (i) => timeFirst(slice(frozen[i], 2, nothing, nothing, "none")));
        const steps = takeSteps(
          body,
          { length, firstPlace },
          { token, generated, left, ...empty },
          frozen,
          bias,
          frozenSize,
          reshape(where(less(head, sequenceCount), stretch, lastStretch), []),
        );
        const flat = (x: Value): Value => reshape(x, ["steps·rows"]);
        const places = flat(steps.scanned["places"]);
        const waiting = less(head, sequenceCount);
        const busy = reduceSum(cast(greater(steps.carried["left"], nothing), "int64"), [0], true);
        return {
          again: reshape(or(waiting, greater(busy, few)), []),
          carried: {
            sequence,
            head,
            token: steps.carried["token"],
            generated: steps.carried["generated"],
            left: steps.carried["left"],
            tokens: scatterInto(state["tokens"], places, flat(steps.scanned["tokens"])),
            logprobs: scatterInto(state["logprobs"], places, flat(steps.scanned["logprobs"])),
            ...named(frozenKeys, (i) => frozen[i]),
            ...named(recentKeys, (i) => steps.carried[recentKeys[i]]),
          },
          scanned: {},
        };
      },
    );

  const noPlaces = prefixes.map((prefix) =>
    slice(gatherInto(zeros, prefix), 2, graph.integers([0]), graph.integers([0]), "no_places"),
  );
  const rounds = loop(
    graph,
    {
      maxTrips: null,
      carried: {
        sequence: firstRows,
        token: gatherInto(firstRows, queue.tokens),
        generated: zeros,
        left: add(zeros, maxTokens),
        head: sizeOf(firstRows, 0),
        tokens: filled(graph.integers([0])),
        logprobs: filled(graph.constant([0], [1])),
        ...named(frozenKeys, (i) => noPlaces[i]),
        ...named(recentKeys, (i) => timeFirst(noPlaces[i])),
      },
      carriedShapes: {
        ...shapes("round_rows", "round_old", "round_recent"),
        ...Object.fromEntries(["sequence", "token", "generated", "left"].map((name) => [name, ["round_rows"]])),
      },
      trips: "rounds",
    },
    (body, _, state) => {
      const busy = greater(state["left"], body.integers([0]));
      const perRow = ["sequence", "token", "generated", "left", ...frozenKeys];
      const kept = Object.fromEntries([
        ...perRow.map((name) => [name, compress(state[name], busy, 0, "rows")]),
        ...recentKeys.map((name) => [name, compress(state[name], busy, 1, "rows")]),
      ]);
      const rows = sizeOf(kept["sequence"], 0);
      const half = divideByTwo(rows);
      const few = where(greater(rows, body.integers([smallBatch])), half, body.integers([0]));
      const result = makeStretches(body, { ...state, ...kept }, few).carried;
      const left = reduceSum(cast(greater(result["left"], body.integers([0])), "int64"), [0], true);
      return { again: reshape(greater(left, body.integers([0])), []), carried: result, scanned: {} };
    },
  );
  graph.output("tokens", rounds.carried["tokens"]);
  graph.output("logprobs", rounds.carried["logprobs"]);
  return graph;
}

const divideByTwo = (x: Value): Value =>
  x.graph.emit("Div", [x, x.graph.integers([2])], [{ shape: x.shape, type: x.type }])[0];
