// Exact fractions of big integers, no more than answers need. Results above `maxBits` are refused (null) instead of
// computed: an answer such as 9^9^9^9 must not cost memory.

/** Lowest terms; the denominator is positive. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const maxBits = 4096;

export function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

const tooLarge = (value: bigint): boolean => BigInt.asIntN(maxBits, value) !== value;

/** Null for a zero denominator and for numbers beyond the size limit. */
export function rational(numerator: bigint, denominator = 1n): Rational | null {
  if (denominator === 0n || tooLarge(numerator) || tooLarge(denominator)) return null;
  const divisor = greatestCommonDivisor(numerator, denominator) * (denominator < 0n ? -1n : 1n);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

export const zero: Rational = { numerator: 0n, denominator: 1n };
export const one: Rational = { numerator: 1n, denominator: 1n };

/** Reads `12`, `12.5` or `.5`; null for anything else and for numbers of more than 1000 digits. */
export function rationalFromDecimal(text: string): Rational | null {
  const match = /^(\d*)\.?(\d*)$/.exec(text);
  if (match === null || text.length > 1000 || match[1] + match[2] === "") return null;
  return rational(BigInt(match[1] + match[2]), 10n ** BigInt(match[2].length));
}

export const add = (a: Rational, b: Rational): Rational | null =>
  rational(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);

export const multiply = (a: Rational, b: Rational): Rational | null =>
  rational(a.numerator * b.numerator, a.denominator * b.denominator);

export const negate = (a: Rational): Rational => ({ numerator: -a.numerator, denominator: a.denominator });

export const invert = (a: Rational): Rational | null => rational(a.denominator, a.numerator);

/** `base` to an integer power; null where it is undefined or too large. */
export function power(base: Rational, exponent: Rational): Rational | null {
  if (exponent.denominator !== 1n) return null;
  const count = exponent.numerator < 0n ? -exponent.numerator : exponent.numerator;
  const bits = BigInt(bitLength(base.numerator) + bitLength(base.denominator));
  const trivial = base.denominator === 1n && base.numerator * base.numerator <= 1n;
  if (count > 100_000n || (!trivial && bits * count > BigInt(2 * maxBits))) return null;
  const result = rational(base.numerator ** count, base.denominator ** count);
  return result !== null && exponent.numerator < 0n ? invert(result) : result;
}

/** Nearest double; infinite or 0 where the fraction is beyond them. */
export function toNumber(a: Rational): number {
  const { mantissa, exponent } = scaledNumber(a);
  const half = Math.trunc(exponent / 2);
  return mantissa * 2 ** half * 2 ** (exponent - half);
}

/** The fraction as `mantissa` · 2^`exponent`; the exponent is 0 where a double alone holds it. */
export function scaledNumber(a: Rational): {
  readonly mantissa: number;
  readonly exponent: number;
  readonly exact: boolean;
} {
  const [top, bottom] = [Number(a.numerator), Number(a.denominator)];
  const direct = top / bottom;
  if (
    Number.isFinite(top) &&
    Number.isFinite(bottom) &&
    (direct === 0 ? a.numerator === 0n : Math.abs(direct) > 1e-300)
  )
    return { mantissa: direct, exponent: 0, exact: a.denominator === 1n && Number.isSafeInteger(direct) };
  const [shiftTop, shiftBottom] = [a.numerator, a.denominator].map((part) => Math.max(0, bitLength(part) - 64));
  const mantissa = Number(a.numerator >> BigInt(shiftTop)) / Number(a.denominator >> BigInt(shiftBottom));
  return { mantissa, exponent: shiftTop - shiftBottom, exact: false };
}

const bitLength = (value: bigint): number => (value < 0n ? -value : value).toString(2).length;

/** `3`, `-2/7`. */
export const format = (a: Rational): string =>
  a.denominator === 1n ? `${a.numerator}` : `${a.numerator}/${a.denominator}`;

/**
 * The simplest fraction within `tolerance` of `value` whose denominator is at most `maxDenominator`, or null.
 * Walks the continued fraction of `value`.
 */
export function nearestSimple(value: number, tolerance: number, maxDenominator: number): Rational | null {
  if (!Number.isFinite(value) || Math.abs(value) > 1e12) return null;
  let [previousNumerator, numerator] = [0, 1];
  let [previousDenominator, denominator] = [1, 0];
  let rest = value;
  for (let i = 0; i < 20; i++) {
    const whole = Math.floor(rest);
    [previousNumerator, numerator] = [numerator, whole * numerator + previousNumerator];
    [previousDenominator, denominator] = [denominator, whole * denominator + previousDenominator];
    if (denominator > maxDenominator || !Number.isSafeInteger(numerator)) return null;
    if (Math.abs(numerator / denominator - value) <= tolerance) {
      return rational(BigInt(numerator), BigInt(denominator));
    }
    rest = 1 / (rest - whole);
  }
  return null;
}
