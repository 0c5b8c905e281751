// Values of trees: exact fractions where they exist, complex numbers at a seeded point otherwise. An unknown function is
// given a smooth made-up meaning that depends on its name alone, so that f(2) = f(1+1) holds and f(2) = f(3) does not.
import { randomStream } from "../random.ts";
import {
  type Complex,
  cosine,
  exponential,
  logarithm,
  magnitude,
  minus,
  over,
  plus,
  raise,
  real,
  sine,
  times,
} from "./complex.ts";
import type { Node } from "./node.ts";
import { add, invert, multiply, negate, one, power, type Rational, rational, toNumber, zero } from "./rational.ts";

/** Exact value of a tree without unknowns and irrational parts; null where there is none or it is too large. */
export function exactValue(node: Node): Rational | null {
  if (node.kind === "number") return node.value;
  if (node.kind === "call") return exactCall(node.name, node.operands);
  if (node.kind !== "operation") return null;
  const values: Rational[] = [];
  for (const operand of node.operands) {
    const value = exactValue(operand);
    if (value === null) return null;
    values.push(value);
  }
  const [a, b] = values;
  switch (node.operator) {
    case "+":
      return values.reduce<Rational | null>((sum, value) => (sum === null ? null : add(sum, value)), zero);
    case "*":
      return values.reduce<Rational | null>(
        (product, value) => (product === null ? null : multiply(product, value)),
        one,
      );
    case "/":
    case ":": {
      const inverse = invert(b);
      return inverse === null || values.length > 2 ? null : multiply(a, inverse);
    }
    case "^":
      return power(a, b);
    case "neg":
      return negate(a);
    case "%":
      return multiply(a, { numerator: 1n, denominator: 100n });
    case "degree":
      return a;
    default:
      return null;
  }
}

function exactCall(name: string, operands: readonly Node[]): Rational | null {
  const values = operands.map(exactValue);
  const [value] = values;
  if (value === undefined || value === null) return null;
  switch (name) {
    case "abs":
      return value.numerator < 0n ? negate(value) : value;
    case "floor":
    case "ceil": {
      const quotient = value.numerator / value.denominator;
      const exact = value.denominator === 1n;
      const down = exact || value.numerator >= 0n ? quotient : quotient - 1n;
      return rational(name === "floor" || exact ? down : down + 1n);
    }
    case "factorial": {
      if (value.denominator !== 1n || value.numerator < 0n || value.numerator > 300n) return null;
      let product = 1n;
      for (let factor = 2n; factor <= value.numerator; factor++) product *= factor;
      return rational(product);
    }
    case "binomial": {
      const chosen = values[1];
      if (chosen === null || chosen.denominator !== 1n || value.denominator !== 1n) return null;
      if (chosen.numerator < 0n || chosen.numerator > 300n || value.numerator < chosen.numerator) return null;
      let product = one as Rational | null;
      for (let i = 0n; i < chosen.numerator && product !== null; i++) {
        const factor = rational(value.numerator - i, i + 1n);
        product = factor === null ? null : multiply(product, factor);
      }
      return product;
    }
    case "gcd":
    case "lcm": {
      const numbers = values.map((part) => (part?.denominator === 1n && part.numerator !== 0n ? part.numerator : null));
      if (numbers.some((part) => part === null)) return null;
      const size = (part: bigint | null): bigint => (part === null ? 1n : part < 0n ? -part : part);
      const divide = (a: bigint, b: bigint): bigint => (b === 0n ? a : divide(b, a % b));
      return rational(numbers.map(size).reduce((a, b) => (name === "gcd" ? divide(a, b) : (a * b) / divide(a, b))));
    }
    case "root": {
      const degree = values.length > 1 ? values[1] : { numerator: 2n, denominator: 1n };
      if (degree === null || degree.denominator !== 1n || degree.numerator < 2n || degree.numerator > 20n) return null;
      const negative = value.numerator < 0n;
      if (negative && degree.numerator % 2n === 0n) return null;
      const top = integerRoot(negative ? -value.numerator : value.numerator, Number(degree.numerator));
      const bottom = integerRoot(value.denominator, Number(degree.numerator));
      return top === null || bottom === null ? null : rational(negative ? -top : top, bottom);
    }
    default:
      return null;
  }
}

