// One number or expression with its canonical text, and when two of them are the same. Exact fractions and polynomials
// have a readable normal form, rational expressions are compared by residues, and the rest by its values at seeded points
// as far as rounding lets one tell (docs/decisions/0020).
import {
  absolute,
  type Complex,
  digits,
  isHopeless,
  isNumber,
  mayBeZero,
  near,
  notANumber,
  over,
  real,
  toDouble,
} from "./complex.ts";
import { extremePoints, realOf, samplePoint, samplePoints, unknowns, valueAt } from "./evaluate.ts";
import { exactValue } from "./exact.ts";
import type { Node } from "./node.ts";
import { formatPolynomial, leading, polynomial, scale } from "./polynomial.ts";
import { format, invert, nearestSimple, negate, type Rational, toNumber } from "./rational.ts";
import { residues } from "./residue.ts";
import { withoutCommonTerms } from "./tree.ts";

export interface Scalar {
  readonly kind: "scalar";
  readonly node: Node;
  readonly exact: Rational | null;
  /** Digits after the point where the answer is a decimal literal that reads as rounded, else 0. */
  readonly decimals: number;
  readonly unknowns: readonly string[];
  /** One value for a constant, else one a sample point; empty where the numbers are out of reach. */
  readonly samples: readonly Complex[];
  readonly canonical: string;
}

/** Literals with this many digits, and as many after the point, are taken for rounded values; shorter ones for what they say. */
const roundedDigits = 6;
/** Values that a canonical text shows. */
const shownSamples = 4;

/** Null for what has no value: a division by zero, an undefined point everywhere, a tree that is no expression. */
export function scalar(node: Node): Scalar | null {
  const names = unknowns(node);
  const exact = exactValue(node);
  const decimals = decimalsOf(node);
  if (exact !== null) {
    const samples = [realOf(exact)];
    return { kind: "scalar", node, exact, decimals, unknowns: [], samples, canonical: decimalName(exact, decimals) };
  }
  const samples = samplesOf(node, names);
  const inexact = { kind: "scalar", node, exact: null, decimals: 0, unknowns: names } as const;
  if (samples === null) {
    const exactly = residues(node);
    return exactly === null ? null : { ...inexact, samples: [], canonical: `residues ${exactly}` };
  }
  const normal = polynomial(node);
  if (normal !== null) return { ...inexact, samples, canonical: formatPolynomial(normal) };
  const constant = names.length === 0 || isConstant(samples);
  return { ...inexact, samples, canonical: constant ? constantName(samples[0]) : fingerprint(names, samples) };
}

/** A long decimal is named like the simple fraction or the irrational number that it rounds. */
function decimalName(exact: Rational, decimals: number): string {
  if (decimals === 0) return format(exact);
  const simple = nearestSimple(toNumber(exact), 10 ** -decimals, 100);
  return simple !== null ? format(simple) : decimals < 8 ? format(exact) : `≈${digits(realOf(exact))}`;
}

/** log₂ 8 is 3 and i² is −1, whatever way their values were found. */
function constantName(value: Complex): string {
  const flat = Math.abs(value.im) <= 4 * value.error && value.exponent === 0;
  const simple = flat ? nearestSimple(value.re, Math.min(4 * value.error, 1e-9), 1000) : null;
  if (simple !== null && (simple.numerator !== 0n || mayBeZero(value))) return format(simple);
  const text = digits(value);
  return text.endsWith("∞") ? text : `≈${text}`;
}

const isConstant = (samples: readonly Complex[]): boolean =>
  samples.every((value) => isNumber(value) && near(value, samples[0]));

/** Values at the seeded points; null when there are too few. */
function samplesOf(node: Node, names: readonly string[]): readonly Complex[] | null {
  const samples: Complex[] = [];
  for (let i = 0; i < (names.length === 0 ? 1 : samplePoints); i++) {
    const value = valueAt(node, samplePoint(i));
    samples.push(isHopeless(value) ? notANumber : value);
  }
  // Infinity is a value only where it was written: 1/0 and 9^9^9^9 have none.
  if (mentionsInfinity(node)) return samples.some((value) => !Number.isNaN(value.re + value.im)) ? samples : null;
  // One usable value is an accident: x^999999999 is 0 or infinite nearly everywhere.
  return samples.filter(isNumber).length >= Math.min(2, samples.length) ? samples : null;
}

