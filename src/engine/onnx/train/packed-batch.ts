// From a plan of units to the tensors that tell a graph which row is where, and what each row's token is.
import { type ModelConfig, rotaryTables } from "../../../model/model-config.ts";
import { float32Tensor, int32Tensor, int64Tensor, type Tensor, type Tensors } from "../runtime/runtime.ts";
import type { PackedPlan, Unit } from "./prefix-tree.ts";

/** A position whose log-probability is wanted: that of token `column + 1` of a sequence, which `row` predicts. */
export interface Pick {
  readonly index: number;
  readonly column: number;
  readonly row: number;
}

/** A micro-batch whose tokens stand one behind another; the last row belongs to nobody, and its gradient is always zero. */
export interface PackedBatch {
  readonly levels: number;
  readonly rows: number;
  /** The token of each row. */
  readonly tokens: Int32Array;
  /** Inputs of `declarePackedRows`. */
  readonly feeds: Tensors;
  readonly picks: readonly Pick[];
  /** Sequences of which all wanted positions are here. */
  readonly sequences: readonly number[];
}

/** The first row of each unit, level by level. */
type FirstRows = readonly (readonly number[])[];

export function packBatch(
  config: ModelConfig,
  sequences: readonly (readonly number[])[],
  { levels, strands }: PackedPlan,
  wanted: (sequence: number, token: number) => boolean,
): PackedBatch {
  let next = 0;
  const firstRows = levels.map((units) =>
    units.map(({ start, end }) => {
      const first = next;
      next += end - start;
      return first;
    }),
  );
  const rows = next + 1;
  const tokens = new Int32Array(rows);
  const positions = new BigInt64Array(rows);
  let longest = 1;
  for (const [level, units] of levels.entries()) {
    for (const [i, { index, start, end }] of units.entries()) {
      longest = Math.max(longest, end);
      for (let t = start; t < end; t++) {
        tokens[firstRows[level][i] + t - start] = sequences[index][t];
        positions[firstRows[level][i] + t - start] = BigInt(t);
      }
    }
  }
  const picks = strands.flatMap(({ index, length, level, unit }) => {
    const rowOf = rowsOfStrand(levels, firstRows, level, unit, length);
    return Array.from(rowOf, (row, column) => ({ index, column, row })).filter(({ column }) =>
      wanted(index, column + 1),
    );
  });
  return {
    levels: levels.length,
    rows,
    tokens,
    feeds: {
      positions: int64Tensor([rows, 1], positions),
      ...rotationFeeds(config, longest),
      ...levelFeeds(config, levels, firstRows, rows),
    },
    picks,
    sequences: strands.map(({ index }) => index),
  };
}

/** The row of each of a strand's tokens, from its last unit up. */
function rowsOfStrand(
  levels: readonly (readonly Unit[])[],
  firstRows: FirstRows,
  level: number,
  unit: number,
  length: number,
): Int32Array {
  const rows = new Int32Array(length);
  let at: number | null = unit;
  for (let i = level; at !== null; i--) {
    const { start, end, parent }: Unit = levels[i][at];
    for (let t = start; t < end; t++) rows[t] = firstRows[i][at] + t - start;
    at = parent;
  }
  return rows;
}

/** Tables of few different lengths, for the runtime reads only the rows that positions name. */
function rotationFeeds(config: ModelConfig, positions: number): Tensors {
  const size = 2 ** Math.ceil(Math.log2(positions));
  const { cosines, sines } = rotaryTables(config, size);
  const shape = [size, config.headSize / 2];
  return { cosines: float32Tensor(shape, cosines), sines: float32Tensor(shape, sines) };
}

function levelFeeds(
  { heads, headSize }: ModelConfig,
  levels: readonly (readonly Unit[])[],
  firstRows: FirstRows,
  rows: number,
): Tensors {
  const nobody = rows - 1;
  const times = levels.map(paddedTime);
  const sizes = levels.map((units, level) => units.length * times[level]);
  const feeds: Record<string, Tensor> = {};
  const allRows = new Int32Array(sizes.reduce((sum, size) => sum + size, 0)).fill(nobody);
  const allBack = new Int32Array(rows);
  let offset = 0;
  for (const [level, units] of levels.entries()) {
    const time = times[level];
    const rowOf = allRows.subarray(offset, offset + sizes[level]);
    const free = units.findIndex(({ start, end }) => end - start < time);
    const padding = (free + 1) * time - 1;
    const back = new Int32Array(rows).fill(padding);
    allBack[nobody] = offset + padding;
    for (const [i, { start, end }] of units.entries()) {
      for (let t = 0; t < end - start; t++) {
        const row = firstRows[level][i] + t;
        rowOf[i * time + t] = row;
        back[row] = i * time + t;
        allBack[row] = offset + i * time + t;
      }
    }
    offset += sizes[level];
    feeds[`rows_${level}`] = int32Tensor([units.length, time], rowOf.slice());
    feeds[`back_${level}`] = int32Tensor([rows], back);
    feeds[`key_sizes_${level}`] = int64Tensor([level + 1], times.slice(0, level + 1));
    feeds[`grid_${level}`] = int64Tensor([3], [units.length, time, heads * headSize]);
    Object.assign(feeds, relationFeeds(levels, times, level));
  }
  feeds["all_rows"] = int32Tensor([allRows.length], allRows);
  feeds["all_back"] = int32Tensor([rows], allBack);
  feeds["level_sizes"] = int64Tensor([sizes.length], sizes);
  return feeds;
}

/** The longest unit's tokens, and one more where no unit is shorter: there must be a place that belongs to no row. */
function paddedTime(units: readonly Unit[]): number {
  const lengths = units.map(({ start, end }) => end - start);
  const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
  return lengths.some((length) => length < longest) ? longest : longest + 1;
}

/** What a level's tokens attend to: those before them in their unit, and the tokens of the units above. */
function relationFeeds(
  levels: readonly (readonly Unit[])[],
  times: readonly number[],
  level: number,
): Record<string, Tensor> {
  const units = levels[level];
  const time = times[level];
  const keys = times.slice(0, level + 1).reduce((sum, count) => sum + count, 0);
  const mask = new Float32Array(units.length * time * keys);
  const feeds: Record<string, Tensor> = {};
  let ancestors = units.map((_, i) => i);
  let from = keys - time;
  for (let above = level - 1; above >= 0; above--) {
    ancestors = ancestors.map((unit) => levels[above + 1][unit].parent ?? 0);
    from -= times[above];
    const membership = new Float32Array(levels[above].length * units.length);
    for (const [unit, ancestor] of ancestors.entries()) {
      membership[ancestor * units.length + unit] = 1;
      const { start, end } = levels[above][ancestor];
      for (let t = 0; t < time; t++) {
        const row = (unit * time + t) * keys;
        mask.fill(masked, row + from + end - start, row + from + times[above]);
      }
    }
    feeds[`members_${level}_${above}`] = int32Tensor([units.length], ancestors);
    feeds[`membership_${level}_${above}`] = float32Tensor([levels[above].length, units.length], membership);
  }
  for (let row = 0; row < units.length * time; row++) {
    mask.fill(masked, row * keys + keys - time + (row % time) + 1, (row + 1) * keys);
  }
  feeds[`mask_${level}`] = float32Tensor([units.length, 1, time, keys], mask);
  return feeds;
}

const masked = -1e9;
