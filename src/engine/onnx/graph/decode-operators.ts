// The operators that generation needs beside those of operators.ts: cached attention, a loop, sorting, cumulative sums.
// None of them can be differentiated. Where a table of an outer graph is read inside a loop's body, the node must go into
// the body, so these functions record into the graph of their indices rather than of the table.
import { type Dimension, type ElementType, type Graph, microsoftDomain, type Shape, type Value } from "./graph.ts";

/** Slices of `table` along its first axis by int64 indices [n], recorded in the graph of the indices. */
export function gatherInto(indices: Value, table: Value): Value {
  const shape = [...indices.shape, ...table.shape.slice(1)];
  return indices.graph.emit("Gather", [table, indices], [{ shape, type: table.type }], { attributes: { axis: 0 } })[0];
}

/** Slices of x along an axis where the bool vector `keep` is true; the size of that axis takes a name. */
export function compress(x: Value, keep: Value, axis: number, name: string): Value {
  const shape = x.shape.map((dimension, i) => (i === axis ? name : dimension));
  return x.graph.emit("Compress", [x, keep], [{ shape, type: x.type }], { attributes: { axis } })[0];
}

/**
 * Causal attention of whole sequences (GroupQueryAttention of com.microsoft): query [batch, time, heads · headSize], key and
 * value [batch, time, keyValueHeads · headSize], already rotated. `lastPositions` int32 [batch] is time − 1 everywhere
 * and `total` int32 [1] is time. Gives the context [batch, time, heads · headSize], and keys and values as
 * [batch, keyValueHeads, time, headSize].
 */
export function causalAttention(
  query: Value,
  key: Value,
  value: Value,
  { heads, keyValueHeads, headSize }: { heads: number; keyValueHeads: number; headSize: number },
  { lastPositions, total }: { lastPositions: Value; total: Value },
): { context: Value; keys: Value; values: Value } {
  const [batch, time] = query.shape;
  const cache = { shape: [batch, keyValueHeads, time, headSize] };
  const [context, keys, values] = query.graph.emit(
    "GroupQueryAttention",
    [query, key, value, null, null, lastPositions, total],
    [{ shape: [batch, time, heads * headSize] }, cache, cache],
    { attributes: { num_heads: heads, kv_num_heads: keyValueHeads }, domain: microsoftDomain },
  );
  return { context, keys, values };
}

/** a·bᵀ over the last two axes, recorded in the graph of a. */
export function matMulTransposed(a: Value, b: Value): Value {
  const shape = [...a.shape.slice(0, -1), b.shape.at(-2)!];
  const attributes = { transA: 0, transB: 1 };
  return a.graph.emit("FusedMatMul", [a, b], [{ shape }], { attributes, domain: microsoftDomain })[0];
}

/**
 * a·b over the last two axes (a·bᵀ with `transpose`), where b has its rows along the first axis instead of the last but one:
 * [rows, …, columns]. Such a b grows by whole blocks of memory.
 */
export function matMulRowsFirst(a: Value, b: Value, transpose: boolean): Value {
  const shape = [...a.shape.slice(0, -1), transpose ? b.shape[0] : b.shape.at(-1)!];
  const attributes = { transA: 0, transB: transpose ? 1 : 0, transBatchB: 1 };
  return a.graph.emit("FusedMatMul", [a, b], [{ shape }], { attributes, domain: microsoftDomain })[0];
}