/** The whole root of a whole number, or null when it is none. */
function integerRoot(value: bigint, degree: number): bigint | null {
  const guess = BigInt(Math.round(Number(value) ** (1 / degree)) || 0);
  for (const candidate of [guess - 1n, guess, guess + 1n]) {
    if (candidate >= 0n && candidate ** BigInt(degree) === value) return candidate;
  }
  return null;
}

/** Values of the unknowns at one point. */
export type Point = (name: string) => Complex;

const constants: Readonly<Record<string, Complex>> = {
  pi: [Math.PI, 0],
  e: [Math.E, 0],
  i: [0, 1],
  infty: [Number.POSITIVE_INFINITY, 0],
};

/** Names that are numbers, not unknowns. */
export const isConstant = (name: string): boolean => Object.hasOwn(constants, name);

const seeded = new Map<string, readonly number[]>();
const maxSeeded = 2000;

/** Ten numbers in [0, 1) that belong to a name. */
function seedsOf(name: string): readonly number[] {
  const known = seeded.get(name);
  if (known !== undefined) return known;
  const random = randomStream("answer", name);
  const values = Array.from({ length: 10 }, () => random.next());
  if (seeded.size < maxSeeded) seeded.set(name, values);
  return values;
}

/** The `index`th seeded sample point (0 to 5): of both signs, small, the same for the same names everywhere. */
export function samplePoint(index: number): Point {
  return (name) => [(seedsOf(name)[index] * 1.5 + 0.25) * (index % 2 === 0 ? 1 : -1) * (index > 3 ? 4 : 1), 0];
}

/** Value at a point; NaN parts where it is undefined. */
export function valueAt(node: Node, point: Point, inAngle = false): Complex {
  switch (node.kind) {
    case "number":
      return real(toNumber(node.value));
    case "symbol":
      return constants[node.name] ?? point(node.name);
    case "call":
      return callAt(node.name, node.operands, point);
    case "operation": {
      const [a, b] = node.operands.map((operand) => valueAt(operand, point, inAngle));
      switch (node.operator) {
        case "+":
          return node.operands.map((operand) => valueAt(operand, point, inAngle)).reduce(plus);
        case "*":
          return times(a, b);
        case "/":
        case ":":
          return node.operands.length > 2
            ? real(Number.NaN)
            : b[1] === 0 && a[1] === 0
              ? real(a[0] / b[0])
              : over(a, b);
        case "^":
          return raise(a, b);
        case "neg":
          return minus(a);
        case "%":
          return times(a, real(0.01));
        case "degree":
          return inAngle ? times(a, real(Math.PI / 180)) : a;
        default:
          return real(Number.NaN);
      }
    }
    default:
      return real(Number.NaN);
  }
}

function callAt(name: string, operands: readonly Node[], point: Point): Complex {
  if (name === "sum" || name === "prod") return seriesAt(name, operands, point);
  const [a, b] = operands.map((operand) => valueAt(operand, point, true));
  if (a === undefined) return real(Number.NaN);
  const unary = unaryFunctions[name];
  if (unary !== undefined && b === undefined) return unary(a);
  switch (name) {
    case "log":
      return b === undefined ? logarithm(a) : over(logarithm(a), logarithm(b));
    case "root": {
      const degree = b === undefined ? 2 : b[0];
      if (a[1] === 0 && a[0] < 0 && degree % 2 === 1) return real(-((-a[0]) ** (1 / degree)));
      if (degree === 2 && a[1] === 0 && a[0] >= 0) return real(Math.sqrt(a[0]));
      return raise(a, real(1 / degree));
    }
    case "max":
    case "min": {
      const values = operands.map((operand) => valueAt(operand, point)[0]);
      return real(name === "max" ? Math.max(...values) : Math.min(...values));
    }
    case "binomial": {
      const exact = exactCall(name, operands);
      return exact === null ? opaque(name, [a, b ?? real(0)]) : real(toNumber(exact));
    }
    default:
      return opaque(
        name,
        operands.map((operand) => valueAt(operand, point)),
      );
  }
}

