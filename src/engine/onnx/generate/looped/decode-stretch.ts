// The middle loop of generation: a stretch gives the rows of finished sequences to waiting ones, makes some steps
// (decode-step.ts), then sets their keys and values behind the frozen ones. All rows write at the same place, wherever their
// sequences stand: attention does not ask for order, so a row only has to know how many of the last places are its own.

import {
  cumulativeSum,
  gatherInto,
  loop,
  scatterInto,
  sizeOf,
  slice,
  vectorMaximum,
} from "../../graph/decode-operators.ts";
import type { Graph, Value } from "../../graph/graph.ts";
import {
  add,
  and,
  cast,
  concatenate,
  equal,
  greater,
  less,
  maximum,
  minimum,
  multiply,
  or,
  reduceSum,
  reshape,
  subtract,
  where,
} from "../../graph/operators.ts";
import { ownPlaces } from "./decode-attention.ts";
import { named, rowsFirst, timeFirst } from "./decode-caches.ts";
import { type StepInputs, takeSteps, type Values } from "./decode-step.ts";

/** What every stretch reads from outside of all loops; int64 where nothing is said. */
export interface StretchInputs extends StepInputs {
  /** [sequences], in the order in which they begin: last tokens, numbers of tokens before them, rows in `prefixes`. */
  readonly queue: { readonly tokens: Value; readonly lengths: Value; readonly prefixes: Value };
  /** [1]. */
  readonly sequenceCount: Value;
  /** Keys and values of prompts, float32 [prompts, keyValueHeads, prefixTime, headSize], in the order of the caches. */
  readonly prefixes: readonly Value[];
  /** [1]: tokens of a sequence. */
  readonly maxTokens: Value;
  /** [1]: steps of a stretch while sequences wait, and when none does. */
  readonly stretch: Value;
  readonly lastStretch: Value;
}

/**
 * Makes stretches until nothing waits and only `few` (int64 [1]) rows are busy. `start` and what comes back carry, beside
 * the caches: `sequence`, `token`, `generated`, `left` of each row (int64 [rows]), `head`, the number of sequences that have begun
 * (int64 [1]), and the results so far, `tokens` and `logprobs` [places].
 */
export function makeStretches(outer: Graph, inputs: StretchInputs, start: Values, few: Value): Values {
  const { queue, caches, sequenceCount, maxTokens, stretch, lastStretch } = inputs;
  const carriedShapes = caches.shapes("rows", "old", "recent");
  const description = { maxTrips: null, carried: start, carriedShapes, trips: "stretches" };
  return loop(outer, description, (body, _, state) => {
    const nothing = body.integers([0]);
    const { sequence, token, generated, left, head } = refill(body, inputs, state);
    const length = gatherInto(sequence, queue.lengths);
    const busyGenerated = where(greater(left, nothing), generated, nothing);
    const reach = vectorMaximum(busyGenerated);
    const frozen = freezeRecent(body, inputs, state, sequence, reach);
    const rows = {
      frozenSize: sizeOf(frozen[0], 2),
      bias: ownPlaces(body, inputs.prefixes[0], reach, length, generated),
      firstPlace: multiply(sequence, maxTokens),
      length,
      frozen,
    };
    const empty = named(caches.recentNames, (i) => timeFirst(slice(frozen[i], 2, nothing, nothing, "none")));
    const waiting = less(head, sequenceCount);
    const maxTrips = reshape(where(waiting, stretch, lastStretch), []);
    const steps = takeSteps(body, inputs, rows, { token, generated, left, ...empty }, maxTrips);
    const flat = (x: Value): Value => reshape(x, ["steps·rows"]);
    const places = flat(steps.scanned["places"]);
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
        ...named(caches.frozenNames, (i) => frozen[i]),
        ...named(caches.recentNames, (i) => steps.carried[caches.recentNames[i]]),
      },
      scanned: {},
    };
  }).carried;
}

/** Rows of ended sequences begin the next ones that wait, in the order of the rows; the others go on. */
function refill(
  body: Graph,
  { queue, sequenceCount, maxTokens }: StretchInputs,
  state: Values,
): Readonly<Record<"sequence" | "token" | "generated" | "left" | "head", Value>> {
  const nothing = body.integers([0]);
  const one = body.integers([1]);
  const free = equal(state["left"], nothing);
  const candidate = subtract(add(cumulativeSum(cast(free, "int64")), state["head"]), one);
  const begins = and(free, less(candidate, sequenceCount));
  const beginner = minimum(candidate, body.emit("Sub", [sequenceCount, one], [{ shape: [1], type: "int64" }])[0]);
  const sequence = where(begins, beginner, state["sequence"]);
  return {
    sequence,
    generated: where(begins, nothing, state["generated"]),
    left: where(begins, maxTokens, state["left"]),
    token: where(begins, gatherInto(sequence, queue.tokens), state["token"]),
    head: add(state["head"], reduceSum(cast(begins, "int64"), [0], true)),
  };
}

/**
 * What the rows may attend to: each one's prompt, and behind it the last `reach` (int64 [1]) places: all or some of the recent
 * ones, and before them the last of the frozen ones.
 */
function freezeRecent(
  body: Graph,
  { queue, caches, prefixes }: StretchInputs,
  state: Values,
  sequence: Value,
  reach: Value,
): Value[] {
  const nothing = body.integers([0]);
  const recentSize = sizeOf(state[caches.recentNames[0]], 0);
  const oldSize = sizeOf(state[caches.frozenNames[0]], 2);
  const recentFrom = maximum(subtract(recentSize, reach), nothing);
  const oldFrom = subtract(oldSize, maximum(subtract(reach, recentSize), nothing));
  const prefixRow = gatherInto(sequence, queue.prefixes);
  return prefixes.map((prefix, i) => {
    const old = slice(state[caches.frozenNames[i]], 2, oldFrom, oldSize, "window");
    const recent = rowsFirst(slice(state[caches.recentNames[i]], 0, recentFrom, recentSize, "recent_window"));
    return concatenate([gatherInto(prefixRow, prefix), old, recent], 2);
  });
}
