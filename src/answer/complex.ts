// Complex numbers that know how far they may be off. Each carries a bound of its rounding error, so that "equal" needs no
// tolerance that a small number could hide in, and a binary exponent, so that e^-5000 is no zero. Each also says whether
// it was reached through real numbers alone: where a branch had to be chosen, the choice must not decide.
//
// Left out: numbers beyond 2^±`maxExponent`, whose digits a double cannot know. They are NaN.

/** (`re` + i·`im`) · 2^`exponent`, off by at most `error` · 2^`exponent`. */
export interface Complex {
  readonly re: number;
  readonly im: number;
  readonly exponent: number;
  readonly error: number;
  /** No step on the way here left the real numbers. */
  readonly real: boolean;
}

/** Twice the relative rounding error of one operation on doubles. */
const rounding = 2 ** -52;
const maxExponent = 1_500_000;
/** Numbers of ordinary size have exponent 0. */
const ordinary = 400;

const magnitudeOf = (re: number, im: number): number => (im === 0 ? Math.abs(re) : Math.hypot(re, im));

/** Builds a number; one outside the ordinary range gets an exponent. */
function complex(re: number, im: number, error: number, isReal: boolean, exponent = 0): Complex {
  const size = Math.max(Math.abs(re), Math.abs(im));
  if (Number.isNaN(size) || Number.isNaN(error)) return { ...notANumber, real: isReal };
  if (size === 0 || size === Number.POSITIVE_INFINITY) {
    return exponent === 0 || error === 0
      ? { re, im, exponent: 0, error, real: isReal }
      : { re, im, exponent, error, real: isReal };
  }
  const shift = Math.floor(Math.log2(size));
  const total = exponent + shift;
  if (Math.abs(total) > maxExponent) return { ...notANumber, real: isReal };
  const goal = Math.abs(total) <= ordinary ? 0 : total;
  if (goal === exponent) return { re, im, exponent, error, real: isReal };
  const by = exponent - goal;
  return { re: scaled(re, by), im: scaled(im, by), exponent: goal, error: scaled(error, by), real: isReal };
}

/** `value` · 2^`by` in two steps, as 2^`by` alone may leave the range of doubles. */
const scaled = (value: number, by: number): number => {
  const half = Math.trunc(by / 2);
  return value * 2 ** half * 2 ** (by - half);
};

export const notANumber: Complex = { re: Number.NaN, im: 0, exponent: 0, error: 0, real: true };

/** A number that a double holds exactly, or to within rounding. */
export const real = (value: number, exact = true): Complex =>
  complex(value, 0, exact ? 0 : Math.abs(value) * rounding, true);

/** `mantissa` · 2^`exponent`, rounded. */
export const scaledReal = (mantissa: number, exponent: number): Complex =>
  complex(mantissa, 0, Math.abs(mantissa) * rounding, true, exponent);

export const imaginaryUnit: Complex = { re: 0, im: 1, exponent: 0, error: 0, real: false };

export const isNumber = (a: Complex): boolean => Number.isFinite(a.re) && Number.isFinite(a.im);

/** True where nothing tells the number from 0. */
export const mayBeZero = (a: Complex): boolean => magnitudeOf(a.re, a.im) <= a.error;

const isExactZero = (a: Complex): boolean => a.re === 0 && a.im === 0 && a.error === 0;

/** Nearest double of the real part; infinite or 0 beyond the range of doubles. */
export const toDouble = (a: Complex): number => scaled(a.re, a.exponent);

export function plus(a: Complex, b: Complex): Complex {
  const isReal = a.real && b.real;
  if (isExactZero(a)) return { ...b, real: isReal };
  if (isExactZero(b)) return { ...a, real: isReal };
  const exponent = Math.max(a.exponent, b.exponent);
  const [byA, byB] = [a.exponent - exponent, b.exponent - exponent];
  const [re, im] = [scaled(a.re, byA) + scaled(b.re, byB), scaled(a.im, byA) + scaled(b.im, byB)];
  const lost = byA < -1000 || byB < -1000 ? Number.MIN_VALUE : 0;
  const error = scaled(a.error, byA) + scaled(b.error, byB) + magnitudeOf(re, im) * rounding + lost;
  // Sums of whole numbers are exact.
  const exact =
    error - lost <= magnitudeOf(re, im) * rounding && im === 0 && exponent === 0 && Number.isSafeInteger(re);
  return complex(re, im, exact && wholeReal(a) && wholeReal(b) ? 0 : error, isReal, exponent);
}

const wholeReal = (a: Complex): boolean =>
  a.im === 0 && a.exponent === 0 && a.error === 0 && Number.isSafeInteger(a.re);