const realOnly =
  (apply: (value: number) => number) =>
  (a: Complex): Complex =>
    a[1] === 0 ? real(apply(a[0])) : real(Number.NaN);

const unaryFunctions: Readonly<Record<string, (a: Complex) => Complex>> = {
  sin: sine,
  cos: cosine,
  tan: (a) => over(sine(a), cosine(a)),
  cot: (a) => over(cosine(a), sine(a)),
  sec: (a) => over(real(1), cosine(a)),
  csc: (a) => over(real(1), sine(a)),
  arcsin: realOnly(Math.asin),
  asin: realOnly(Math.asin),
  arccos: realOnly(Math.acos),
  acos: realOnly(Math.acos),
  arctan: realOnly(Math.atan),
  atan: realOnly(Math.atan),
  sinh: (a) => times(real(0.5), plus(exponential(a), minus(exponential(minus(a))))),
  cosh: (a) => times(real(0.5), plus(exponential(a), exponential(minus(a)))),
  tanh: realOnly(Math.tanh),
  ln: logarithm,
  lg: (a) => over(logarithm(a), real(Math.LN10)),
  exp: exponential,
  abs: (a) => real(magnitude(a)),
  floor: realOnly(Math.floor),
  ceil: realOnly(Math.ceil),
  factorial: (a) => {
    if (a[1] !== 0 || !Number.isInteger(a[0]) || a[0] < 0) return opaque("factorial", [a]);
    let product = 1;
    for (let factor = 2; factor <= Math.min(a[0], 171); factor++) product *= factor;
    return real(product);
  },
};

/** A finite sum or product with known bounds; otherwise an unknown function of its bounds and body. */
function seriesAt(name: string, operands: readonly Node[], point: Point): Complex {
  const [body, lower, upper] = operands;
  if (lower.kind === "relation" && lower.operands.length === 2 && lower.operands[0].kind === "symbol") {
    const index = lower.operands[0].name;
    const from = exactValue(lower.operands[1]);
    const to = exactValue(upper);
    // A series inside a series would multiply the work: only the inner one is summed.
    const short = from?.denominator === 1n && to?.denominator === 1n && to.numerator - from.numerator <= 200n;
    if (short && !hasSeries(body)) {
      let total = real(name === "sum" ? 0 : 1);
      for (let n = from.numerator; n <= to.numerator; n++) {
        const term = valueAt(body, (symbol) => (symbol === index ? real(Number(n)) : point(symbol)));
        total = name === "sum" ? plus(total, term) : times(total, term);
      }
      return total;
    }
    return opaque(name, [valueAt(body, point), valueAt(lower.operands[1], point), valueAt(upper, point)]);
  }
  return opaque(name, [valueAt(body, point), valueAt(upper, point)]);
}

const hasSeries = (node: Node): boolean =>
  (node.kind === "call" && (node.name === "sum" || node.name === "prod")) ||
  (node.kind !== "number" && node.kind !== "symbol" && node.operands.some(hasSeries));

/** A smooth function that nobody defined: fixed by its name, different in every argument. */
function opaque(name: string, values: readonly Complex[]): Complex {
  const seeds = seedsOf(`${name}()`);
  let [re, im] = [seeds[0], 0];
  for (const [i, [x, y]] of values.entries()) {
    re += Math.sin((1 + seeds[(2 * i + 1) % 10]) * x + seeds[(2 * i + 2) % 10] + 0.37 * y);
    im += y;
  }
  return [re, im];
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
