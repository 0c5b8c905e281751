// The operators that generation needs beside those of operators.ts: cached attention, a loop, sorting, cumulative sums.
// None of them can be differentiated. Where a table of an outer graph is read inside a loop's body, the node must go into
// the body, so these functions record into the graph of their indices rather than of the table.
import { type Dimension, type ElementType, type Graph, microsoftDomain, type Shape, type Value } from "./graph.ts";

/** Slices of `table` along its first axis by int64 indices [n], recorded in the graph of the indices. */
export function gatherInto(indices: Value, table: Value): Value {
  const shape = [...indices.shape, ...table.shape.slice(1)];
  return indices.graph.emit("Gather", [table, indices], [{ shape, type: table.type }], { attributes: { axis: 0 } })[0];
}

/** Slices of x along its first axis where the bool vector `keep` is true; the size of that axis takes a name. */
export function compress(x: Value, keep: Value, name: string): Value {
  const shape = [name, ...x.shape.slice(1)];
  return x.graph.emit("Compress", [x, keep], [{ shape, type: x.type }], { attributes: { axis: 0 } })[0];
}

export interface CachedAttention {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Last key position of each row, int32 [batch]: the number of cached positions + the number of new ones − 1. */
  readonly lastPositions: Value;
  /** The longest row, cached and new together, int32 [1]. */
  readonly total: Value;
  /** [positions, headSize / 2] */
  readonly cosines: Value;
  readonly sines: Value;
  /** Keys and values so far, [batch, keyValueHeads, cached, headSize]. */
  readonly past: { readonly keys: Value; readonly values: Value } | null;
  /** The name (or number) of the cached size after the new positions. */
  readonly presentSize: Dimension;
}

/**
 * Causal attention with rotary embedding over a cache (GroupQueryAttention of com.microsoft). query is [batch, time, heads ·
 * headSize], key and value [batch, time, keyValueHeads · headSize]; or query holds all three side by side and the others
 * are null. Gives the context [batch, time, heads · headSize] and the cache with the new positions written to it.
 */
export function cachedAttention(
  query: Value,
  key: Value | null,
  value: Value | null,
  { heads, keyValueHeads, headSize, lastPositions, total, cosines, sines, past, presentSize }: CachedAttention,
): { context: Value; keys: Value; values: Value } {
  const [batch, time] = query.shape;
  const cache = { shape: [batch, keyValueHeads, presentSize, headSize] };
  const [context, keys, values] = query.graph.emit(
    "GroupQueryAttention",
    [query, key, value, past?.keys ?? null, past?.values ?? null, lastPositions, total, cosines, sines],
    [{ shape: [batch, time, heads * headSize] }, cache, cache],
    {
      attributes: { num_heads: heads, kv_num_heads: keyValueHeads, do_rotary: 1, rotary_interleaved: 0 },
      domain: microsoftDomain,
    },
  );
  return { context, keys, values };
}

/** Sum of the elements up to each one along the last axis of a matrix; without itself when `exclusive`. */
export function cumulativeSum(x: Value, { exclusive = false } = {}): Value {
  const axis = x.graph.scalar(1, "int64");
  return x.graph.emit("CumSum", [x, axis], [{ shape: x.shape }], { attributes: { exclusive: exclusive ? 1 : 0 } })[0];
}

/** Column of the greatest element of each row of a matrix, the first among equals: int64 [rows]. */
export function argMax(x: Value): Value {
  return x.graph.emit("ArgMax", [x], [{ shape: [x.shape[0]], type: "int64" }], {
    attributes: { axis: 1, keepdims: 0, select_last_index: 0 },
  })[0];
}

/** The greatest element of a vector, as a vector of one. */
export function vectorMaximum(x: Value): Value {
  return x.graph.emit("ReduceMax", [x], [{ shape: [1], type: x.type }], { attributes: { keepdims: 1 } })[0];
}

/** The `count` (int64 [1]) greatest elements of each row with their columns, greatest first, lowest column first among equals. */
export function topK(x: Value, count: Value, name: string): { values: Value; columns: Value } {
  const shape = [x.shape[0], name];
  const [values, columns] = x.graph.emit("TopK", [x, count], [{ shape }, { shape, type: "int64" }], {
    attributes: { axis: 1, largest: 1, sorted: 1 },
  });
  return { values, columns };
}

