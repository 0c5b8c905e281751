// From tokens to a tree, by recursive descent. It accepts what people write as final answers, not all of LaTeX; whatever
// it cannot read is reported with a reason and the caller falls back to comparing text. The grammar's rules are in
// parse-sums.ts, parse-atoms.ts and parse-commands.ts.
import { cursorOver, maxDepth, type Rules, Unreadable } from "./cursor.ts";
import type { Node } from "./node.ts";
import { argument, primary, rest, symbolOrCall } from "./parse-atoms.ts";
import { bracket, command, environment, namedFunction } from "./parse-commands.ts";
import { list, power, product, raise, relation, signed, startsFactor, sum } from "./parse-sums.ts";
import type { Token } from "./syntax.ts";

const rules: Rules = {
  ...{ list, relation, sum, product, power, signed, raise, startsFactor },
  ...{ primary, argument, rest, symbolOrCall },
  ...{ namedFunction, command, bracket, environment },
};

/** The tree of a whole answer, or the reason why there is none. */
export function parse(tokens: readonly Token[]): { readonly node: Node } | { readonly reason: string } {
  const source = dropTrailing(tokens);
  if (source.length === 0) return { reason: "empty" };
  const cursor = cursorOver(source, rules);
  try {
    const node = list(cursor, "", () => cursor.at >= source.length);
    return { node: node.kind === "list" && node.operands.length === 1 ? node.operands[0] : node };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { reason: cursor.deepest > maxDepth ? "too-deep" : "not-mathematics" };
  }
}

/** Drops what answers end with and what says nothing: full stops, commas, `\pmod{n}`, an unclosed brace's partner. */
function dropTrailing(tokens: readonly Token[]): readonly Token[] {
  const modulus = tokens.findIndex((token) => token.type === "command" && /^[pb]?mod$/.test(token.text));
  const kept = modulus > 0 ? tokens.slice(0, modulus) : [...tokens];
  const last = (): string => {
    const token = kept.at(-1);
    return token?.type === "punctuation" ? token.text : "";
  };
  while ([".", ",", ";", ":", "\\\\", "and"].includes(last())) kept.pop();
  return kept;
}
