// Recursive descent from tokens to a tree. It accepts what people write as final answers, not all of LaTeX; whatever it
// cannot read is reported as null and the caller falls back to comparing text. One grammar, one file: the rules call each
// other and share the position, so cutting it up would only hide that.
import type { Node, Operator } from "./node.ts";
import { type Rational, rational } from "./rational.ts";
import type { Token } from "./syntax.ts";
import { rename } from "./tree.ts";

const maxDepth = 400;

/** Signals that tokens are no answer; never leaves this file. */
class Unreadable extends Error {}

const operation = (operator: Operator, ...operands: readonly Node[]): Node => ({
  kind: "operation",
  operator,
  operands,
});
const symbol = (name: string, word = false): Node => ({ kind: "symbol", name, word });

/** The tree of a whole answer, or the reason why there is none. */
export function parse(tokens: readonly Token[]): { readonly node: Node } | { readonly reason: string } {
  const source = dropTrailing(tokens);
  let at = 0;
  let depth = 0;
  let deepest = 0;
  /** Open `|` bars: inside them a bar closes. */
  let bars = 0;
  /** Inside a set-builder head, `:` and `|` separate. */
  let builder = false;
  /** How many sums and the like stand inside each other in what was just read. */
  let sumDepth = 0;

  const peek = (offset = 0): Token | undefined => source[at + offset];
  const textAt = (offset = 0): string => {
    const token = source[at + offset];
    return token === undefined || token.type === "number" ? "" : token.text;
  };
  const isPunctuation = (text: string, offset = 0): boolean =>
    peek(offset)?.type === "punctuation" && textAt(offset) === text;
  const fail = (): never => {
    throw new Unreadable();
  };
  const expect = (text: string): void => {
    if (!isPunctuation(text)) fail();
    at++;
  };
  const nested = (read: () => Node): Node => {
    depth++;
    deepest = Math.max(deepest, depth);
    if (depth > maxDepth) fail();
    const node = read();
    depth--;
    return node;
  };

  /** Items between separators; `;` groups stronger lists into tuples. */
  const list = (open: string, isEnd: () => boolean): Node => {
    const groups: Node[][] = [[]];
    let grouped = false;
    if (!isEnd()) {
      groups[0].push(relation());
      while (!isEnd()) {
        if (!separator()) fail();
        let semicolon = textAt() === ";";
        while (separator()) {
          semicolon ||= textAt() === ";";
          at++;
        }
        if (isEnd()) break;
        if (semicolon) {
          grouped = true;
          groups.push([]);
        }
        groups[groups.length - 1].push(relation());
      }
    }
    if (grouped && groups.some((group) => group.length > 1)) {
      const tuples = groups.map(
        (group): Node => (group.length === 1 ? group[0] : { kind: "list", open: "", close: "", operands: group }),
      );
      return { kind: "list", open, close: "", operands: tuples };
    }
    return { kind: "list", open, close: "", operands: groups.flat() };
  };
  const separator = (): boolean =>
    peek()?.type === "punctuation" && (textAt() === "," || textAt() === ";" || textAt() === "and" || textAt() === "or");

  const relation = (): Node =>
    nested(() => {
      const operators: string[] = [];
      const operands: Node[] = [setExpression()];
      while (peek()?.type === "relation") {
        operators.push(textAt());
        at++;
        operands.push(setExpression());
      }
      return operators.length === 0 ? operands[0] : { kind: "relation", operators, operands };
    });

  const setExpression = (): Node => {
    let left = ratio();
    while (isPunctuation("∪") || isPunctuation("∩") || isPunctuation("∖")) {
      const operator = textAt() as "∪" | "∩" | "∖";
      at++;
      left = operation(operator, left, ratio());
    }
    return left;
  };

  const ratio = (): Node => {
    const parts = [sum()];
    while (!builder && isPunctuation(":")) {
      at++;
      parts.push(sum());
    }
    return parts.length === 1 ? parts[0] : operation(":", ...parts);
  };

  const sum = (): Node => {
    const terms: Node[] = [];
    let sign = signHere();
    if (sign === null) {
      terms.push(product());
      sign = signHere();
    }
    while (sign !== null) {
      at++;
      const term = product();
      if (sign === "+") terms.push(term);
      else terms.push(operation(sign === "-" ? "neg" : sign, term));
      sign = signHere();
    }
    return terms.length === 1 ? terms[0] : operation("+", ...terms);
  };
  const signHere = (): "+" | "-" | "±" | "∓" | null => {
    const text = textAt();
    if (peek()?.type !== "punctuation") return null;
    return text === "+" || text === "-" || text === "±" || text === "∓" ? text : null;
  };

  const product = (): Node => {
    let left = power();
    for (;;) {
      if (isPunctuation("*")) {
        at++;
        left = operation("*", left, signed());
      } else if (isPunctuation("/")) {
        at++;
        left = operation("/", left, signed());
      } else if (startsFactor()) {
        const right = power();
        left = operation("*", left, right);
      } else return left;
    }
  };
  const signed = (): Node => {
    if (isPunctuation("-")) {
      at++;
      return operation("neg", power());
    }
    return power();
  };
  /** True where the next token continues a product without a sign: `2x`, `3(x+1)`, `\frac12\pi`. */
  const startsFactor = (): boolean => {
    const token = peek();
    if (token === undefined || token.type === "relation") return false;
    if (token.type === "number") return false;
    if (token.type === "environment") return token.text.startsWith("begin");
    if (token.type === "punctuation") {
      return token.text === "(" || token.text === "{" || opensBar(token);
    }
    return textAt() !== "rfloor" && textAt() !== "rceil";
  };
  const opensBar = (token: Token): boolean => token.type !== "number" && token.text === "|" && bars === 0 && !builder;

  const power = (): Node =>
    nested(() => {
      let base = primary();
      for (;;) {
        if (isPunctuation("^")) {
          at++;
          base = raise(base);
        } else if (isPunctuation("%")) {
          at++;
          base = operation("%", base);
        } else if (isPunctuation("!")) {
          at++;
          base = { kind: "call", name: "factorial", operands: [base] };
        } else if (isPunctuation("'")) {
          at++;
          base = base.kind === "symbol" ? symbol(`${base.name}'`) : fail();
        } else return base;
      }
    });
  const raise = (base: Node): Node => {
    if (peek()?.type === "command" && textAt() === "circ") {
      at++;
      return operation("degree", base);
    }
    if (isPunctuation("{") && source[at + 1]?.type === "command" && textAt(1) === "circ" && isPunctuation("}", 2)) {
      at += 3;
      return operation("degree", base);
    }
    if (isPunctuation("*")) fail();
    const exponent = isPunctuation("{") ? primary() : isPunctuation("-") ? signed() : argument(true);
    return operation("^", base, exponent);
  };

  /** One brace group, or the single token that LaTeX takes instead: `\frac12` splits digits, `^10` in plain text does not. */
  const argument = (wholeNumber: boolean): Node => {
    if (isPunctuation("{")) return primary();
    const token = peek();
    if (token?.type === "number") {
      if (wholeNumber) {
        at++;
        const node: Node = { kind: "number", value: token.value, decimals: token.decimals };
        if (!isPunctuation("^")) return node;
        at++;
        return raise(node);
      }
      return digit(token);
    }
    return nested(() => primary());
  };
  /** Takes one digit off a number token, as TeX does. */
  const pending: { digits: string } = { digits: "" };
  const digit = (token: Token & { type: "number" }): Node => {
    const digits = pending.digits === "" ? `${token.value.numerator}` : pending.digits;
    if (token.value.denominator !== 1n) {
      at++;
      return { kind: "number", value: token.value, decimals: token.decimals };
    }
    pending.digits = digits.slice(1);
    if (pending.digits === "") at++;
    return { kind: "number", value: integer(digits[0]), decimals: 0 };
  };
  /** What remains of a number after `digit` took from it is a factor of its own: `\sqrt35` is √3 · 5. */
  const rest = (node: Node): Node => {
    if (pending.digits === "") return node;
    const value = integer(pending.digits);
    pending.digits = "";
    at++;
    return operation("*", node, { kind: "number", value, decimals: 0 });
  };
  const integer = (digits: string): Rational => rational(BigInt(digits)) ?? fail();

  const primary = (): Node =>
    nested(() => {
      const token = peek() ?? fail();
      if (token.type === "number") return number(token);
      at++;
      switch (token.type) {
        case "symbol":
          return symbolOrCall(token.text);
        case "word":
          return symbol(token.text.toLowerCase(), true);
        case "function":
          return namedFunction(token.text);
        case "environment":
          return token.text.startsWith("begin") ? environment(token.text.slice(6)) : fail();
        case "command":
          return command(token.text);
        case "relation":
          return fail();
        case "punctuation":
          return bracket(token.text);
      }
    });

  const number = (token: Token & { type: "number" }): Node => {
    at++;
    const node: Node = { kind: "number", value: token.value, decimals: token.decimals };
    const whole = token.value.denominator === 1n && token.decimals === 0;
    // A base: 1011_2.
    if (isPunctuation("_")) {
      at++;
      return operation("based", node, argument(true));
    }
    // Mixed numbers: 1\frac{1}{2} and 1 1/2.
    if (whole && peek()?.type === "command" && textAt() === "frac") {
      const fraction = primary();
      const proper =
        fraction.kind === "operation" &&
        fraction.operator === "/" &&
        fraction.operands.every((part) => part.kind === "number" && part.value.denominator === 1n);
      return proper && lessThanOne(fraction) ? operation("+", node, fraction) : operation("*", node, fraction);
    }
    const [next, slash, below] = [peek(), source[at + 1], source[at + 2]];
    if (whole && next?.type === "number" && next.space && below?.type === "number" && slash?.type === "punctuation") {
      if (slash.text !== "/" || slash.space || below.space) fail();
      const [top, bottom]: Node[] = [next, below].map((part) => ({
        kind: "number" as const,
        value: part.value,
        decimals: part.decimals,
      }));
      at += 3;
      return operation("+", node, operation("/", top, bottom));
    }
    return node;
  };
  const lessThanOne = (fraction: Node & { kind: "operation" }): boolean => {
    const [top, bottom] = fraction.operands;
    return top.kind === "number" && bottom.kind === "number" && top.value.numerator < bottom.value.numerator;
  };

  const symbolOrCall = (letter: string): Node => {
    let name = letter;
    if (isPunctuation("_")) name += subscript();
    while (isPunctuation("'")) {
      name += "'";
      at++;
    }
    // f(x) is a call where the name is one that functions have; x(y+1) is a product.
    if (/^[fghFGHPQ](?:[_'].*)?$/.test(name) && isPunctuation("(") && !(peek()?.space ?? false)) {
      at++;
      const inner = inBrackets(() => list("(", () => isPunctuation(")")));
      expect(")");
      return { kind: "call", name, operands: inner.kind === "list" ? inner.operands : [inner] };
    }
    return symbol(name);
  };
  /** The text of a subscript; it is part of the name and has no meaning of its own. */
  const subscript = (): string => {
    at++;
    if (!isPunctuation("{")) {
      const token = peek() ?? fail();
      at++;
      return `_${token.type === "number" ? `${token.value.numerator}` : token.text}`;
    }
    let text = "_";
    let open = 0;
    do {
      const token = peek() ?? fail();
      at++;
      if (token.type === "punctuation" && token.text === "{") open++;
      else if (token.type === "punctuation" && token.text === "}") open--;
      else text += token.type === "number" ? `${token.value.numerator}` : token.text;
    } while (open > 0);
    return text;
  };

  const namedFunction = (name: string): Node => {
    let base: Node | null = null;
    let exponent: Node | null = null;
    if (isPunctuation("_")) {
      at++;
      base = argument(false);
    }
    if (isPunctuation("^")) {
      at++;
      exponent = argument(true);
    }
    const parts = functionArguments();
    const inverse = exponent !== null && isMinusOne(exponent);
    const call: Node = {
      kind: "call",
      name: inverse ? `arc${name}` : name,
      operands: base === null ? parts : [...parts, base],
    };
    return exponent === null || inverse ? call : operation("^", call, exponent);
  };
  const isMinusOne = (node: Node): boolean =>
    node.kind === "operation" &&
    node.operator === "neg" &&
    node.operands[0].kind === "number" &&
    node.operands[0].value.numerator === 1n &&
    node.operands[0].value.denominator === 1n;
  const functionArguments = (): readonly Node[] => {
    if (isPunctuation("(") || isPunctuation("{")) {
      const inner = primary();
      return inner.kind === "list" ? inner.operands : [inner];
    }
    // sin 2x takes the product up to the next sign or function.
    let inner = isPunctuation("-") ? signed() : power();
    while (startsFactor() && peek()?.type !== "function" && !isPunctuation("(")) {
      inner = operation("*", inner, power());
    }
    return [inner];
  };

  const command = (name: string): Node => {
    switch (name) {
      case "frac": {
        const top = argument(false);
        return rest(operation("/", top, argument(false)));
      }
      case "sqrt": {
        let degree: Node | null = null;
        if (isPunctuation("[")) {
          at++;
          degree = sum();
          expect("]");
        }
        const inside = rest(argument(peek()?.space ?? false));
        return { kind: "call", name: "root", operands: degree === null ? [inside] : [inside, degree] };
      }
      case "binom":
      case "tbinom":
      case "dbinom":
        return { kind: "call", name: "binomial", operands: [argument(false), argument(false)] };
      case "overline":
      case "vec":
      case "hat":
      case "bar":
      case "overrightarrow":
      case "widehat":
        return argument(false);
      case "lfloor":
      case "lceil": {
        const inner = sum();
        if (textAt() !== (name === "lfloor" ? "rfloor" : "rceil")) fail();
        at++;
        return { kind: "call", name: name === "lfloor" ? "floor" : "ceil", operands: [inner] };
      }
      case "angle":
      case "triangle":
      case "circ":
        return symbol(name);
      case "sum":
      case "prod":
      case "int":
      case "lim":
        return bigOperator(name);
      case "emptyset":
      case "varnothing":
        return { kind: "list", open: "\\{", close: "\\}", operands: [] };
      case "varphi":
      case "varepsilon":
        return symbolOrCall(name.slice(3));
      default:
        return /^[a-zA-Z]{1,12}$/.test(name) ? symbolOrCall(name === "R" ? "ℝ" : name) : fail();
    }
  };
  /** Bounds and body become operands; only finite sums and products are ever evaluated. */
  const bigOperator = (name: string): Node => {
    const bounds: Node[] = [symbol("none"), symbol("none")];
    while (isPunctuation("_") || isPunctuation("^")) {
      const index = isPunctuation("_") ? 0 : 1;
      at++;
      if (isPunctuation("{")) {
        at++;
        bounds[index] = relation();
        expect("}");
      } else bounds[index] = argument(false);
    }
    const beside = sumDepth;
    sumDepth = 0;
    const operands = [product(), ...bounds];
    // The index has no meaning outside, and may be called i, which is a number elsewhere. Each depth has a name of its
    // own, so that a sum inside keeps its index apart.
    const index = bounds[0].kind === "relation" ? bounds[0].operands[0] : null;
    const boundName = `index${sumDepth}`;
    sumDepth = Math.max(beside, sumDepth + 1);
    const bound = index?.kind === "symbol" ? operands.map((each) => rename(each, index.name, boundName)) : operands;
    return { kind: "call", name, operands: bound };
  };

  const inBrackets = (read: () => Node): Node => {
    const [outerBars, outerBuilder] = [bars, builder];
    bars = 0;
    builder = false;
    const node = read();
    [bars, builder] = [outerBars, outerBuilder];
    return node;
  };
  const bracket = (open: string): Node => {
    if (open === "|") {
      bars++;
      const inner = sum();
      bars--;
      expect("|");
      return { kind: "call", name: "abs", operands: [inner] };
    }
    if (open === "{") {
      const inner = inBrackets(() => list("", () => isPunctuation("}")));
      expect("}");
      if (inner.kind === "list" && inner.operands.length === 1) return inner.operands[0];
      return inner;
    }
    if (open === "\\{") return set();
    if (open !== "(" && open !== "[" && open !== "]") fail();
    const inner = inBrackets(() => list(open, () => isPunctuation(")") || isPunctuation("]")));
    const close = textAt() || fail();
    at++;
    if (inner.kind !== "list") return fail();
    if (open === "(" && close === ")" && inner.operands.length === 1) return inner.operands[0];
    if (open === "[" && close === "]" && inner.operands.length === 1) return inner.operands[0];
    return { ...inner, close };
  };
  const set = (): Node =>
    inBrackets(() => {
      builder = true;
      const items = list("\\{", () => isPunctuation("\\}") || isPunctuation("mid") || isPunctuation("|") || isColon());
      if (isPunctuation("\\}")) {
        at++;
        return { ...items, close: "\\}" } as Node;
      }
      // {x | condition}: the condition says it all.
      at++;
      builder = false;
      const condition = list("", () => isPunctuation("\\}"));
      expect("\\}");
      return condition.kind === "list" && condition.operands.length === 1 ? condition.operands[0] : condition;
    });
  const isColon = (): boolean => isPunctuation(":");

  const environment = (name: string): Node => {
    const isEnd = (): boolean => peek()?.type === "environment" && textAt() === `end ${name}`;
    const rows: Node[][] = [[]];
    inBrackets(() => {
      while (!isEnd()) {
        if (isPunctuation("\\\\")) {
          at++;
          if (!isEnd()) rows.push([]);
        } else if (isPunctuation("&")) at++;
        else rows[rows.length - 1].push(relation());
      }
      return symbol("matrix");
    });
    at++;
    const columns = rows[0].length;
    // A system of equations is the list of its lines; conditions in a second column are beyond us.
    if (!/matrix$|^array$/.test(name)) {
      if (columns !== 1) fail();
      return { kind: "list", open: "", close: "", operands: rows.flat() };
    }
    if (columns === 0 || rows.some((row) => row.length !== columns)) fail();
    return { kind: "matrix", columns, operands: rows.flat() };
  };

  try {
    if (source.length === 0) return { reason: "empty" };
    const node = list("", () => at >= source.length);
    return { node: node.kind === "list" && node.operands.length === 1 ? node.operands[0] : node };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { reason: deepest > maxDepth ? "too-deep" : "not-mathematics" };
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
