// Sets of real numbers: intervals, their unions, and the solutions of inequalities in one unknown. Ends that contain
// unknowns are kept as they are and take no part in set operations.
import { real, toDouble } from "./complex.ts";
import { unknowns, valueAt } from "./evaluate.ts";
import { exactValue } from "./exact.ts";
import type { Node } from "./node.ts";
import { leading, polynomial } from "./polynomial.ts";
import { nearestSimple } from "./rational.ts";
import { difference, position, type Scalar, sameScalar, scalar } from "./scalar.ts";

export interface Interval {
  readonly low: Scalar;
  readonly high: Scalar;
  readonly lowClosed: boolean;
  readonly highClosed: boolean;
}

/** Disjoint intervals in ascending order; a single point is a closed interval of length 0. */
export type Region = readonly Interval[];

const numeric = (region: Region): boolean =>
  region.every(
    ({ low, high }) =>
      low.unknowns.length + high.unknowns.length === 0 && ![low, high].some((end) => Number.isNaN(position(end))),
  );

const infinity: Node = { kind: "symbol", name: "infty", word: false };
const negativeInfinity: Node = { kind: "operation", operator: "neg", operands: [infinity] };

function endOf(value: number): Scalar {
  const simple = nearestSimple(value, 1e-9, 1000);
  const node: Node = Number.isFinite(value)
    ? {
        kind: "number",
        value: simple ?? nearestSimple(value, 1e-12, 1e9) ?? { numerator: 0n, denominator: 1n },
        decimals: 0,
      }
    : value > 0
      ? infinity
      : negativeInfinity;
  const end = scalar(node);
  if (end === null) throw new Error("an interval end that is a number always has a value");
  return end;
}

/** Null when the ends are in the wrong order or meet in an open end. */
export function interval(low: Scalar, high: Scalar, lowClosed: boolean, highClosed: boolean): Interval | null {
  const [a, b] = [position(low), position(high)];
  if (low.unknowns.length === 0 && high.unknowns.length === 0) {
    if (a > b || (a === b && !(lowClosed && highClosed))) return null;
  }
  return {
    low,
    high,
    lowClosed: lowClosed && low.canonical !== "-∞",
    highClosed: highClosed && high.canonical !== "∞",
  };
}

export const allReals = (): Region => [
  { low: endOf(Number.NEGATIVE_INFINITY), high: endOf(Number.POSITIVE_INFINITY), lowClosed: false, highClosed: false },
];

export function canonicalRegion(region: Region): string {
  if (region.length === 0) return "∅";
  return region
    .map((part) =>
      part.low.canonical === part.high.canonical
        ? `{${part.low.canonical}}`
        : `${part.lowClosed ? "[" : "("}${part.low.canonical}, ${part.high.canonical}${part.highClosed ? "]" : ")"}`,
    )
    .join(" ∪ ");
}

export const sameRegion = (a: Region, b: Region): boolean =>
  a.length === b.length &&
  a.every(
    (part, i) =>
      part.lowClosed === b[i].lowClosed &&
      part.highClosed === b[i].highClosed &&
      sameScalar(part.low, b[i].low) &&
      sameScalar(part.high, b[i].high),
  );

/** Combines two regions point by point; null where an end is not a number. */
export function combineRegions(a: Region, b: Region, keep: (inA: boolean, inB: boolean) => boolean): Region | null {
  if (!numeric(a) || !numeric(b)) return null;
  const ends = new Map<number, Scalar>();
  for (const part of [...a, ...b]) {
    for (const end of [part.low, part.high]) {
      const at = position(end);
      const known = [...ends.keys()].find((other) => Math.abs(other - at) <= 1e-9 * Math.max(1, Math.abs(at)));
      if (Number.isFinite(at) && known === undefined) ends.set(at, end);
    }
  }
  const holds = (x: number): boolean => keep(contains(a, x), contains(b, x));
  return fromPredicate(
    [...ends].sort(([x], [y]) => x - y),
    holds,
  );
}

/** The region on which `holds` is true, given every place where it may change. */
function fromPredicate(ends: readonly (readonly [number, Scalar])[], holds: (x: number) => boolean): Region {
  const low = endOf(Number.NEGATIVE_INFINITY);
  const high = endOf(Number.POSITIVE_INFINITY);
  const region: Interval[] = [];
  let open: { readonly low: Scalar; readonly closed: boolean } | null = null;
  const points = ends.map(([x]) => x);
  const between = (i: number): number => {
    if (points.length === 0) return 0;
    if (i === 0) return points[0] - Math.max(1, Math.abs(points[0]));
    if (i === points.length) return points[i - 1] + Math.max(1, Math.abs(points[i - 1]));
    return (points[i - 1] + points[i]) / 2;
  };
  if (holds(between(0))) open = { low, closed: false };
  for (const [i, [x, end]] of ends.entries()) {
    const here = holds(x);
    const after = holds(between(i + 1));
    if (open !== null && !(here && after)) {
      region.push({ low: open.low, high: end, lowClosed: open.closed, highClosed: here });
      open = null;
    }
    if (open === null && after)
      open = { low: end, closed: here && !(region.at(-1)?.high === end && region.at(-1)?.highClosed) };
    else if (open === null && here && region.at(-1)?.high !== end) {
      region.push({ low: end, high: end, lowClosed: true, highClosed: true });
    }
  }
  if (open !== null) region.push({ low: open.low, high, lowClosed: open.closed, highClosed: false });
  return region;
}