/** The imaginary part of a real number stays +0: -0 would lie on the other side of the branch cuts below. */
export const minus = (a: Complex): Complex => ({ ...a, re: -a.re, im: 0 - a.im });

export function times(a: Complex, b: Complex): Complex {
  const exponent = a.exponent + b.exponent;
  const isReal = a.real && b.real;
  const straight = a.im === 0 && b.im === 0;
  const re = straight ? a.re * b.re : a.re * b.re - a.im * b.im;
  const im = straight ? 0 : a.re * b.im + a.im * b.re;
  if (straight && wholeReal(a) && wholeReal(b) && Number.isSafeInteger(re)) return complex(re, 0, 0, isReal);
  const [sizeA, sizeB] = [magnitudeOf(a.re, a.im), magnitudeOf(b.re, b.im)];
  if (sizeA * sizeB === Number.POSITIVE_INFINITY) return complex(re, im, 0, isReal, exponent);
  const error = sizeA * b.error + sizeB * a.error + a.error * b.error + 2 * sizeA * sizeB * rounding;
  return complex(re, im, error, isReal, exponent);
}

/** NaN where the divisor cannot be told from 0. */
export function over(a: Complex, b: Complex): Complex {
  const isReal = a.real && b.real;
  if (mayBeZero(b)) return { ...notANumber, real: isReal };
  const exponent = a.exponent - b.exponent;
  const straight = a.im === 0 && b.im === 0;
  const square = b.re * b.re + b.im * b.im;
  const re = straight ? a.re / b.re : (a.re * b.re + a.im * b.im) / square;
  const im = straight ? 0 : (a.im * b.re - a.re * b.im) / square;
  const quotient = magnitudeOf(re, im);
  if (quotient === Number.POSITIVE_INFINITY || !isNumber(b)) return complex(re, im, 0, isReal, exponent);
  const divisor = magnitudeOf(b.re, b.im) - b.error;
  const error = (a.error + quotient * b.error) / divisor + 3 * quotient * rounding;
  return complex(
    re,
    im,
    straight && error <= 3 * quotient * rounding && isWholeQuotient(a, b, re) ? 0 : error,
    isReal,
    exponent,
  );
}

const isWholeQuotient = (a: Complex, b: Complex, quotient: number): boolean =>
  wholeReal(a) && wholeReal(b) && Number.isSafeInteger(quotient) && quotient * b.re === a.re;

export function exponential(a: Complex): Complex {
  if (a.exponent > 0 || !isNumber(a)) {
    if (a.im === 0 && a.re === Number.NEGATIVE_INFINITY) return { ...real(0), real: a.real };
    return a.im === 0 && a.re === Number.POSITIVE_INFINITY ? a : { ...notANumber, real: a.real };
  }
  const [x, y, spread] = [scaled(a.re, a.exponent), scaled(a.im, a.exponent), scaled(a.error, a.exponent)];
  const exponent = Math.abs(x) > 200 ? Math.round(x / Math.LN2) : 0;
  // ln 2 in two parts, the first with so few digits that its multiples are exact (Cody and Waite).
  const size = Math.exp(x - exponent * 0.6931471803691238 - exponent * 1.9082149292705877e-10);
  const relative = Math.expm1(Math.min(spread, 1)) + (3 + Math.abs(x) + Math.abs(y)) * rounding;
  const [re, im] = y === 0 ? [size, 0] : [size * Math.cos(y), size * Math.sin(y)];
  return complex(re, im, x === 0 && y === 0 && spread === 0 ? 0 : size * relative, a.real, exponent);
}

/** Principal logarithm; NaN at 0. */
export function logarithm(a: Complex): Complex {
  if (mayBeZero(a)) return { ...notANumber, real: a.real };
  const size = magnitudeOf(a.re, a.im);
  const value = Math.log(size) + a.exponent * Math.LN2;
  const angle = Math.atan2(a.im, a.re);
  const error = a.error / size + (2 + Math.abs(value) + Math.abs(angle)) * rounding;
  const exact = a.re === 1 && a.im === 0 && a.error === 0 && a.exponent === 0;
  return complex(value, angle, exact ? 0 : error, a.real && angle === 0);
}

