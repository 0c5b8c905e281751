// One number or expression with its canonical text, and when two of them are the same. Exact fractions and polynomials
// have a readable normal form; the rest is compared, and named, by its values at seeded points.
import type { Complex } from "./complex.ts";
import { exactValue, samplePoint, unknowns, valueAt } from "./evaluate.ts";
import type { Node } from "./node.ts";
import { formatPolynomial, leading, polynomial, scale } from "./polynomial.ts";
import { format, invert, nearestSimple, negate, type Rational, toNumber } from "./rational.ts";

export interface Scalar {
  readonly kind: "scalar";
  readonly node: Node;
  readonly exact: Rational | null;
  /** Digits after the point where the answer is a decimal literal of at least six of them, else 0. */
  readonly decimals: number;
  readonly unknowns: readonly string[];
  readonly samples: readonly Complex[];
  readonly canonical: string;
}

const sampleCount = 4;
/** Literals this long are taken for rounded values; shorter ones for what they say. */
const roundedDecimals = 6;

/** Null for what has no value: a division by zero, an undefined point everywhere, a tree that is no expression. */
export function scalar(node: Node): Scalar | null {
  const names = unknowns(node);
  const exact = exactValue(node);
  const decimals = decimalsOf(node);
  if (exact !== null) {
    const samples = [[toNumber(exact), 0]] as const;
    return { kind: "scalar", node, exact, decimals, unknowns: [], samples, canonical: decimalName(exact, decimals) };
  }
  const samples = samplesOf(node, names);
  if (samples === null) return null;
  const normal = polynomial(node);
  if (normal !== null) {
    return {
      kind: "scalar",
      node,
      exact: null,
      decimals: 0,
      unknowns: names,
      samples,
      canonical: formatPolynomial(normal),
    };
  }
  const canonical = names.length === 0 || isConstant(samples) ? constantName(samples[0]) : fingerprint(names, samples);
  return { kind: "scalar", node, exact: null, decimals: 0, unknowns: names, samples, canonical };
}

/** A long decimal is named like the simple fraction or the irrational number that it rounds. */
function decimalName(exact: Rational, decimals: number): string {
  if (decimals === 0) return format(exact);
  const simple = nearestSimple(toNumber(exact), 10 ** -decimals, 100);
  return simple !== null ? format(simple) : decimals < 8 ? format(exact) : `≈${digits([toNumber(exact), 0])}`;
}

/** log₂ 8 is 3 and i² is −1, whatever way their values were found. */
function constantName(value: Complex): string {
  const simple = Math.abs(value[1]) < 1e-12 ? nearestSimple(value[0], 1e-12, 1000) : null;
  if (simple !== null) return format(simple);
  const text = digits(value);
  return text.endsWith("∞") ? text : `≈${text}`;
}

const isConstant = (samples: readonly Complex[]): boolean =>
  samples.every((value) => Number.isFinite(value[0]) && near(value, samples[0], 0));

/** Values at the seeded points; null when there is none at any of them. */
function samplesOf(node: Node, names: readonly string[]): readonly Complex[] | null {
  const samples: Complex[] = [];
  for (let i = 0; i < (names.length === 0 ? 1 : sampleCount); i++) samples.push(valueAt(node, samplePoint(i)));
  // Infinity is a value only where it was written: 1/0 and 9^9^9^9 have none.
  const written = mentionsInfinity(node);
  if (written) return samples.some(([x]) => !Number.isNaN(x)) ? samples : null;
  // One usable value is an accident: x^999999999 is 0 or infinite nearly everywhere.
  const usable = samples.filter((value) => Number.isFinite(value[0]) && Number.isFinite(value[1]));
  return usable.length >= Math.min(2, samples.length) ? samples : null;
}

const mentionsInfinity = (node: Node): boolean =>
  node.kind === "symbol" ? node.name === "infty" : node.kind !== "number" && node.operands.some(mentionsInfinity);

function decimalsOf(node: Node): number {
  if (node.kind === "number") return node.decimals >= roundedDecimals ? node.decimals : 0;
  if (node.kind === "operation" && (node.operator === "neg" || node.operator === "%"))
    return decimalsOf(node.operands[0]);
  return 0;
}

/** Nine significant digits: enough to tell answers apart, few enough to hide rounding. */
function digits([x, y]: Complex): string {
  const show = (value: number): string => {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "?" : value > 0 ? "∞" : "-∞";
    return `${Number(value.toPrecision(9))}`;
  };
  const tiny = 1e-9 * Math.max(1, Math.abs(x));
  return Math.abs(y) < tiny ? show(Math.abs(x) < 1e-12 ? 0 : x) : `${show(Math.abs(x) < 1e-9 ? 0 : x)}+${show(y)}i`;
}

const fingerprint = (names: readonly string[], samples: readonly Complex[]): string =>
  `expression(${names.join(",")}) ${samples.map(digits).join(" ")}`;

export function sameScalar(a: Scalar, b: Scalar): boolean {
  if (a.canonical === b.canonical) return true;
  if (a.exact !== null && b.exact !== null && a.decimals === 0 && b.decimals === 0) return false;
  if (a.unknowns.length === 0 && b.unknowns.length === 0) {
    const rounding = Math.min(a.decimals || Number.POSITIVE_INFINITY, b.decimals || Number.POSITIVE_INFINITY);
    return near(a.samples[0], b.samples[0], rounding === Number.POSITIVE_INFINITY ? 0 : 10 ** -rounding);
  }
  // A name that only one of them has (x − x + 1) can only matter through the values, so compare those.
  const count = Math.max(a.samples.length, b.samples.length);
  for (let i = 0; i < count; i++) {
    if (!near(a.samples[i] ?? a.samples[0], b.samples[i] ?? b.samples[0], 0)) return false;
  }
  return true;
}

function near(a: Complex, b: Complex, absolute: number): boolean {
  if (a[0] === b[0] && a[1] === b[1]) return true;
  const undefinedA = Number.isNaN(a[0]) || Number.isNaN(a[1]);
  const undefinedB = Number.isNaN(b[0]) || Number.isNaN(b[1]);
  if (undefinedA || undefinedB) return undefinedA && undefinedB;
  const size = Math.max(Math.hypot(a[0], a[1]), Math.hypot(b[0], b[1]));
  if (!Number.isFinite(size)) return false;
  return Math.hypot(a[0] - b[0], a[1] - b[1]) <= Math.max(absolute, 1e-9 * Math.max(size, 1e-3));
}

/** `left − right` as one tree. */
export const difference = (left: Node, right: Node): Node => ({
  kind: "operation",
  operator: "+",
  operands: [left, { kind: "operation", operator: "neg", operands: [right] }],
});

/**
 * Canonical text of an expression up to a factor: any factor for equations, a positive one for inequalities.
 * Null when it has no value.
 */
export function canonicalUpToScale(node: Node, positiveOnly: boolean): string | null {
  const normal = polynomial(node);
  if (normal !== null) {
    const factor = leading(normal);
    if (factor === null) return "0";
    const divisor = invert(positiveOnly && factor.numerator < 0n ? negate(factor) : factor);
    const scaled = divisor === null ? null : scale(normal, divisor);
    return scaled === null ? null : formatPolynomial(scaled);
  }
  const names = unknowns(node);
  const samples = samplesOf(node, names);
  if (samples === null) return null;
  const [x, y] = samples[0];
  const size = positiveOnly ? Math.hypot(x, y) : x;
  if (size === 0 || !Number.isFinite(size)) return fingerprint(names, samples);
  return fingerprint(
    names,
    samples.map(([re, im]) => [re / size, im / size]),
  );
}
