// Questions about trees and small rewrites of them: units and words, names on the left of "=", both signs of ±.
import { unknowns } from "./evaluate.ts";
import type { Node } from "./node.ts";
import { zero } from "./rational.ts";

const isWord = (node: Node): boolean =>
  (node.kind === "symbol" && node.word) ||
  (node.kind === "operation" &&
    (node.operator === "^" || node.operator === "*" || node.operator === "/") &&
    isWord(node.operands[0]));

/** True where a word stands in the tree: then it is no mathematics. */
export const hasWord = (node: Node): boolean =>
  node.kind === "symbol" ? node.word : node.kind === "number" ? false : node.operands.some(hasWord);

/** `3 apples`, `5 cm long`: without the words behind. Units of measurement are no words. */
export function stripWords(node: Node): Node {
  let current = node;
  while (current.kind === "operation" && (current.operator === "*" || current.operator === "/")) {
    const [left, right] = current.operands;
    if (isWord(left) || !(isWord(right) || (current.operator === "/" && hasWord(left)))) break;
    current = left;
  }
  if (current.kind === "operation" && current.operator === "neg") {
    const inner = stripWords(current.operands[0]);
    return inner === current.operands[0] ? current : { ...current, operands: [inner] };
  }
  if (current.kind === "operation" && current.operator === "+" && hasWord(current)) {
    const last = current.operands[current.operands.length - 1];
    return { ...current, operands: [...current.operands.slice(0, -1), stripWords(last)] };
  }
  return current;
}

/** Words that count anything. */
const general = new Set(
  "units times ways people persons items things objects pieces values solutions points total numbers".split(" "),
);
const irregular: Readonly<Record<string, string>> = {
  men: "men",
  women: "women",
  children: "children",
  mice: "mice",
  feet: "feet",
};
const directions = new Set(
  "north south east west left right up down clockwise counterclockwise anticlockwise ad bc ce bce".split(" "),
);

/** The nouns in the plural and the directions that `stripWords` drops: they tell 3 boys from 3 girls, 5 north from 5 south. */
export function nounsBeside(node: Node): readonly string[] {
  const nouns: string[] = [];
  const visit = (part: Node): void => {
    if (part.kind === "symbol") {
      const plural =
        /^[a-z]{2,}[^s\W]s$/.test(part.name) || irregular[part.name] !== undefined || directions.has(part.name);
      if (part.word && plural && !general.has(part.name)) nouns.push(part.name);
    } else if (part.kind !== "number") for (const operand of part.operands) visit(operand);
  };
  visit(node);
  return nouns;
}

/** Both variants of an expression with ±; ∓ takes the other sign. Null without ±. */
export function expandSigns(node: Node): readonly Node[] | null {
  let found = false;
  const choose = (part: Node, positive: boolean): Node => {
    if (part.kind === "number" || part.kind === "symbol") return part;
    const operands = part.operands.map((operand) => choose(operand, positive));
    if (part.kind === "operation" && (part.operator === "±" || part.operator === "∓")) {
      found = true;
      return (part.operator === "±") === positive ? operands[0] : { kind: "operation", operator: "neg", operands };
    }
    return { ...part, operands } as Node;
  };
  const variants = [choose(node, true), choose(node, false)];
  return found ? variants : null;
}

export function rename(node: Node, from: string, to: string): Node {
  if (node.kind === "symbol") return node.name === from ? { ...node, name: to } : node;
  if (node.kind === "number") return node;
  return { ...node, operands: node.operands.map((operand) => rename(operand, from, to)) } as Node;
}

/** A text that equal trees share. */
function keyOf(node: Node): string {
  if (node.kind === "number") return `${node.value.numerator}/${node.value.denominator}`;
  if (node.kind === "symbol") return node.name;
  const head = node.kind === "operation" ? node.operator : node.kind === "call" ? node.name : node.kind;
  return `${head}(${node.operands.map(keyOf).join(",")})`;
}

/** A sum without the terms that cancel as they are written: π + 1 − π is 1. */
export function withoutCommonTerms(node: Node): Node {
  const terms = new Map<string, { readonly term: Node; count: number }>();
  const collect = (part: Node, sign: number): void => {
    if (part.kind === "operation" && part.operator === "+") for (const each of part.operands) collect(each, sign);
    else if (part.kind === "operation" && part.operator === "neg") collect(part.operands[0], -sign);
    else {
      const key = keyOf(part);
      const entry = terms.get(key) ?? { term: part, count: 0 };
      terms.set(key, { term: part, count: entry.count + sign });
    }
  };
  collect(node, 1);
  const left = [...terms.values()].flatMap(({ term, count }): Node[] => {
    const signed: Node = count < 0 ? { kind: "operation", operator: "neg", operands: [term] } : term;
    return Array.from({ length: Math.abs(count) }, () => signed);
  });
  return { kind: "operation", operator: "+", operands: [{ kind: "number", value: zero, decimals: 0 }, ...left] };
}

/** What stands left of `=` when the right side is its value: x, AB, f(x), (p, q), A : B, words. Null for expressions. */
export function nameOf(node: Node): string | null {
  switch (node.kind) {
    case "symbol":
      return node.name;
    case "call":
      return /^[a-zA-Z]([_'].*)?$/.test(node.name) &&
        node.operands.every((part) => unknowns(part).length > 0 || part.kind === "number")
        ? `${node.name}()`
        : null;
    case "list":
      return node.operands.every((part) => nameOf(part) !== null) ? "" : null;
    case "operation":
      if (node.operator === ":") return node.operands.every((part) => nameOf(part) !== null) ? "" : null;
      if (node.operator !== "*") return null;
      return node.operands.every((part) => hasWord(part) || part.kind === "symbol") && hasWord(node)
        ? ""
        : node.operands.every((part) => part.kind === "symbol" && /^[A-Z]|^angle|^triangle/.test(part.name))
          ? node.operands.map((part) => nameOf(part)).join("")
          : null;
    default:
      return null;
  }
}

/** `0 < f(x) < 1` constrains one quantity: its name is f(x). */
export function replaceCall(node: Node & { kind: "relation" }): Node & { kind: "relation" } {
  const calls = node.operands.filter((part) => part.kind === "call" && nameOf(part) !== null);
  if (calls.length !== 1 || node.operands.some((part) => part !== calls[0] && unknowns(part).length > 0)) return node;
  const name: Node = { kind: "symbol", name: nameOf(calls[0]) ?? "", word: false };
  return { ...node, operands: node.operands.map((part) => (part === calls[0] ? name : part)) };
}