/** Sum of the elements up to each one, along the last axis. */
export function cumulativeSum(x: Value): Value {
  const axis = x.graph.scalar(x.shape.length - 1, "int64");
  return x.graph.emit("CumSum", [x, axis], [{ shape: x.shape, type: x.type }])[0];
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

/** Size of x along one axis when the graph runs: int64 [1]. */
export function sizeOf(x: Value, axis: number): Value {
  return x.graph.emit("Shape", [x], [{ shape: [1], type: "int64" }], { attributes: { start: axis, end: axis + 1 } })[0];
}

/** Part of x from `start` to before `end` (int64 [1]) along one axis, whose size takes a name (or number). */
export function slice(x: Value, axis: number, start: Value, end: Value, size: Dimension): Value {
  const { graph } = start;
  const shape = x.shape.map((dimension, i) => (i === axis ? size : dimension));
  return graph.emit("Slice", [x, start, end, graph.integers([axis])], [{ shape, type: x.type }])[0];
}

/** Cuts x along its last axis into a first part of size `first` (int64 [1]) and the rest. */
export function splitLast(x: Value, first: Value, names: readonly [Dimension, Dimension]): [Value, Value] {
  const { graph } = x;
  const axis = x.shape.length - 1;
  const total = sizeOf(x, axis);
  const [rest] = graph.emit("Sub", [total, first], [{ shape: [1], type: "int64" }]);
  const [sizes] = graph.emit("Concat", [first, rest], [{ shape: [2], type: "int64" }], { attributes: { axis: 0 } });
  const parts = names.map((name) => ({ shape: [...x.shape.slice(0, -1), name], type: x.type }));
  const [head, tail] = graph.emit("Split", [x, sizes], parts, { attributes: { axis } });
  return [head, tail];
}

/** 0, 1, … up to before `count` (int64 []): int64 [name]. */
export function range(count: Value, name: string): Value {
  const { graph } = count;
  const inputs = [graph.scalar(0, "int64"), count, graph.scalar(1, "int64")];
  return graph.emit("Range", inputs, [{ shape: [name], type: "int64" }])[0];
}

/** The vector x with `updates` [n] written at int64 `indices` [n]. */
export function scatterInto(x: Value, indices: Value, updates: Value): Value {
  const outputs = [{ shape: x.shape, type: x.type }];
  return x.graph.emit("ScatterElements", [x, indices, updates], outputs, { attributes: { axis: 0 } })[0];
}

export interface LoopDescription {
  /** int64 scalar; null for no limit. */
  readonly maxTrips: Value | null;
  /** First value of each carried tensor, by the name that the body's function sees it under. */
  readonly carried: Readonly<Record<string, Value>>;
  /** Shapes inside the body where they differ from trip to trip (a cache that grows). */
  readonly carriedShapes?: Readonly<Record<string, Shape>>;
  /** Name of the number of trips made; unlike that of any other loop of the graph. */
  readonly trips: string;
}

export interface LoopStep {
  /** Whether there shall be another trip, bool scalar. */
  readonly again: Value;
  readonly carried: Readonly<Record<string, Value>>;
  /** Gathered over the trips along a new first axis. */
  readonly scanned: Readonly<Record<string, Value>>;
}

/** Repeats a body until it says not again; the first trip is always made. Gives the last carried tensors and the scanned ones. */
export function loop(
  graph: Graph,
  { maxTrips, carried, carriedShapes = {}, trips }: LoopDescription,
  step: (body: Graph, trip: Value, carried: Readonly<Record<string, Value>>) => LoopStep,
): { carried: Record<string, Value>; scanned: Record<string, Value> } {
  const body = graph.createBody();
  const prefix = `${trips}_`;
  const names = Object.keys(carried);
  const shapeOf = (name: string): Shape => carriedShapes[name] ?? carried[name].shape;
  const trip = body.input(`${prefix}trip`, [], "int64");
  body.input(`${prefix}again`, [], "bool");
  const inside = Object.fromEntries(
    names.map((name) => [name, body.input(`${prefix}${name}`, shapeOf(name), carried[name].type)]),
  );
  const result = step(body, trip, inside);
  body.output(`${prefix}again_next`, result.again);
  for (const name of names) body.output(`${prefix}${name}_next`, result.carried[name]);
  const scannedNames = Object.keys(result.scanned);
  for (const name of scannedNames) body.output(`${prefix}${name}_scan`, result.scanned[name]);
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

/** x with sizes 0 in `pattern` taken from x's own axes, and its result's shape. */
export function reshapeLike(x: Value, pattern: readonly number[], shape: Shape): Value {
  return x.graph.emit("Reshape", [x, x.graph.integers(pattern)], [{ shape, type: x.type }])[0];
}

/** x in sizes that are known only when the graph runs, an int64 vector of the same graph. */
export function reshapeTo(x: Value, sizes: Value, shape: Shape): Value {
  return x.graph.emit("Reshape", [x, sizes], [{ shape, type: x.type }])[0];
}

/** A value of an outer graph as the body of a loop or a branch sees it: what is made of it is recorded in the body. */
export function seenFrom(body: Graph, value: Value): Value {
  return { ...value, graph: body };
}

/** What one of two branches gives, whichever `condition` (bool []) chooses; the other is not computed. */
export function conditional(
  graph: Graph,
  condition: Value,
  result: { readonly shape: Shape; readonly type: ElementType },
  whenTrue: (body: Graph) => Value,
  whenFalse: (body: Graph) => Value,
): Value {
  const branch = (name: string, build: (body: Graph) => Value): Graph => {
    const body = graph.createBody();
    body.output(name, build(body));
    return body;
  };
  const attributes = { then_branch: branch("when_true", whenTrue), else_branch: branch("when_false", whenFalse) };
  return graph.emit("If", [condition], [result], { attributes })[0];
}
