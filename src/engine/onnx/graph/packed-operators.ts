// Operators on rows that stand packed one behind another and are laid out for attention, and on tensors of which more than one
// size is known only when the graph runs. Each says its own gradient: the rules of the operators would ask for sizes, or add
// up what is known to stand in one place only.
import type { OwnGradient, Shape, Value } from "./graph.ts";
import { matMul } from "./operators.ts";

type Backwards = (dy: Value) => Value;

/**
 * Rows of a matrix x [n, width] by int32 `indices` of any shape: [...indices, width]. Row r of x must stand at place `back[r]` of the
 * flattened indices, and wherever else it stands its gradient must be zero.
 */
export function arrangeRows(x: Value, indices: Value, back: Value): Value {
  const width = x.shape[1];
  return gather(x, indices, [...indices.shape, width], (dy) => {
    const rows = dy.shape.length === 2 ? dy : withPattern(dy, [-1, Number(width)], ["arranged", width]);
    return gather(rows, back, x.shape);
  });
}

/**
 * Entries of x [units, time, width] along its first axis, one for each of its int32 `members` [n]. `membership` [units, n] holds a 1
 * where a member stands for an entry, else 0: what the members hand back is added up.
 */
export function repeatUnits(x: Value, members: Value, membership: Value): Value {
  return gather(x, members, [members.shape[0], ...x.shape.slice(1)], (dy) => {
    const flat = withPattern(dy, [0, -1], [dy.shape[0], "entry"]);
    return withPattern(matMul(membership, flat), [0, -1, Number(x.shape[2])], x.shape);
  });
}

/** Joins along an axis; `sizes` int64 [parts] says how long each part is there. */
export function join(parts: readonly Value[], axis: number, sizes: Value): Value {
  if (parts.length === 1) return parts[0];
  const sizesThere = parts.map((part) => part.shape[axis]);
  const known = sizesThere.every((size) => typeof size === "number");
  const total = known ? sizesThere.reduce((a, b) => a + b, 0) : sizesThere.join("+");
  const shape = parts[0].shape.map((size, i) => (i === axis ? total : size));
  return parts[0].graph.emit("Concat", parts, [{ shape }], {
    attributes: { axis },
    gradient: {
      inputs: parts,
      backwards: (dy) => {
        const outputs = parts.map((part) => ({ shape: part.shape }));
        return dy.graph.emit("Split", [dy, sizes], outputs, { attributes: { axis } });
      },
    },
  })[0];
}

/** Columns `from` to before `to` of a matrix whose number of columns is known. */
export function columns(x: Value, from: number, to: number): Value {
  const { graph } = x;
  const width = Number(x.shape[1]);
  if (from === 0 && to === width) return x;
  const ends = [[from], [to], [1]].map((values) => graph.integers(values));
  const backwards: Backwards = (dy) => {
    const pads = graph.integers([0, from, 0, width - to]);
    return graph.emit("Pad", [dy, pads, graph.scalar(0)], [{ shape: x.shape }])[0];
  };
  return graph.emit("Slice", [x, ...ends], [{ shape: [x.shape[0], to - from] }], ofFirst(x, backwards))[0];
}

/** Sizes of a new shape: 0 keeps the size of the same axis, −1 takes what is left over; or an int64 vector that is given when the graph runs. */
type Pattern = readonly number[] | Value;

/** x in another shape; `backwards` leads from the result to x again. */
export function regroup(x: Value, pattern: Pattern, shape: Shape, backwards: Pattern): Value {
  return withPattern(x, pattern, shape, (dy) => withPattern(dy, backwards, x.shape));
}

function gather(x: Value, indices: Value, shape: Shape, gradient?: Backwards): Value {
  const outputs = [{ shape, type: x.type }];
  return x.graph.emit("Gather", [x, indices], outputs, { attributes: { axis: 0 }, ...ofFirst(x, gradient) })[0];
}

function withPattern(x: Value, pattern: Pattern, shape: Shape, gradient?: Backwards): Value {
  const inputs = [x, "graph" in pattern ? pattern : x.graph.integers(pattern)];
  return x.graph.emit("Reshape", inputs, [{ shape, type: x.type }], ofFirst(x, gradient))[0];
}

function ofFirst(x: Value, gradient: Backwards | undefined): { gradient?: OwnGradient } {
  return gradient === undefined ? {} : { gradient: { inputs: [x], backwards: (dy) => [gradient(dy)] } };
}
