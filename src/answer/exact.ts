// Exact values of trees: fractions of whole numbers, as far as they are small enough.
import type { Node } from "./node.ts";
import {
  add,
  greatestCommonDivisor,
  invert,
  multiply,
  negate,
  one,
  power,
  type Rational,
  rational,
  zero,
} from "./rational.ts";

/** Exact value of a tree without unknowns and irrational parts; null where there is none or it is too large. */
export function exactValue(node: Node): Rational | null {
  if (node.kind === "number") return node.value;
  if (node.kind === "call") return exactCall(node.name, node.operands);
  // A unit is taken off before; an angle's number is its degrees.
  if (node.kind === "quantity") return exactValue(node.operands[0]);
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
    default:
      return null;
  }
}

export function exactCall(name: string, operands: readonly Node[]): Rational | null {
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
      return rational(
        numbers.map(size).reduce((a, b) => {
          const divisor = greatestCommonDivisor(a, b);
          return name === "gcd" ? divisor : (a * b) / divisor;
        }),
      );
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
