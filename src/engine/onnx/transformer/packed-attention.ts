// A layer over sequences that share their beginnings: every token that some of them have in common stands once among the rows of
// one matrix, so that linear layers compute it once. Only attention looks at what belongs together: tokens stand in units
// (a prompt, an answer), units in levels, and a unit attends to itself and to the unit above it on each higher level.
// Sizes are known only when a graph runs; train/packed-batch.ts makes the tensors.

import type { ModelConfig } from "../../../model/model-config.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { add, matMul, multiply, reduceMax, reshape, rotary, softmax, subtract, transpose } from "../graph/operators.ts";
import { arrangeRows, join, regroup, repeatUnits } from "../graph/packed-operators.ts";
import type { Attend, SplitHeads } from "./decoder-layer.ts";

/** One level's inputs. Rows are those of the whole matrix; a place is counted in the flattened `rows`. */
interface PackedLevel {
  /** int32 [units, time]: the row of each token of each unit; behind a unit's end the last row, which belongs to nobody. */
  readonly rows: Value;
  /** int32 [rows]: the place of each row; of one that is not on this level some place behind a unit's end. */
  readonly back: Value;
  /** float32 [units, 1, time, keys]: 0 where a token attends, −1e9 where it does not. Keys are those of the levels above, then its own. */
  readonly mask: Value;
  /** int64 [levels up to this]: keys of each. */
  readonly keySizes: Value;
  /** int64 [3]: units, time, width of the queries. */
  readonly grid: Value;
  /** For each level above: int32 [units], the unit there, and float32 [units there, units], 1 where that is so. */
  readonly above: readonly { readonly members: Value; readonly membership: Value }[];
}

/** Inputs that tell a graph which row is where. */
export interface PackedRows {
  /** int64 [rows, 1]: positions in the sequence, of which the tables of rotations [positions, headSize / 2] are asked. */
  readonly positions: Value;
  readonly cosines: Value;
  readonly sines: Value;
  readonly levels: readonly PackedLevel[];
  /** int32 [rows], [places]: from the places of all levels, one level behind another, to rows and back. */
  readonly allBack: Value;
  readonly allRows: Value;
  /** int64 [levels]: places of each. */
  readonly levelSizes: Value;
}

/** Declares the inputs, for units on `levels` levels. */
export function declarePackedRows(graph: Graph, { headSize }: ModelConfig, levels: number): PackedRows {
  const level = (i: number): PackedLevel => {
    const [units, time] = [`units_${i}`, `time_${i}`];
    return {
      rows: graph.input(`rows_${i}`, [units, time], "int32"),
      back: graph.input(`back_${i}`, ["rows"], "int32"),
      mask: graph.input(`mask_${i}`, [units, 1, time, `keys_${i}`]),
      keySizes: graph.input(`key_sizes_${i}`, [i + 1], "int64"),
      grid: graph.input(`grid_${i}`, [3], "int64"),
      above: Array.from({ length: i }, (_, j) => ({
        members: graph.input(`members_${i}_${j}`, [units], "int32"),
        membership: graph.input(`membership_${i}_${j}`, [`units_${j}`, units]),
      })),
    };
  };
  return {
    positions: graph.input("positions", ["rows", 1], "int64"),
    cosines: graph.input("cosines", ["table", headSize / 2]),
    sines: graph.input("sines", ["table", headSize / 2]),
    levels: Array.from({ length: levels }, (_, i) => level(i)),
    allBack: graph.input("all_back", ["rows"], "int32"),
    allRows: graph.input("all_rows", ["places"], "int32"),
    levelSizes: graph.input("level_sizes", [levels], "int64"),
  };
}

