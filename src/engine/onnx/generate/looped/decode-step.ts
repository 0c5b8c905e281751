// The innermost loop of generation: a step computes one position of every row, chooses the next tokens and tells which rows
// have ended. What the rows may attend to beside their new places stays the same for all steps of the loop.

import { gatherInto, loop } from "../../graph/decode-operators.ts";
import type { Graph, Value } from "../../graph/graph.ts";
import {
  add,
  cast,
  greater,
  maximum,
  multiply,
  reduceSum,
  reshape,
  subtract,
  unsqueeze,
  where,
} from "../../graph/operators.ts";
import { decoderLayer, type LayerParts, outputLogits } from "../../transformer/decoder-layer.ts";
import type { Chooser } from "../token-choice.ts";
import { attention, type Memory } from "./decode-attention.ts";
import type { Caches } from "./decode-caches.ts";
import { type GenerationWeights, generationParts } from "./generation-parts.ts";

export type Values = Readonly<Record<string, Value>>;

/** What every step reads from outside of all loops. */
export interface StepInputs {
  readonly weights: GenerationWeights;
  readonly caches: Caches;
  readonly choose: Chooser;
  /** int64 [vocabulary], 0 for tokens that end a sequence, else 1. */
  readonly unstopped: Value;
  /** int64 [1]: the place of tokens that have no meaning, behind all others. */
  readonly rest: Value;
}

/** What stays the same for the steps of a stretch. */
export interface StretchRows {
  /** Per row, int64 [rows]: tokens of its prompt before the last, and the place of its sequence's first token. */
  readonly length: Value;
  readonly firstPlace: Value;
  /** Keys and values that no step changes, as `Caches.frozenNames` names them, and who may see which of their places. */
  readonly frozen: readonly Value[];
  readonly bias: Value;
  /** int64 [1]: how many places these are. */
  readonly frozenSize: Value;
}

/**
 * Makes steps, at most `maxTrips` (int64 []), until every row has ended. `start` and what comes back carry `token`,
 * `generated` (tokens so far) and `left` (tokens still allowed, 0: ended), all int64 [rows], and the recent caches; `scanned`
 * has `places`, `tokens` and `logprobs` [steps, rows].
 */
export function takeSteps(
  outer: Graph,
  inputs: StepInputs,
  rows: StretchRows,
  start: Values,
  maxTrips: Value,
): { carried: Values; scanned: Values } {
  const { caches, choose, unstopped, rest } = inputs;
  const carriedShapes = caches.shapes("rows", "frozen", "recent");
  const description = { maxTrips, carried: start, carriedShapes, trips: "steps" };
  return loop(outer, description, (body, _, { token, generated, left, ...recent }) => {
    const one = body.integers([1]);
    const nothing = body.integers([0]);
    const { logits, nextRecent } = nextLogits(inputs, rows, token, add(generated, rows.length), recent);
    const busy = greater(left, nothing);
    const place = where(busy, add(generated, rows.firstPlace), rest);
    const { tokens: next, logprobs } = choose(logits, place);
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
      scanned: { places: place, tokens: next, logprobs },
    };
  });
}

/** Logits [rows, vocabulary] behind one token of every row at its position, and the recent caches with its keys and values. */
function nextLogits(
  { weights, caches: { recentNames } }: StepInputs,
  { frozen, bias, frozenSize }: StretchRows,
  token: Value,
  position: Value,
  recent: Values,
): { logits: Value; nextRecent: Values } {
  const { config } = weights;
  const parts: LayerParts = generationParts(weights, unsqueeze(position, 1));
  const nextRecent: Record<string, Value> = {};
  let hidden = unsqueeze(weights.embed(token), 1);
  for (let layer = 0; layer < config.layers; layer++) {
    const [keysAt, valuesAt] = [2 * layer, 2 * layer + 1];
    const memory: Memory = {
      frozen: { keys: frozen[keysAt], values: frozen[valuesAt] },
      recent: { keys: recent[recentNames[keysAt]], values: recent[recentNames[valuesAt]] },
      bias,
      frozenSize,
    };
    hidden = decoderLayer(config, parts, layer, hidden, (query, key, value) => {
      const { context, keys, values } = attention(config, memory, query, key, value);
      nextRecent[recentNames[keysAt]] = keys;
      nextRecent[recentNames[valuesAt]] = values;
      return context;
    });
  }
  const last = reshape(hidden, ["rows", config.hiddenSize]);
  return { logits: outputLogits(config, parts, last), nextRecent };
}