function contains(region: Region, x: number): boolean {
  return region.some((part) => {
    const [low, high] = [position(part.low), position(part.high)];
    const slack = 1e-9 * Math.max(1, Math.abs(x));
    if (Math.abs(x - low) <= slack) return part.lowClosed;
    if (Math.abs(x - high) <= slack) return part.highClosed;
    return low < x && x < high;
  });
}

/** Scanned places: dense around 0, thinner outwards; whole and half numbers up to 20 are among them. */
const grid: readonly number[] = [
  ...new Set([
    ...Array.from({ length: 81 }, (_, i) => i / 2 - 20),
    ...Array.from({ length: 60 }, (_, i) => Math.sinh((i - 29.5) / 4) * 3.1),
  ]),
].sort((a, b) => a - b);

/** Solutions of `left operator right` in the one unknown `name`; null where the relation has no real values. */
export function solveInequality(left: Node, operator: string, right: Node, name: string): Region | null {
  const gap = difference(left, right);
  const strict = operator === "<" || operator === ">" || operator === "!=";
  const sign = operator === "<" || operator === "<=" ? -1 : 1;
  /** `slack` is what counts as 0: none while searching for an end, a little when asking whether the end belongs. */
  const test = (value: number, slack: number): boolean => {
    if (!Number.isFinite(value)) return false;
    if (Math.abs(value) <= slack) return !strict;
    return operator === "!=" || value * sign > 0;
  };
  const isolated = isolate(left, operator, right, name) ?? isolate(right, flip(operator), left, name);
  if (isolated !== null) return isolated;
  const gapAt = (x: number): number => {
    const value = valueAt(gap, () => real(x));
    return Math.abs(value.im) <= 4 * value.error ? toDouble(value) : Number.NaN;
  };
  const linear = linearRoot(gap, name);
  if (linear !== null) return fromPredicate([[position(linear), linear]], (x) => test(gapAt(x), 1e-9));
  const changes: number[] = [];
  let previous = test(gapAt(grid[0]), 0);
  for (let i = 1; i < grid.length; i++) {
    const here = test(gapAt(grid[i]), 0);
    if (here !== previous) changes.push(bisect(grid[i - 1], grid[i], previous, (x) => test(gapAt(x), 0)));
    previous = here;
  }
  // A change at a scanned point shows up on both sides of it: keep one.
  const ends = changes
    .map(endOf)
    .map((end) => [position(end), end] as const)
    .filter(([x], i, all) => i === 0 || Math.abs(x - all[i - 1][0]) > 1e-8);
  return fromPredicate(ends, (x) => test(gapAt(x), 1e-9));
}

const flip = (operator: string): string =>
  operator.startsWith("<")
    ? operator.replace("<", ">")
    : operator.startsWith(">")
      ? operator.replace(">", "<")
      : operator;

/** `x operator number`: the end is kept exactly as it was written. */
function isolate(left: Node, operator: string, right: Node, name: string): Region | null {
  if (left.kind !== "symbol" || left.name !== name || unknowns(right).length > 0) return null;
  const end = scalar(right);
  if (end === null) return null;
  const [low, high] = [endOf(Number.NEGATIVE_INFINITY), endOf(Number.POSITIVE_INFINITY)];
  const below: Interval = { low, high: end, lowClosed: false, highClosed: operator === "<=" };
  const above: Interval = { low: end, high, lowClosed: operator === ">=", highClosed: false };
  return operator === "!=" ? [below, above] : operator.startsWith("<") ? [below] : [above];
}

/** The exact root of a linear gap. */
function linearRoot(gap: Node, name: string): Scalar | null {
  const normal = polynomial(gap);
  const slope = normal?.get(`${name}^1`);
  if (normal === null || slope === undefined || normal.size > 2 || leading(normal) !== slope) return null;
  const constant = exactValue({
    kind: "operation",
    operator: "/",
    operands: [
      { kind: "number", value: normal.get("") ?? { numerator: 0n, denominator: 1n }, decimals: 0 },
      { kind: "operation", operator: "neg", operands: [{ kind: "number", value: slope, decimals: 0 }] },
    ],
  });
  if (normal.size === 2 && !normal.has("")) return null;
  return constant === null ? null : scalar({ kind: "number", value: constant, decimals: 0 });
}

function bisect(from: number, to: number, atFrom: boolean, holds: (x: number) => boolean): number {
  let [low, high] = [from, to];
  for (let i = 0; i < 60 && high - low > 1e-13 * Math.max(1, Math.abs(low)); i++) {
    const middle = (low + high) / 2;
    if (holds(middle) === atFrom) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
