// Attention of a step: new positions of every row over blocks of earlier keys and values, and over each other.
//
// Blocks have `blockSize` places each and stand in two pools: those that several rows see, and those of single rows. A block is
// multiplied with the queries of all of its rows at once (its slots), so it is read once, and nothing else is read,
// however long other rows are. Which rows these are, and which blocks a row sees, say index tensors (step-indices.ts).
// New positions are given one behind another, whatever row they are of, and laid out by rows for attention alone: what is filled up there is not
// computed elsewhere, and a key that several rows have in common is one position.
// What a row gets does not depend on the pools in which its blocks stand, nor on other rows: its sums run over its blocks in
// their order.

import type { ModelConfig } from "../../../../model/model-config.ts";
import {
  gatherInto,
  matMulTransposed,
  reshapeLike,
  reshapeTo,
  sizeOf,
  splitLast,
} from "../../graph/decode-operators.ts";
import type { Graph, Shape, Value } from "../../graph/graph.ts";
import { add, concatenate, matMul, multiply, reduceSum, softmax, transpose } from "../../graph/operators.ts";

/** Places of a block. */
export const blockSize = 32;

/** Keys or values of one layer's blocks, float32 [blocks, keyValueHeads, blockSize, headSize]. */
export interface Pools {
  readonly shared: Value;
  readonly own: Value;
}

/**
 * What all layers of a step share. Sizes: n (new positions), rows, queries and time (the most new positions that a row computes and
 * has), chunks (the most blocks that a row sees).
 */
export interface StepIndices {
  /** int32 [blocks, keyValueHeads, slots]: whose queries, as row · keyValueHeads + head. */
  readonly queries: Pools;
  /** int32 [blocks, keyValueHeads, slots · perKey · queries]: where a block's shares stand among those of all rows. */
  readonly shares: Pools;
  /** int32 [rows, keyValueHeads, perKey, queries, chunks]: where a row's scores stand among those of all blocks, shared ones first. */
  readonly chunks: Value;
  /** The same, turned: int32 [chunks, rows, keyValueHeads, perKey, queries]. */
  readonly chunksFirst: Value;
  /** float32 [rows, 1, 1, 1, old]: 0 where a place of a row's blocks (chunks · blockSize) is its own, else a large negative number. */
  readonly visible: Value;
  /** float32 [rows, 1, 1, queries, time]: the same among the new positions. */
  readonly causal: Value;
  /** int32 [rows, queries] and [rows, time]: which new positions are a row's queries and its keys. */
  readonly newQueries: Value;
  readonly newKeys: Value;
  /** int32 [n]: where each new position stands among the queries of all rows. */
  readonly back: Value;
  /** int64 vectors for Reshape. */
  readonly sizes: Readonly<Record<"queries" | "keys" | "byRowAndHead" | "freshByHead" | "freshByQuery", Value>>;
  /** int64 [1]. */
  readonly old: Value;
}

/** Declares the inputs that step-indices.ts makes. */
export function declareIndices(graph: Graph, config: ModelConfig): StepIndices {
  const { heads, keyValueHeads, headSize } = config;
  const perKey = heads / keyValueHeads;
  const index = (name: string, shape: Shape): Value => graph.input(name, shape, "int32");
  const visible = graph.input("visible", ["rows", 1, 1, 1, "old"]);
  const [newQueries, newKeys] = [index("new_queries", ["rows", "queries"]), index("new_keys", ["rows", "time"])];
  const [rows, queries, time] = [sizeOf(newQueries, 0), sizeOf(newQueries, 1), sizeOf(newKeys, 1)];
  const sizes = (...parts: (Value | number)[]): Value => {
    const [first, ...rest] = parts.map((part) => (typeof part === "number" ? graph.integers([part]) : part));
    return concatenate([first, ...rest], 0);
  };
  const chunks = index("chunks", ["rows", keyValueHeads, perKey, "queries", "chunks"]);
  return {
    queries: {
      shared: index("shared_queries", ["shared_blocks", keyValueHeads, "shared_slots"]),
      own: index("own_queries", ["own_blocks", keyValueHeads, "own_slots"]),
    },
    shares: {
      shared: index("shared_shares", ["shared_blocks", keyValueHeads, "shared_shares"]),
      own: index("own_shares", ["own_blocks", keyValueHeads, "own_shares"]),
    },
    chunks,
    chunksFirst: transpose(chunks, [4, 0, 1, 2, 3]),
    visible,
    causal: graph.input("causal", ["rows", 1, 1, "queries", "time"]),
    newQueries,
    newKeys,
    back: index("back", ["n"]),
    sizes: {
      queries: sizes(rows, queries, keyValueHeads, perKey, headSize),
      keys: sizes(rows, time, keyValueHeads, headSize),
      byRowAndHead: sizes(-1, multiply(queries, graph.integers([perKey])), headSize),
      freshByHead: sizes(rows, keyValueHeads, -1, time),
      freshByQuery: sizes(rows, keyValueHeads, perKey, queries, time),
    },
    old: sizeOf(visible, 4),
  };
}