/** [rows, heads · headSize], normalised per head and rotated by each row's position. */
export function packedHeads({ headSize }: ModelConfig, { positions, cosines, sines }: PackedRows): SplitHeads {
  return (x, heads, normHead) => {
    const normed = normHead === null ? x : reshape(normHead(reshape(x, ["heads", headSize])), x.shape);
    const rotated = rotary(reshape(normed, ["rows", 1, heads * headSize]), positions, cosines, sines);
    return reshape(rotated, x.shape);
  };
}

/** Attention of every row to those before it in its sequence: [rows, width] → [rows, heads · headSize]. */
export function packedAttention(config: ModelConfig, packed: PackedRows): Attend {
  return (queries, keys, values) => {
    const scaled = multiply(queries, queries.graph.scalar(config.headSize ** -0.5));
    const own = packed.levels.map(({ rows, back }) => ({
      keys: arrangeRows(keys, rows, back),
      values: arrangeRows(values, rows, back),
    }));
    const contexts = packed.levels.map((level, i) => {
      const seen = (kind: "keys" | "values"): Value => {
        const above = level.above.map(({ members, membership }, j) => repeatUnits(own[j][kind], members, membership));
        return join([...above, own[i][kind]], 1, level.keySizes);
      };
      return unitAttention(config, level, arrangeRows(scaled, level.rows, level.back), seen("keys"), seen("values"));
    });
    const all = join(contexts, 0, packed.levelSizes);
    return arrangeRows(all, packed.allBack, packed.allRows);
  };
}

/** Queries [units, time, width] on keys and values [units, keys, width]: [places, heads · headSize]. */
function unitAttention(
  { heads, keyValueHeads, headSize }: ModelConfig,
  { mask, grid }: PackedLevel,
  queries: Value,
  keys: Value,
  values: Value,
): Value {
  const [units, time, seen] = [mask.shape[0], mask.shape[2], mask.shape[3]];
  const split = (x: Value, count: number): Value =>
    regroup(x, [0, 0, count, headSize], [x.shape[0], x.shape[1], count, headSize], [0, 0, count * headSize]);
  // Query heads that share keys are stacked along time, so that one product serves the whole group.
  const stack = (x: Value, width: number | string, size: 0 | number): Value =>
    regroup(x, [0, keyValueHeads, -1, size], [units, keyValueHeads, "stacked", width], [0, heads, -1, size]);
  const unstack = (x: Value, width: number | string, size: 0 | number): Value =>
    regroup(x, [0, heads, -1, size], [units, heads, time, width], [0, keyValueHeads, -1, size]);

  const grouped = stack(transpose(split(queries, heads), [0, 2, 1, 3]), headSize, headSize);
  const keysTransposed = transpose(split(keys, keyValueHeads), [0, 2, 3, 1]);
  const valuesByHead = transpose(split(values, keyValueHeads), [0, 2, 1, 3]);
  const scores = unstack(matMul(grouped, keysTransposed), seen, 0);
  const probabilities = softmax(raiseToLeast(add(scores, mask)));
  const mixed = unstack(matMul(stack(probabilities, seen, 0), valuesByHead), headSize, headSize);
  const width = heads * headSize;
  const rows = regroup(transpose(mixed, [0, 2, 1, 3]), [0, 0, width], [units, time, width], [0, 0, heads, headSize]);
  return regroup(rows, [-1, width], [`places_of_${String(units)}`, width], grid);
}

/** e to the minus this is nothing beside 1, and yet an ordinary number. */
const leastBelowMaximum = 60;

/**
 * Scores no further below their row's largest than makes a difference. What is masked would otherwise become numbers too small for
 * the processor's ordinary arithmetic, and softmax takes three times as long. Changes no probability by more than e⁻⁶⁰.
 */
function raiseToLeast(scores: Value): Value {
  const { graph, shape } = scores;
  const least = subtract(reduceMax(scores, [shape.length - 1], true), graph.scalar(leastBelowMaximum));
  const gradient = { inputs: [scores], backwards: (dy: Value) => [dy] };
  return graph.emit("Max", [scores, least], [{ shape }], { gradient })[0];
}
