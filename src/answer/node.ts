// The tree that an answer is parsed into. Plain data; what it means is decided in value.ts.
import type { Rational } from "./rational.ts";
import type { Unit } from "./units.ts";

export type Node =
  | { readonly kind: "number"; readonly value: Rational; readonly decimals: number }
  | { readonly kind: "symbol"; readonly name: string; readonly word: boolean }
  | { readonly kind: "operation"; readonly operator: Operator; readonly operands: readonly Node[] }
  | { readonly kind: "call"; readonly name: string; readonly operands: readonly Node[] }
  /** `a < b <= c`: one operator fewer than sides. */
  | { readonly kind: "relation"; readonly operators: readonly string[]; readonly operands: readonly Node[] }
  /** Bracketed or bare list; `open` is empty for a bare one. */
  | { readonly kind: "list"; readonly open: string; readonly close: string; readonly operands: readonly Node[] }
  /** An operand with a unit behind it. */
  | { readonly kind: "quantity"; readonly unit: Unit; readonly operands: readonly [Node] }
  | { readonly kind: "matrix"; readonly columns: number; readonly operands: readonly Node[] };

export type Operator = "+" | "*" | "/" | "^" | "neg" | "±" | "∓" | ":" | "%" | "∪" | "∩" | "∖" | "based";
