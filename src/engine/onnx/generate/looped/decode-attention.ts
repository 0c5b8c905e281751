// Attention of generation: one new position of every row over keys and values that are shared with no other row.
// It leaves out where these come from (decode-graph.ts) and attention over whole prompts (prefill-graph.ts).

import type { ModelConfig } from "../../../../model/model-config.ts";
import { matMulRowsFirst, matMulTransposed, range, reshapeLike, splitLast } from "../../graph/decode-operators.ts";
import type { Graph, Value } from "../../graph/graph.ts";
import {
  add,
  concatenate,
  less,
  matMul,
  multiply,
  reshape,
  softmax,
  subtract,
  unsqueeze,
  where,
} from "../../graph/operators.ts";

/** Added to the attention scores of places that are not a row's own; its exponential is 0. */
const masked = -1e9;

/** Score bias [rows, 1, 1, frozen]: 0 at a row's own prompt and at the last `generated` of `reach` places, else masked. */
export function ownPlaces(body: Graph, prefix: Value, reach: Value, length: Value, generated: Value): Value {
  const scalar = (x: Value): Value => reshape(x, []);
  const prefixSize = body.emit("Shape", [prefix], [{ shape: [1], type: "int64" }], {
    attributes: { start: 2, end: 3 },
  });
  const inPrompt = less(unsqueeze(range(scalar(prefixSize[0]), "prefix_time"), 0), unsqueeze(length, 1));
  const age = subtract(reach, range(scalar(reach), "window+recent_window"));
  const sinceBegin = less(unsqueeze(subtract(age, body.integers([1])), 0), unsqueeze(generated, 1));
  const own = concatenate([inPrompt, sinceBegin], 1);
  const bias = where(own, body.scalar(0), body.scalar(masked));
  return reshapeLike(bias, [0, 1, 1, -1], ["rows", 1, 1, "prefix_time+window+recent_window"]);
}

/** What a new position sees of one layer beside itself: places of `bias` not 0 are hidden from a row. */
export interface Memory {
  readonly frozen: { readonly keys: Value; readonly values: Value };
  readonly recent: { readonly keys: Value; readonly values: Value };
  readonly bias: Value;
  readonly frozenSize: Value;
}

/**
 * Attention of one new position of every row: query [rows, 1, heads · headSize], key and value [rows, 1, keyValueHeads ·
 * headSize]. Gives the context in the shape of the query, and the recent keys and values with the new ones behind.
 */
export function attention(
  { heads, keyValueHeads, headSize }: ModelConfig,
  { frozen, recent, bias, frozenSize }: Memory,
  query: Value,
  key: Value,
  value: Value,
): { context: Value; keys: Value; values: Value } {
  const newest = (x: Value): Value =>
    reshapeLike(x, [1, -1, keyValueHeads, headSize], [1, "rows", keyValueHeads, headSize]);
  const perKey = heads / keyValueHeads;
  // Scaled here rather than by the products, whose fast path for single rows does not scale.
  const scaled = multiply(query, query.graph.scalar(headSize ** -0.5));
  const grouped = reshapeLike(scaled, [0, keyValueHeads, perKey, headSize], ["rows", keyValueHeads, perKey, headSize]);
  const keys = concatenate([recent.keys, newest(key)], 0);
  const values = concatenate([recent.values, newest(value)], 0);
  const old = add(matMulTransposed(grouped, frozen.keys), bias);
  const scores = concatenate([old, matMulRowsFirst(grouped, keys, true)], 3);
  const [ofOld, ofNew] = splitLast(softmax(scores), frozenSize, [frozen.values.shape[2], values.shape[0]]);
  const context = add(matMul(ofOld, frozen.values), matMulRowsFirst(ofNew, values, false));
  return { context: reshapeLike(context, [0, 1, heads * headSize], ["rows", 1, heads * headSize]), keys, values };
}
