// Complex arithmetic on pairs, for sampling expressions outside the domain where their real values exist.

export type Complex = readonly [real: number, imaginary: number];

export const real = (value: number): Complex => [value, 0];
export const plus = (a: Complex, b: Complex): Complex => [a[0] + b[0], a[1] + b[1]];
/** The imaginary part of a real number stays +0: -0 would lie on the other side of the branch cuts below. */
export const minus = (a: Complex): Complex => [-a[0], 0 - a[1]];
export const times = (a: Complex, b: Complex): Complex => [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]];
export const magnitude = (a: Complex): number => Math.hypot(a[0], a[1]);

export function over(a: Complex, b: Complex): Complex {
  const square = b[0] * b[0] + b[1] * b[1];
  return [(a[0] * b[0] + a[1] * b[1]) / square, (a[1] * b[0] - a[0] * b[1]) / square];
}

export const exponential = (a: Complex): Complex => {
  const size = Math.exp(a[0]);
  return a[1] === 0 ? [size, 0] : [size * Math.cos(a[1]), size * Math.sin(a[1])];
};

/** Principal logarithm. */
export const logarithm = (a: Complex): Complex => [Math.log(magnitude(a)), Math.atan2(a[1], a[0])];

/** Principal power; real results stay exactly real where `Math.pow` has them. */
export function raise(base: Complex, exponent: Complex): Complex {
  if (base[1] === 0 && exponent[1] === 0) {
    const direct = base[0] ** exponent[0];
    if (!Number.isNaN(direct)) return [direct, 0];
  }
  if (exponent[1] === 0 && Number.isInteger(exponent[0]) && Math.abs(exponent[0]) <= 64) {
    let result: Complex = [1, 0];
    for (let i = 0; i < Math.abs(exponent[0]); i++) result = times(result, base);
    return exponent[0] < 0 ? over([1, 0], result) : result;
  }
  if (magnitude(base) === 0) return [0, 0];
  return exponential(times(exponent, logarithm(base)));
}

const i: Complex = [0, 1];
const half = real(0.5);

export function sine(a: Complex): Complex {
  if (a[1] === 0) return [Math.sin(a[0]), 0];
  const turned = times(i, a);
  return over(plus(exponential(turned), minus(exponential(minus(turned)))), [0, 2]);
}

export const cosine = (a: Complex): Complex =>
  a[1] === 0 ? [Math.cos(a[0]), 0] : times(half, plus(exponential(times(i, a)), exponential(minus(times(i, a)))));