/** Principal power; real where the base is real and positive or the exponent is whole. */
export function raise(base: Complex, exponent: Complex): Complex {
  const isReal = base.real && exponent.real;
  if (base.im === 0 && exponent.im === 0 && base.exponent === 0 && exponent.exponent === 0) {
    const direct = base.re ** exponent.re;
    const size = Math.abs(direct);
    if (base.re === 0 || !isNumber(base) || !isNumber(exponent)) {
      return Number.isFinite(direct) || !isNumber(base) || !isNumber(exponent)
        ? { ...real(direct), real: isReal }
        : { ...notANumber, real: isReal };
    }
    if (size > 1e-140 && size < 1e140) {
      const relative =
        (Math.abs(exponent.re) * base.error) / Math.abs(base.re) +
        Math.abs(Math.log(Math.abs(base.re))) * exponent.error;
      const exact = relative === 0 && Number.isSafeInteger(direct) && wholeReal(base) && wholeReal(exponent);
      return complex(direct, 0, exact ? 0 : size * (Math.expm1(Math.min(relative, 1)) + 2 * rounding), isReal);
    }
  }
  const whole = exponent.im === 0 && exponent.exponent === 0 && Number.isInteger(exponent.re);
  if (whole && base.im !== 0 && Math.abs(exponent.re) <= 64) {
    let result = real(1);
    for (let i = 0; i < Math.abs(exponent.re); i++) result = times(result, base);
    return exponent.re < 0 ? over(real(1), result) : result;
  }
  if (isExactZero(base)) return { ...real(0), real: isReal };
  if (whole && base.im === 0 && base.re < 0) {
    const size = exponential(times(exponent, logarithm(minus(base))));
    return exponent.re % 2 === 0 ? size : minus(size);
  }
  return exponential(times(exponent, logarithm(base)));
}

/** A real function of a real number: the error is what it makes of the argument's, at most `steepest` times as much. */
export function applyReal(a: Complex, apply: (value: number) => number, steepest?: number): Complex {
  if (a.im !== 0 || a.exponent > 0) return { ...notANumber, real: a.real };
  const [x, spread] = [scaled(a.re, a.exponent), scaled(a.error, a.exponent)];
  const value = apply(x);
  const moved = [apply(x + spread), apply(x - spread)].map((other) => Math.abs(other - value));
  const swing = Math.max(...moved.filter((each) => !Number.isNaN(each)), 0);
  const error = spread === 0 ? 0 : steepest === undefined ? swing : spread * steepest;
  return complex(value, 0, error + (x === 0 && value === 0 ? 0 : 2 * Math.abs(value) * rounding), a.real);
}

const half = real(0.5);

export function sine(a: Complex): Complex {
  if (a.im === 0) return applyReal(a, Math.sin, 1);
  const turned = times(imaginaryUnit, a);
  return over(plus(exponential(turned), minus(exponential(minus(turned)))), times(real(2), imaginaryUnit));
}

export function cosine(a: Complex): Complex {
  if (a.im === 0) return applyReal(a, Math.cos, 1);
  const turned = times(imaginaryUnit, a);
  return times(half, plus(exponential(turned), exponential(minus(turned))));
}

export const absolute = (a: Complex): Complex => ({ ...a, re: magnitudeOf(a.re, a.im), im: 0 });

/** Beyond this the digits of a number say nothing any more. */
const hopeless = 1e-6;

/** True where rounding left nothing to compare: a large error on the way to a small number. */
export const isHopeless = (a: Complex): boolean =>
  a.error > hopeless * magnitudeOf(a.re, a.im) && scaled(a.error, a.exponent) > 1e-9;

/** Equal as far as rounding lets one tell, or within `tolerance`. What is no number equals only what is none either. */
export function near(a: Complex, b: Complex, tolerance = 0): boolean {
  const [numberA, numberB] = [isNumber(a), isNumber(b)];
  if (!numberA || !numberB) {
    if (numberA || numberB) return false;
    const [lostA, lostB] = [Number.isNaN(a.re + a.im), Number.isNaN(b.re + b.im)];
    return lostA || lostB ? lostA && lostB : a.re === b.re && a.im === b.im;
  }
  const gap = plus(a, minus(b));
  const size = magnitudeOf(gap.re, gap.im);
  return size <= 4 * gap.error || (tolerance > 0 && scaled(size, gap.exponent) <= tolerance);
}

/** Nine significant digits of the two parts: enough to tell answers apart, few enough to hide rounding. */
export function digits(a: Complex): string {
  if (Number.isNaN(a.re + a.im)) return "?";
  if (!isNumber(a)) return decimal(a.re, 0);
  const tiny = Math.max(4 * a.error, 1e-12 * magnitudeOf(a.re, a.im));
  const part = (value: number): string => (Math.abs(value) <= tiny ? "0" : decimal(value, a.exponent));
  return Math.abs(a.im) <= tiny ? part(a.re) : `${part(a.re)}+${part(a.im)}i`;
}

function decimal(value: number, exponent: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (exponent === 0) return `${Number(value.toPrecision(9))}`;
  const power = Math.log10(Math.abs(value)) + exponent * Math.log10(2);
  const whole = Math.floor(power);
  return `${value < 0 ? "-" : ""}${Number((10 ** (power - whole)).toPrecision(9))}e${whole}`;
}
