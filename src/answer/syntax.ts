// From normalised text to tokens; what they mean is decided in parse.ts. All patterns are linear in the input.
import { unitMarks } from "./find-units.ts";
import { type Rational, rational, rationalFromDecimal } from "./rational.ts";

export type Token =
  | { readonly type: "number"; readonly value: Rational; readonly decimals: number; readonly space: boolean }
  | {
      /** A unit's text is for `unitOf`. */
      readonly type: "symbol" | "word" | "function" | "command" | "punctuation" | "relation" | "environment" | "unit";
      readonly text: string;
      readonly space: boolean;
    };

/** How commas between digits are read. `list` separates always, `thousands` groups digits, `decimal` is a decimal point. */
export type CommaMode = "list" | "thousands" | "decimal";

const maxTokens = 4000;

const relations: Readonly<Record<string, string>> = {
  le: "<=",
  leq: "<=",
  leqslant: "<=",
  lt: "<",
  ge: ">=",
  geq: ">=",
  geqslant: ">=",
  gt: ">",
  ne: "!=",
  neq: "!=",
  approx: "~",
  simeq: "~",
  sim: "~",
  in: "in",
  equiv: "=",
  to: "->",
  rightarrow: "->",
  mapsto: "->",
  implies: "->",
  Rightarrow: "->",
  Leftrightarrow: "->",
  iff: "->",
};

const operators: Readonly<Record<string, string>> = {
  cdot: "*",
  times: "*",
  ast: "*",
  div: "/",
  pm: "±",
  mp: "∓",
  cup: "∪",
  cap: "∩",
  setminus: "∖",
  backslash: "∖",
  mid: "mid",
  vert: "|",
  lvert: "|",
  rvert: "|",
  lbrace: "\\{",
  rbrace: "\\}",
  lbrack: "[",
  rbrack: "]",
  colon: ":",
  lor: "or",
  vee: "or",
  land: "and",
  wedge: "and",
};

/** Functions that are evaluated; the rest of what looks like `f(x)` stays an unknown function. */
export const functionNames: ReadonlySet<string> = new Set(
  "sin cos tan cot sec csc arcsin arccos arctan asin acos atan sinh cosh tanh log ln lg exp sqrt max min gcd lcm abs floor ceil".split(
    " ",
  ),
);

/** Short runs of letters that are words or units and not a product of unknowns. */
const shortWords = new Set(
  "is of an at if no as by it we so be he my us me up go do cm mm km kg mg ml ft in oz lb hr the are for not but per yes can has was day men how all one two six ten lbs hrs min sec pct deg mph kmh sq cubic years its let get any a.m p.m am pm".split(
    " ",
  ),
);

/** Tokens of normalised text, or why there are none. */
export function tokenise(
  text: string,
  commas: CommaMode,
): { readonly tokens: readonly Token[] } | { readonly reason: string } {
  const tokens: Token[] = [];
  let at = 0;
  let space = false;
  let brackets = 0;
  const push = (type: Exclude<Token["type"], "number">, value: string): void => {
    tokens.push({ type, text: value, space });
    space = false;
  };
  while (at < text.length) {
    if (tokens.length > maxTokens) return { reason: "too-long" };
    const character = text[at];
    if (/\s/.test(character)) {
      space = true;
      at++;
    } else if (/[\d.]/.test(character)) {
      const read = readNumber(text, at, brackets > 0 && commas !== "decimal" ? "list" : commas);
      if (read === null) {
        // A full stop that is no number: the end of a sentence is dropped, anything else is punctuation.
        if (at < text.trimEnd().length - 1) push("punctuation", character);
        at++;
        continue;
      }
      tokens.push({ type: "number", value: read.value, decimals: read.decimals, space });
      space = false;
      at = read.end;
    } else if (character === unitMarks.open) {
      const close = text.indexOf(unitMarks.close, at);
      push("unit", text.slice(at + 1, close));
      at = close + 1;
    } else if (character === "\\") {
      at = readCommand(text, at, push);
    } else if (/[a-zA-Z\u0370-\u03ff]/.test(character)) {
      at = readLetters(text, at, tokens, space, push);
    } else {
      const two = text.slice(at, at + 2);
      if (two === "<=" || two === ">=" || two === "!=" || two === "=<" || two === "->" || two === "==") {
        push("relation", two === "=<" ? "<=" : two === "==" ? "=" : two);
        at += 2;
        continue;
      }
      if (character === "(" || character === "[") brackets++;
      if (character === ")" || character === "]") brackets--;
      if (character === "=" || character === "<" || character === ">") push("relation", character);
      else if (character !== '"' && character !== "`" && character !== "?") push("punctuation", character);
      at++;
    }
  }
  return { tokens };
}