/** Inputs `shared_keys_n`, `shared_values_n`, `own_keys_n` and `own_values_n` of a layer. */
export function declarePools(
  graph: Graph,
  { keyValueHeads, headSize }: ModelConfig,
  layer: number,
): { readonly keys: Pools; readonly values: Pools } {
  const pool = (name: "shared" | "own", of: string): Value =>
    graph.input(`${name}_${of}_${layer}`, [`${name}_blocks`, keyValueHeads, blockSize, headSize]);
  const pools = (of: string): Pools => ({ shared: pool("shared", of), own: pool("own", of) });
  return { keys: pools("keys"), values: pools("values") };
}

/**
 * query [n, heads · headSize], key and value [n, keyValueHeads · headSize], the first two rotated. Gives the context
 * [n, heads · headSize].
 */
export function stepAttention(
  { heads, keyValueHeads, headSize }: ModelConfig,
  indices: StepIndices,
  pools: { readonly keys: Pools; readonly values: Pools },
  { query, key, value }: Readonly<Record<"query" | "key" | "value", Value>>,
): Value {
  const perKey = heads / keyValueHeads;
  const { sizes, newQueries, newKeys } = indices;
  const scaled = multiply(query, query.graph.scalar(headSize ** -0.5));
  const ofRows = ["rows", "queries", keyValueHeads, perKey, headSize];
  // From here on queries stand as [rows, keyValueHeads, perKey, queries, …], so that those of one key head are side by side.
  const queries = transpose(reshapeTo(gatherInto(newQueries, scaled), sizes.queries, ofRows), [0, 2, 3, 1, 4]);
  const newest = (x: Value): Value =>
    transpose(reshapeTo(gatherInto(newKeys, x), sizes.keys, ["rows", "time", keyValueHeads, headSize]), [0, 2, 1, 3]);
  const byHead = reshapeLike(queries, [0, 0, -1, headSize], ["rows", keyValueHeads, "perKey·queries", headSize]);
  const amongNew = matMulTransposed(byHead, newest(key));
  const fresh = reshapeTo(amongNew, sizes.freshByQuery, ["rows", keyValueHeads, perKey, "queries", "time"]);
  const scores = concatenate(
    [add(oldScores(indices, pools.keys, byHead), indices.visible), add(fresh, indices.causal)],
    4,
  );
  const [ofOld, ofNew] = splitLast(softmax(scores), indices.old, ["old", "time"]);
  const ofNewByHead = reshapeTo(ofNew, sizes.freshByHead, ["rows", keyValueHeads, "perKey·queries", "time"]);
  const fromNew = matMul(ofNewByHead, newest(value));
  const ofQuery = ["rows", keyValueHeads, perKey, "queries", headSize];
  const context = add(
    oldContext(indices, pools.values, ofOld),
    reshapeLike(fromNew, [0, 0, perKey, -1, headSize], ofQuery),
  );
  const width = heads * headSize;
  const laidOut = reshapeLike(transpose(context, [0, 3, 1, 2, 4]), [-1, width], ["rows·queries", width]);
  return gatherInto(indices.back, laidOut);
}

/** Scores of all places of a row's blocks: [rows, keyValueHeads, perKey, queries, old]. `queries` [rows, keyValueHeads, perKey · queries, headSize]. */
function oldScores({ queries: whose, chunks, sizes }: StepIndices, keys: Pools, queries: Value): Value {
  const [, keyValueHeads, perHead, headSize] = queries.shape;
  const byRowAndHead = reshapeTo(queries, sizes.byRowAndHead, ["rows·heads", perHead, headSize]);
  const scoresOf = (of: "shared" | "own"): Value => {
    const blocks = keys[of].shape[0];
    const mine = gatherInto(whose[of], byRowAndHead);
    const stacked = reshapeLike(
      mine,
      [0, 0, -1, headSize as number],
      [blocks, keyValueHeads, "slots·perKey·queries", headSize],
    );
    return reshapeLike(matMulTransposed(stacked, keys[of]), [-1, blockSize], [`${of}_scores`, blockSize]);
  };
  const all = concatenate([scoresOf("shared"), scoresOf("own")], 0);
  const perRow = gatherInto(chunks, all);
  return reshapeLike(perRow, [0, 0, 0, 0, -1], [...chunks.shape.slice(0, 4), "old"]);
}

/** Values of a row's blocks, mixed by its shares [rows, keyValueHeads, perKey, queries, old]: [rows, keyValueHeads, perKey, queries, headSize]. */
function oldContext({ shares: whose, chunksFirst }: StepIndices, values: Pools, shares: Value): Value {
  const headSize = values.own.shape[3] as number;
  const byBlock = reshapeLike(shares, [-1, blockSize], ["shares", blockSize]);
  const contextOf = (of: "shared" | "own"): Value =>
    reshapeLike(matMul(gatherInto(whose[of], byBlock), values[of]), [-1, headSize], [`${of}_contexts`, headSize]);
  const all = concatenate([contextOf("shared"), contextOf("own")], 0);
  // Along the first axis sums are made one after the other; along others in an order that depends on how many there are.
  return reduceSum(gatherInto(chunksFirst, all), [0], false);
}
