// Normal form of polynomials with exact coefficients: the readable canonical form of most algebraic answers.
// What is no polynomial, or a large one, is left to numeric sampling.
import { isConstant } from "./evaluate.ts";
import { exactValue } from "./exact.ts";
import type { Node } from "./node.ts";
import { add, format, invert, multiply, negate, one, type Rational } from "./rational.ts";

/** Coefficients by monomial; the key is sorted `name^power` parts joined by `*`, empty for the constant. */
export type Polynomial = ReadonlyMap<string, Rational>;

const maxTerms = 50;
const maxPower = 24;

/** The polynomial that a tree stands for, or null. */
export function polynomial(node: Node): Polynomial | null {
  const exact = exactValue(node);
  if (exact !== null) return constant(exact);
  if (node.kind === "symbol") return isConstant(node.name) || node.word ? null : new Map([[`${node.name}^1`, one]]);
  if (node.kind !== "operation") return null;
  const [first, second] = node.operands;
  switch (node.operator) {
    case "+": {
      let sum: Polynomial | null = new Map();
      for (const operand of node.operands) {
        const term = polynomial(operand);
        sum = term === null || sum === null ? null : combine(sum, term);
      }
      return sum;
    }
    case "neg": {
      const inner = polynomial(first);
      return inner === null ? null : scale(inner, negate(one));
    }
    case "*": {
      const [a, b] = [polynomial(first), polynomial(second)];
      return a === null || b === null ? null : product(a, b);
    }
    case "/": {
      const divisor = exactValue(second);
      const inverse = divisor === null ? null : invert(divisor);
      const inner = polynomial(first);
      return inverse === null || inner === null ? null : scale(inner, inverse);
    }
    case "^": {
      const exponent = exactValue(second);
      if (exponent?.denominator !== 1n || exponent.numerator < 0n || exponent.numerator > BigInt(maxPower)) return null;
      const base = polynomial(first);
      let result: Polynomial | null = constant(one);
      for (let i = 0n; i < exponent.numerator && result !== null && base !== null; i++) result = product(result, base);
      return base === null ? null : result;
    }
    default:
      return null;
  }
}

const constant = (value: Rational): Polynomial => (value.numerator === 0n ? new Map() : new Map([["", value]]));

function combine(a: Polynomial, b: Polynomial): Polynomial | null {
  const sum = new Map(a);
  for (const [key, value] of b) {
    const total = add(sum.get(key) ?? { numerator: 0n, denominator: 1n }, value);
    if (total === null) return null;
    if (total.numerator === 0n) sum.delete(key);
    else sum.set(key, total);
  }
  return sum.size > maxTerms ? null : sum;
}

export function scale(a: Polynomial, factor: Rational): Polynomial | null {
  const scaled = new Map<string, Rational>();
  if (factor.numerator === 0n) return scaled;
  for (const [key, value] of a) {
    const result = multiply(value, factor);
    if (result === null) return null;
    scaled.set(key, result);
  }
  return scaled;
}

function product(a: Polynomial, b: Polynomial): Polynomial | null {
  let sum: Polynomial | null = new Map();
  for (const [keyA, valueA] of a) {
    const row = new Map<string, Rational>();
    for (const [keyB, valueB] of b) {
      const value = multiply(valueA, valueB);
      if (value === null) return null;
      row.set(joinMonomials(keyA, keyB), value);
    }
    sum = sum === null ? null : combine(sum, row);
  }
  return sum;
}

const parts = (key: string): readonly (readonly [name: string, power: number])[] =>
  key === ""
    ? []
    : key.split("*").map((part) => {
        const caret = part.lastIndexOf("^");
        return [part.slice(0, caret), Number(part.slice(caret + 1))];
      });

function joinMonomials(a: string, b: string): string {
  const powers = new Map<string, number>();
  for (const [name, count] of [...parts(a), ...parts(b)]) powers.set(name, (powers.get(name) ?? 0) + count);
  return [...powers]
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([name, count]) => `${name}^${count}`)
    .join("*");
}

/** Total degree first, then lexical: a fixed order of monomials. */
function orderedKeys(a: Polynomial): readonly string[] {
  const degree = (key: string): number => parts(key).reduce((sum, [, count]) => sum + count, 0);
  return [...a.keys()].sort((x, y) => degree(y) - degree(x) || (x < y ? -1 : x > y ? 1 : 0));
}

/** The coefficient that decides the scale and sign of an equation. */
export const leading = (a: Polynomial): Rational | null => {
  const [key] = orderedKeys(a);
  return key === undefined ? null : (a.get(key) ?? null);
};

/** `x^2-2/3*x+1`; `0` for the empty polynomial. */
export function formatPolynomial(a: Polynomial): string {
  let text = "";
  for (const key of orderedKeys(a)) {
    const value = a.get(key);
    if (value === undefined) continue;
    const monomial = parts(key)
      .map(([name, count]) => (count === 1 ? name : `${name}^${count}`))
      .join("*");
    const size = format(value.numerator < 0n ? negate(value) : value);
    const sign = value.numerator < 0n ? "-" : text === "" ? "" : "+";
    text += sign + (monomial === "" ? size : size === "1" ? monomial : `${size}*${monomial}`);
  }
  return text === "" ? "0" : text;
}