/** A number literal at `start`: digits grouped as the mode says, a fraction part, an exponent, a repeating part. */
function readNumber(
  text: string,
  start: number,
  commas: CommaMode,
): { readonly value: Rational; readonly decimals: number; readonly end: number } | null {
  const sticky = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = start;
    return pattern.exec(text);
  };
  const grouped =
    commas === "thousands"
      ? (sticky(/\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d])(?!,\d)/y) ?? sticky(/\d{1,3}(?: \d{3})+(?![\d])/y))
      : commas === "decimal"
        ? sticky(/\d+,\d+(?![\d,])/y)
        : sticky(/\d{1,3}(?: \d{3})+(?![\d])/y);
  const plain = grouped ?? sticky(/\d*\.?\d+(?:\.(?=\\overline))?/y);
  if (plain === null) return null;
  const end = start + plain[0].length;
  const digits = commas === "decimal" && grouped !== null ? plain[0].replace(",", ".") : plain[0].replace(/[, ]/g, "");
  let value = rationalFromDecimal(digits);
  if (value === null) return null;
  const decimals = digits.endsWith(".") ? 0 : digits.includes(".") ? digits.length - digits.indexOf(".") - 1 : 0;
  const repeating = /^\\overline\s*\{(\d{1,30})\}/.exec(text.slice(end, end + 60));
  if (repeating !== null && plain[0].includes(".")) {
    const scale = 10n ** BigInt(decimals);
    const period = 10n ** BigInt(repeating[1].length) - 1n;
    const whole = BigInt(digits.replace(".", "")) * period + BigInt(repeating[1]);
    value = rational(whole, scale * period) ?? value;
    return { value, decimals: 0, end: end + repeating[0].length };
  }
  const exponent = /^[eE]([+-]?\d{1,3})(?![\w.])/.exec(text.slice(end, end + 6));
  if (exponent !== null) {
    const scale = 10n ** BigInt(Math.abs(Number(exponent[1])));
    const shifted = exponent[1].startsWith("-")
      ? rational(value.numerator, value.denominator * scale)
      : rational(value.numerator * scale, value.denominator);
    if (shifted !== null) return { value: shifted, decimals: 0, end: end + exponent[0].length };
  }
  return { value, decimals, end };
}

type Push = (type: Exclude<Token["type"], "number">, value: string) => void;

/** A backslash command at `start`; returns where the text goes on. */
function readCommand(text: string, start: number, push: Push): number {
  const name = /[a-zA-Z]+/y;
  name.lastIndex = start + 1;
  const match = name.exec(text);
  if (match === null) {
    const symbol = text.slice(start, start + 2);
    if (symbol === "\\{" || symbol === "\\}" || symbol === "\\\\") push("punctuation", symbol);
    else if (symbol === "\\%") push("punctuation", "%");
    else if (symbol === "\\|") push("punctuation", "|");
    return start + 2;
  }
  const command = match[0];
  const end = start + 1 + command.length;
  if (command === "begin" || command === "end") {
    const environment = /\s*\{\s*([a-zA-Z]+)\*?\s*\}(?:\s*\{[clr| ]*\})?/y;
    environment.lastIndex = end;
    const found = environment.exec(text);
    if (found === null) return end;
    push("environment", `${command} ${found[1]}`);
    return end + found[0].length;
  }
  if (Object.hasOwn(relations, command)) push("relation", relations[command]);
  else if (Object.hasOwn(operators, command)) push("punctuation", operators[command]);
  else if (functionNames.has(command) && command !== "sqrt") push("function", command);
  else push("command", /^[dtc]frac$/.test(command) ? "frac" : command);
  return end;
}

/** Nothing but words, in Latin letters, with what joins and quotes them. */
const phrase = /^[\s"“‘']*[A-Za-z][A-Za-z .'"“”‘’/-]*$/;

/** Words of two letters that nobody writes for a product, in a text of letters alone: "on" is not "no" turned round. */
const wordsOfPhrase = new Set(["on", "to", "hi", "oh", "ok", "ox"]);

/**
 * Whether a run of two or three letters that is nothing known is a word and not a product of unknowns: in a text of letters alone, one of
 * the few of two that are no products, a run of three that are in no alphabetical order or have the constants e or i among them (dog, New,
 * big; but abc, xyz), and one with a capital before a longer word (El Salvador). Products are written in order, as a rule, and two words in order are no anagrams of each other.
 */
function isWordOfPhrase(text: string, start: number, run: string): boolean {
  if (!phrase.test(text)) return false;
  const lower = run.toLowerCase();
  if (wordsOfPhrase.has(lower)) return true;
  const inOrder = [...lower].sort().join("") === lower;
  if (run.length === 3 && /[aeiou]/.test(lower) && (/[ei]/.test(lower) || !inOrder)) return true;
  return /^[A-Z][a-z]/.test(run) && /^ +[A-Z]?[a-z]{2,}/.test(text.slice(start + run.length));
}

/** A run of letters at `start`: a function name, a connector, a word, or a product of one-letter unknowns. */
function readLetters(text: string, start: number, tokens: readonly Token[], space: boolean, push: Push): number {
  const letters = /[a-zA-Z\u0370-\u03ff]+(?:'[a-z]+)?/y;
  letters.lastIndex = start;
  const run = letters.exec(text)?.[0] ?? text[start];
  const end = start + run.length;
  const previous = tokens.at(-1);
  const lower = run.toLowerCase();
  if (run.length === 1) push("symbol", run);
  else if (lower === "and" || lower === "or") push("punctuation", lower);
  else if (run === "sqrt" || run === "pi" || run === "frac") push("command", run);
  else if (functionNames.has(run)) push("function", run);
  else if (run === "inf" || lower === "infinity") push("command", "infty");
  else if (lower === "percent" || run === "pct") push("punctuation", "%");
  else if (lower === "degrees" || lower === "degree") push("word", run);
  else if (shortWords.has(lower) || run.length > 3 || (space && previous?.type === "number" && run.length === 3)) {
    push("word", run);
  } else if (/^[A-Z]+$/.test(run)) {
    // AB is the segment from A to B, not a product.
    push("symbol", run);
  } else if (/^[a-zA-Z]+$/.test(run) && !isWordOfPhrase(text, start, run)) {
    for (const letter of run) push("symbol", letter);
  } else push("word", run);
  return end;
}
