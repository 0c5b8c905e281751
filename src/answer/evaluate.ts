// Values of trees at seeded points. An unknown function is given a smooth made-up meaning that depends on its name alone,
// so that f(2) = f(1+1) holds and f(2) = f(3) does not.
import { randomStream } from "../random.ts";
import {
  absolute,
  applyReal,
  type Complex,
  cosine,
  exponential,
  imaginaryUnit,
  isNumber,
  logarithm,
  mayBeZero,
  minus,
  notANumber,
  over,
  plus,
  raise,
  real,
  scaledReal,
  sine,
  times,
  toDouble,
} from "./complex.ts";
import { exactCall, exactValue } from "./exact.ts";
import type { Node } from "./node.ts";
import { type Rational, scaledNumber } from "./rational.ts";

/** Values of the unknowns at one point. */
export type Point = (name: string) => Complex;

const constants: Readonly<Record<string, Complex>> = {
  pi: real(Math.PI, false),
  e: real(Math.E, false),
  i: imaginaryUnit,
  infty: real(Number.POSITIVE_INFINITY),
};

/** Names that are numbers, not unknowns. */
export const isConstant = (name: string): boolean => Object.hasOwn(constants, name);

/** How far out the sample points lie. */
const reach = [1, 1, 1, 1, 1, 1, 1, 1, 4, 4, 12, 12, 16, 16];
export const samplePoints = reach.length;

const seeded = new Map<string, readonly number[]>();
const maxSeeded = 2000;

/** Numbers in [0, 1) that belong to a name. */
export function seedsOf(name: string): readonly number[] {
  const known = seeded.get(name);
  if (known !== undefined) return known;
  const random = randomStream("answer", name);
  const values = Array.from({ length: 2 * samplePoints }, () => random.next());
  if (seeded.size < maxSeeded) seeded.set(name, values);
  return values;
}

/**
 * A seeded sample point, the same for the same names everywhere. In the first and last four all unknowns have one sign, as the
 * roots of products need, and the last lie where the root of x - 5 is real; in the others each unknown has its own sign.
 */
export function samplePoint(index: number): Point {
  return (name) => {
    const seeds = seedsOf(name);
    const positive = index < 4 || index >= 10 ? index % 2 === 0 : seeds[samplePoints + index] < 0.5;
    return real((seeds[index] * 1.5 + 0.25) * (positive ? 1 : -1) * reach[index]);
  };
}

/** Where small terms and small factors show: all unknowns 0, and all of them large. */
export const extremePoints: readonly Point[] = [() => real(0), (name) => real((seedsOf(name)[0] + 0.5) * 1e15)];

/** The number nearest to a fraction. */
export function realOf(value: Rational): Complex {
  const { mantissa, exponent, exact } = scaledNumber(value);
  return exponent === 0 ? real(mantissa, exact) : scaledReal(mantissa, exponent);
}

/** Value at a point; NaN where it is undefined. */
export function valueAt(node: Node, point: Point, inAngle = false): Complex {
  switch (node.kind) {
    case "number":
      return realOf(node.value);
    case "symbol":
      return constants[node.name] ?? point(node.name);
    case "call":
      return callAt(node.name, node.operands, point);
    case "quantity": {
      const inner = valueAt(node.operands[0], point, inAngle);
      return inAngle && node.unit.isDegree ? times(inner, real(Math.PI / 180, false)) : inner;
    }
    case "operation":
      return operationAt(
        node,
        node.operands.map((operand) => valueAt(operand, point, inAngle)),
      );
    default:
      return notANumber;
  }
}

function operationAt(node: Node & { kind: "operation" }, values: readonly Complex[]): Complex {
  const [a, b] = values;
  switch (node.operator) {
    case "+":
      return values.reduce(plus);
    case "*":
      return times(a, b);
    case "/":
    case ":":
      return values.length > 2 ? notANumber : over(a, b);
    case "^":
      return raise(a, b);
    case "neg":
      return minus(a);
    case "%":
      return over(a, real(100));
    default:
      return notANumber;
  }
}

function callAt(name: string, operands: readonly Node[], point: Point): Complex {
  if (name === "sum" || name === "prod") return seriesAt(name, operands, point);
  const values = operands.map((operand) => valueAt(operand, point, true));
  const [a, b] = values;
  if (a === undefined) return notANumber;
  const unary = unaryFunctions[name];
  if (unary !== undefined && b === undefined) return unary(a);
  switch (name) {
    case "log":
      return b === undefined ? logarithm(a) : over(logarithm(a), logarithm(b));
    case "root":
      return rootOf(a, b ?? real(2));
    case "max":
    case "min": {
      const order = values.map(toDouble);
      const wanted = name === "max" ? Math.max(...order) : Math.min(...order);
      return values[order.indexOf(wanted)] ?? notANumber;
    }
    case "binomial": {
      const exact = exactCall(name, operands);
      return exact === null ? opaque(name, [a, b ?? real(0)]) : realOf(exact);
    }
    default:
      return opaque(
        name,
        operands.map((operand) => valueAt(operand, point)),
      );
  }
}

/** Roots of odd degree of negative numbers are real, those of even degree complex. */
function rootOf(a: Complex, degree: Complex): Complex {
  const count = toDouble(degree);
  if (a.im === 0 && a.re <= 0 && mayBeZero(a)) {
    const spread = toDouble({ ...a, re: a.error }) ** (1 / count);
    return { ...real(0), error: spread, real: a.real };
  }
  if (a.im === 0 && a.exponent === 0) {
    if (count === 2 && a.re > 0) return applyReal(a, Math.sqrt);
    if (count === 3) return applyReal(a, Math.cbrt);
  }
  if (a.im === 0 && a.re < 0 && Math.abs(count) % 2 === 1) return minus(raise(minus(a), over(real(1), degree)));
  return raise(a, over(real(1), degree));
}