const mentionsInfinity = (node: Node): boolean =>
  node.kind === "symbol" ? node.name === "infty" : node.kind !== "number" && node.operands.some(mentionsInfinity);

function decimalsOf(node: Node): number {
  if (node.kind === "number") {
    if (node.decimals < roundedDigits) return 0;
    const significant = ((node.value.numerator * 10n ** BigInt(node.decimals)) / node.value.denominator).toString()
      .length;
    return significant >= roundedDigits ? node.decimals : 0;
  }
  if (node.kind !== "operation") return 0;
  const inner = node.operator === "neg" || node.operator === "%" ? decimalsOf(node.operands[0]) : 0;
  return inner > 0 && node.operator === "%" ? inner + 2 : inner;
}

/** True where a sample point belongs to the real domain of an expression. */
const isReal = (value: Complex): boolean => value.real && isNumber(value);

/** Points outside the real domain are shown as `?`, unless nearly all are: there a branch would be named. */
function fingerprint(names: readonly string[], samples: readonly Complex[]): string {
  const enough = samples.slice(0, shownSamples).filter(isReal).length >= 2;
  const shown = enough ? samples.slice(0, shownSamples) : samples;
  const onlyReal = shown.filter(isReal).length >= 2;
  const texts = shown.map((value) => (onlyReal && !isReal(value) ? "?" : digits(value)));
  return `expression(${names.join(",")}) ${texts.join(" ")}`;
}

const known = new WeakMap<Scalar, string | null>();
function residuesOf(value: Scalar): string | null {
  const before = known.get(value);
  if (before !== undefined) return before;
  const found = residues(value.node);
  known.set(value, found);
  return found;
}

/** Whether two numbers or expressions are the same, as far as can be told without proving identities. */
export function sameScalar(a: Scalar, b: Scalar): boolean {
  if (a.exact !== null && b.exact !== null && a.decimals === 0 && b.decimals === 0) return a.canonical === b.canonical;
  const constants = a.unknowns.length === 0 && b.unknowns.length === 0;
  const decimals = Math.min(a.decimals || Number.POSITIVE_INFINITY, b.decimals || Number.POSITIVE_INFINITY);
  if (constants && Number.isFinite(decimals)) {
    return a.samples.length > 0 && b.samples.length > 0 && near(a.samples[0], b.samples[0], 10 ** -decimals);
  }
  const [left, right] = [residuesOf(a), residuesOf(b)];
  if (left !== null && right !== null) return left === right;
  return (
    a.samples.length > 0 && b.samples.length > 0 && sameSamples(a.samples, b.samples) && !isRefuted(a.node, b.node)
  );
}

/**
 * Equal wherever both are real; where hardly any point is real for both, equal as complex numbers. A value that only one
 * of two names has (x − x + 1) can only matter through the samples, so constants are compared with expressions too.
 */
function sameSamples(a: readonly Complex[], b: readonly Complex[]): boolean {
  const pairs = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i] ?? a[0], b[i] ?? b[0]] as const);
  const shared = pairs.filter(([x, y]) => isReal(x) && isReal(y));
  return (shared.length >= 2 ? shared : pairs).every(([x, y]) => near(x, y));
}

/**
 * True where two expressions that look the same are not: beside π, the 10^-20 of π + 10^-20 is less than rounding. Terms that
 * both have are taken away first, and unknowns are also 0 and large, where small terms and small factors show.
 */
function isRefuted(a: Node, b: Node): boolean {
  const rest = withoutCommonTerms(difference(a, b));
  const points = [...Array.from({ length: samplePoints }, (_, i) => samplePoint(i)), ...extremePoints];
  return points.some((point) => {
    if (!isReal(valueAt(a, point)) || !isReal(valueAt(b, point))) return false;
    const gap = valueAt(rest, point);
    return isReal(gap) && !near(gap, zeroValue);
  });
}

const zeroValue: Complex = real(0);

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
  const pivot = samples.find((value) => isReal(value) && !mayBeZero(value)) ?? samples[0];
  if (!isNumber(pivot) || mayBeZero(pivot)) return fingerprint(names, samples);
  const size = positiveOnly ? absolute(pivot) : pivot;
  return fingerprint(
    names,
    samples.map((value) => over(value, size)),
  );
}

/** Where an end of an interval lies on the line; NaN where it has no real value. */
export const position = (end: Scalar): number => {
  const [value] = end.samples;
  return value === undefined ? Number.NaN : toDouble(value);
};