/** The last column of a matrix, [rows, 1]. */
export function lastColumn(x: Value): Value {
  const { graph } = x;
  const inputs = [x, graph.integers([-1]), graph.integers([Number.MAX_SAFE_INTEGER]), graph.integers([1])];
  return graph.emit("Slice", inputs, [{ shape: [x.shape[0], 1] }])[0];
}

/** x [rows, …] with zeros behind along `axis`, up to `size` (int64 [1]). */
export function padTo(x: Value, axis: number, size: Value, name: string): Value {
  const { graph } = x;
  const vector = [{ shape: [1], type: "int64" as ElementType }];
  const [present] = graph.emit("Shape", [x], vector, { attributes: { start: axis, end: axis + 1 } });
  const [missing] = graph.emit("Sub", [size, present], vector);
  const [amounts] = graph.emit("Concat", [graph.integers([0]), missing], [{ shape: [2], type: "int64" }], {
    attributes: { axis: 0 },
  });
  const shape = x.shape.map((dimension, i) => (i === axis ? name : dimension));
  return graph.emit("Pad", [x, amounts, null, graph.integers([axis])], [{ shape }])[0];
}

export interface LoopDescription {
  /** int64 scalar */
  readonly maxTrips: Value;
  /** First value of each carried tensor, by the name that the body's function sees it under. */
  readonly carried: Readonly<Record<string, Value>>;
  /** Shapes inside the body where they differ from trip to trip (a cache that grows). */
  readonly carriedShapes?: Readonly<Record<string, Shape>>;
  /** Name of the number of trips made. */
  readonly trips: string;
}

export interface LoopStep {
  /** Whether there shall be another trip, bool scalar. */
  readonly again: Value;
  readonly carried: Readonly<Record<string, Value>>;
  /** Gathered over the trips along a new first axis. */
  readonly scanned: Readonly<Record<string, Value>>;
}

/** Repeats a body. At least one trip is made if maxTrips > 0. Gives the last carried tensors and the scanned ones. */
export function loop(
  graph: Graph,
  { maxTrips, carried, carriedShapes = {}, trips }: LoopDescription,
  step: (body: Graph, trip: Value, carried: Readonly<Record<string, Value>>) => LoopStep,
): { carried: Record<string, Value>; scanned: Record<string, Value> } {
  const body = graph.createBody();
  const names = Object.keys(carried);
  const shapeOf = (name: string): Shape => carriedShapes[name] ?? carried[name].shape;
  const trip = body.input("loop_trip", [], "int64");
  body.input("loop_again", [], "bool");
  const inside = Object.fromEntries(
    names.map((name) => [name, body.input(`loop_${name}`, shapeOf(name), carried[name].type)]),
  );
  const result = step(body, trip, inside);
  body.output("loop_again_next", result.again);
  for (const name of names) body.output(`loop_${name}_next`, result.carried[name]);
  const scannedNames = Object.keys(result.scanned);
  for (const name of scannedNames) body.output(`loop_${name}_scan`, result.scanned[name]);
  const outputs = graph.emit(
    "Loop",
    [maxTrips, null, ...names.map((name) => carried[name])],
    [
      ...names.map((name) => ({ shape: shapeOf(name), type: carried[name].type })),
      ...scannedNames.map((name) => ({
        shape: [trips, ...result.scanned[name].shape],
        type: result.scanned[name].type,
      })),
    ],
    { attributes: { body } },
  );
  return {
    carried: Object.fromEntries(names.map((name, i) => [name, outputs[i]])),
    scanned: Object.fromEntries(scannedNames.map((name, i) => [name, outputs[names.length + i]])),
  };
}

/** x [batch, time, heads · width] as [batch, time, heads, width]. */
export function splitHeads(x: Value, heads: number, width: number): Value {
  const shape = [x.shape[0], x.shape[1], heads, width];
  return x.graph.emit("Reshape", [x, x.graph.integers([0, 0, heads, width])], [{ shape }])[0];
}

/** x [batch, time, heads, width] as [batch, time, heads · width]. */
export function mergeHeads(x: Value): Value {
  const [batch, time, heads, width] = x.shape;
  const merged = Number(heads) * Number(width);
  return x.graph.emit("Reshape", [x, x.graph.integers([0, 0, merged])], [{ shape: [batch, time, merged] }])[0];
}
