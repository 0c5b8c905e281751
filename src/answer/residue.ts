// Rational expressions of any size, compared without rounding: their values at seeded points modulo large primes (the
// test of Schwartz and Zippel). 1/1850! and 1/1853! differ there, however small both are, and so do x^2 + 10^-12 and x^2;
// two different expressions agree by chance about once in 2^120.
//
// Left out: everything irrational, exponents with unknowns, and what would take more than `maxSteps` multiplications.
import { isConstant, seedsOf } from "./evaluate.ts";
import { exactValue } from "./exact.ts";
import type { Node } from "./node.ts";
import type { Rational } from "./rational.ts";

/** The two largest primes below 2^61. */
const primes = [2n ** 61n - 1n, 2n ** 61n - 31n] as const;
const maxSteps = 100_000;

/** No value: an irrational part, a division by 0, or too much work. */
class NoResidue extends Error {}

/** Values of `node` modulo the primes, or null where it has none. Equal expressions have equal residues. */
export function residues(node: Node): string | null {
  const budget = { steps: maxSteps };
  try {
    return primes.map((prime) => residue(node, prime, budget).toString(36)).join(".");
  } catch (error) {
    if (error instanceof NoResidue) return null;
    throw error;
  }
}

interface Budget {
  steps: number;
}

function spend(budget: Budget, steps: number): void {
  budget.steps -= steps;
  if (budget.steps < 0) throw new NoResidue();
}

const modulo = (value: bigint, prime: bigint): bigint => ((value % prime) + prime) % prime;

function residue(node: Node, prime: bigint, budget: Budget): bigint {
  spend(budget, 1);
  switch (node.kind) {
    case "number":
      return fraction(node.value, prime, budget);
    case "symbol": {
      if (isConstant(node.name) || node.word) throw new NoResidue();
      const [high, low] = seedsOf(node.name);
      return modulo(BigInt(Math.floor(high * 2 ** 32)) * 2n ** 32n + BigInt(Math.floor(low * 2 ** 32)) + 2n, prime);
    }
    case "call":
      return call(node, prime, budget);
    case "operation":
      return operation(node, prime, budget);
    default:
      throw new NoResidue();
  }
}

const fraction = (value: Rational, prime: bigint, budget: Budget): bigint =>
  value.denominator === 1n
    ? modulo(value.numerator, prime)
    : modulo(value.numerator * inverse(modulo(value.denominator, prime), prime, budget), prime);

function operation(node: Node & { kind: "operation" }, prime: bigint, budget: Budget): bigint {
  const of = (operand: Node): bigint => residue(operand, prime, budget);
  const [first, second] = node.operands;
  switch (node.operator) {
    case "+":
      return node.operands.reduce((sum, operand) => (sum + of(operand)) % prime, 0n);
    case "neg":
      return modulo(-of(first), prime);
    case "*":
      return (of(first) * of(second)) % prime;
    case "/":
    case ":":
      if (node.operands.length > 2) throw new NoResidue();
      return (of(first) * inverse(of(second), prime, budget)) % prime;
    case "%":
      return (of(first) * inverse(100n, prime, budget)) % prime;
    case "^": {
      const exponent = exactValue(second);
      if (exponent?.denominator !== 1n) throw new NoResidue();
      const base = exponent.numerator < 0n ? inverse(of(first), prime, budget) : of(first);
      // 0^0 is 1 by convention here as elsewhere; x^0 is too.
      return raise(base, exponent.numerator < 0n ? -exponent.numerator : exponent.numerator, prime, budget);
    }
    default:
      throw new NoResidue();
  }
}

function call(node: Node & { kind: "call" }, prime: bigint, budget: Budget): bigint {
  const exact = exactValue(node);
  if (exact !== null) return fraction(exact, prime, budget);
  const n = node.name === "factorial" ? exactValue(node.operands[0]) : null;
  if (n?.denominator !== 1n || n.numerator < 0n || n.numerator > BigInt(maxSteps)) throw new NoResidue();
  spend(budget, Number(n.numerator));
  let product = 1n;
  for (let factor = 2n; factor <= n.numerator; factor++) product = (product * factor) % prime;
  return product;
}

function raise(base: bigint, exponent: bigint, prime: bigint, budget: Budget): bigint {
  let [result, square] = [1n, base];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    spend(budget, 1);
    if ((rest & 1n) === 1n) result = (result * square) % prime;
    square = (square * square) % prime;
  }
  return result;
}

/** Fermat's inverse. */
function inverse(value: bigint, prime: bigint, budget: Budget): bigint {
  if (value === 0n) throw new NoResidue();
  return raise(value, prime - 2n, prime, budget);
}