/** A whole number that rounding blurred is whole again: ⌊log₂ 8⌋ is 3. */
function snapped(a: Complex): number | null {
  if (a.im !== 0 || a.exponent !== 0 || !isNumber(a)) return null;
  const whole = Math.round(a.re);
  return Math.abs(a.re - whole) <= 4 * a.error ? whole : null;
}

const stepFunction =
  (apply: (value: number) => number) =>
  (a: Complex): Complex => {
    const whole = snapped(a);
    return whole === null ? applyReal(a, apply) : { ...real(whole), real: a.real };
  };

/** A real function on [-1, 1], whose ends rounding may overstep. */
const onUnitInterval =
  (apply: (value: number) => number) =>
  (a: Complex): Complex => {
    const outside = Math.abs(a.re) > 1 && Math.abs(a.re) - 1 <= 4 * a.error;
    return applyReal(outside ? { ...a, re: Math.sign(a.re) } : a, apply);
  };

const arcTangent = (a: Complex): Complex => applyReal(a, Math.atan);
const twice = (a: Complex): Complex => times(real(0.5), a);

const unaryFunctions: Readonly<Record<string, (a: Complex) => Complex>> = {
  sin: sine,
  cos: cosine,
  tan: (a) => over(sine(a), cosine(a)),
  cot: (a) => over(cosine(a), sine(a)),
  sec: (a) => over(real(1), cosine(a)),
  csc: (a) => over(real(1), sine(a)),
  arcsin: onUnitInterval(Math.asin),
  asin: onUnitInterval(Math.asin),
  arccos: onUnitInterval(Math.acos),
  acos: onUnitInterval(Math.acos),
  arctan: arcTangent,
  atan: arcTangent,
  sinh: (a) => twice(plus(exponential(a), minus(exponential(minus(a))))),
  cosh: (a) => twice(plus(exponential(a), exponential(minus(a)))),
  tanh: (a) => applyReal(a, Math.tanh),
  ln: logarithm,
  lg: (a) => over(logarithm(a), real(Math.LN10, false)),
  exp: exponential,
  abs: absolute,
  floor: stepFunction(Math.floor),
  ceil: stepFunction(Math.ceil),
  factorial: (a) => {
    const whole = snapped(a);
    return whole === null || whole < 0 ? opaque("factorial", [a]) : factorialOf(whole);
  },
};

/** n! by its product, beyond 170 by Stirling's series with three terms, good to 10^-16 there. */
function factorialOf(n: number): Complex {
  if (n <= 170) {
    let product = 1;
    for (let factor = 2; factor <= n; factor++) product *= factor;
    return { ...real(product), error: n <= 18 ? 0 : product * n * 2 ** -52 };
  }
  const tail = 1 / (12 * n) - 1 / (360 * n ** 3) + 1 / (1260 * n ** 5);
  const power = times(real(n + 0.5), logarithm(real(n)));
  return times(exponential(plus(power, real(tail - n, false))), real(Math.sqrt(2 * Math.PI), false));
}

const maxSeriesTerms = 200n;

/** A finite sum or product with known bounds; otherwise an unknown function of its bounds and body. */
function seriesAt(name: string, operands: readonly Node[], point: Point): Complex {
  const [body, lower, upper] = operands;
  if (lower.kind !== "relation" || lower.operands.length !== 2 || lower.operands[0].kind !== "symbol") {
    return opaque(name, [valueAt(body, point), valueAt(upper, point)]);
  }
  const index = lower.operands[0].name;
  const [from, to] = [exactValue(lower.operands[1]), exactValue(upper)];
  // A series inside a series would multiply the work: only the inner one is summed.
  if (
    from?.denominator !== 1n ||
    to?.denominator !== 1n ||
    to.numerator - from.numerator > maxSeriesTerms ||
    hasSeries(body)
  )
    return opaque(name, [valueAt(body, point), valueAt(lower.operands[1], point), valueAt(upper, point)]);
  let total = real(name === "sum" ? 0 : 1);
  for (let n = from.numerator; n <= to.numerator; n++) {
    const term = valueAt(body, (symbol) => (symbol === index ? real(Number(n)) : point(symbol)));
    total = name === "sum" ? plus(total, term) : times(total, term);
  }
  return total;
}

const hasSeries = (node: Node): boolean =>
  (node.kind === "call" && (node.name === "sum" || node.name === "prod")) ||
  (node.kind !== "number" && node.kind !== "symbol" && node.operands.some(hasSeries));

/** A smooth function that nobody defined: fixed by its name, different in every argument. */
function opaque(name: string, values: readonly Complex[]): Complex {
  const seeds = seedsOf(`${name}()`);
  let [re, im, error] = [seeds[0], 0, 0];
  for (const [i, value] of values.entries()) {
    if (value.exponent > 0) return notANumber;
    const [x, y] = [toDouble(value), toDouble({ ...value, re: value.im })];
    re += Math.sin((1 + seeds[(2 * i + 1) % 10]) * x + seeds[(2 * i + 2) % 10] + 0.37 * y);
    im += y;
    error += 3 * toDouble({ ...value, re: value.error }) + (4 + Math.abs(x) + Math.abs(y)) * 2 ** -51;
  }
  return { ...notANumber, re, im, error, real: values.every((value) => value.real) };
}

/** Names of the unknowns in a tree, sorted. */
export function unknowns(node: Node): readonly string[] {
  const names = new Set<string>();
  const visit = (part: Node): void => {
    if (part.kind === "symbol") {
      if (!isConstant(part.name)) names.add(part.name);
    } else if (part.kind !== "number") for (const operand of part.operands) visit(operand);
  };
  visit(node);
  return [...names].sort();
}
