// Plain values: what may pass between a program and the outside, written as JSON. JSON values stand for themselves;
// what JSON cannot say is an object with a `$` key (a tag). This file reads, checks and compares plain values; it does
// not know how an interpreter stores them (marshal.ts, quickjs-interpreter.ts).
//
//   {"$":"int","value":"123…"}        an integer beyond ±(2^53 − 1)
//   {"$":"float","value":"nan"}       also "inf", "-inf", or a float that JSON would read as an integer ("2.0")
//   {"$":"tuple","items":[…]}         {"$":"set","items":[…]}
//   {"$":"dict","entries":[[k,v],…]}  a dictionary whose keys are not all strings, or that has the key "$"

export type PlainValue =
  | null
  | boolean
  | number
  | string
  | readonly PlainValue[]
  | { readonly [key: string]: PlainValue };

/** Deepest nesting that is carried; deeper values are refused on both ways. */
export const maxDepth = 200;

const integerPattern = /^-?(0|[1-9][0-9]*)$/;
const floatPattern = /^(nan|-?inf|-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?)$/i;

/** Why `value` is not a plain value, or null when it is one. Never recurses deeper than `maxDepth`. */
export function plainValueProblem(value: unknown, depth = 0): string | null {
  if (depth > maxDepth) return `nested deeper than ${maxDepth} levels`;
  if (value === null || typeof value === "boolean" || typeof value === "string") return null;
  if (typeof value === "number") return Number.isFinite(value) ? null : `${value} needs {"$":"float"}`;
  if (typeof value !== "object") return `${typeof value} is not plain data`;
  if (Array.isArray(value)) return firstProblem(value, depth);
  const record = value as Record<string, unknown>;
  const tag = record["$"];
  if (tag === undefined) return firstProblem(Object.values(record), depth);
  switch (tag) {
    case "int":
      return isText(record["value"], integerPattern) ? null : 'an "int" tag needs decimal digits in "value"';
    case "float":
      return isText(record["value"], floatPattern) ? null : 'a "float" tag needs a number, "nan" or "inf" in "value"';
    case "tuple":
    case "set":
      if (!Array.isArray(record["items"])) return `a "${tag}" tag needs "items"`;
      return firstProblem(record["items"], depth);
    case "dict": {
      const entries = record["entries"];
      const pairs = Array.isArray(entries) && entries.every((entry) => Array.isArray(entry) && entry.length === 2);
      return pairs ? firstProblem(entries.flat(1), depth) : 'a "dict" tag needs "entries" of [key, value]';
    }
    default:
      return 'the tag in "$" is not one of int, float, tuple, set, dict';
  }
}

function firstProblem(items: readonly unknown[], depth: number): string | null {
  for (const item of items) {
    const problem = plainValueProblem(item, depth + 1);
    if (problem !== null) return problem;
  }
  return null;
}

function isText(value: unknown, pattern: RegExp): boolean {
  return typeof value === "string" && pattern.test(value);
}

/** An integer as a plain value: a JSON number where that is exact, a tag elsewhere. */
export function plainInteger(value: bigint): PlainValue {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : { $: "int", value: value.toString() };
}

/** A float as a plain value. */
export function plainFloat(value: number): PlainValue {
  if (Number.isFinite(value)) return value;
  return { $: "float", value: Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf" };
}

/**
 * A string that is equal for two plain values exactly when they are equal by Python's `==`: 2 == 2.0, True == 1,
 * dictionaries and sets without order, no tolerance for floats. Two departures, both since JSON has no other way to
 * state an expectation: a tuple equals a list with equal items, and nan equals nan. Numbers are compared as the exact
 * values they are, so 10**22 == 1e22 and 2**53 + 1 != 2.0**53.
 */
export function equalityKey(value: PlainValue): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value === "number") return numberKey(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (isArray(value)) return listKey(value);
  switch (value["$"]) {
    case "int":
      return BigInt(value["value"] as string).toString();
    case "float":
      return numberKey(parseFloatText(value["value"] as string));
    case "tuple":
      return listKey(value["items"] as readonly PlainValue[]);
    case "set":
      return `set(${[...new Set((value["items"] as readonly PlainValue[]).map(equalityKey))].sort().join(",")})`;
    case "dict":
      return dictionaryKey(value["entries"] as readonly (readonly [PlainValue, PlainValue])[]);
    default:
      return dictionaryKey(Object.entries(value));
  }
}

/** Equality with Python's semantics; see `equalityKey`. */
export function equalValues(a: PlainValue, b: PlainValue): boolean {
  return equalityKey(a) === equalityKey(b);
}

function isArray(value: PlainValue): value is readonly PlainValue[] {
  return Array.isArray(value);
}

function listKey(items: readonly PlainValue[]): string {
  return `[${items.map(equalityKey).join(",")}]`;
}

function dictionaryKey(entries: readonly (readonly [PlainValue, PlainValue])[]): string {
  // Later entries win, as in a Python display with equal keys.
  const byKey = new Map(entries.map(([key, value]) => [equalityKey(key), equalityKey(value)]));
  const parts = [...byKey].map(([key, value]) => `${key}:${value}`);
  return `{${parts.sort().join(",")}}`;
}

function numberKey(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : String(value);
}

/** The number that the text of a `float` tag stands for. */
export function parseFloatText(text: string): number {
  const lower = text.toLowerCase();
  if (lower === "nan") return Number.NaN;
  if (lower.endsWith("inf")) return lower.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(text);
}

/**
 * Parses JSON without losing what JavaScript numbers lose: integers beyond ±(2^53 − 1) become `int` tags and floats
 * that look like integers (`2.0`, `1e3`) become `float` tags. Throws SyntaxError as JSON.parse does, and for text that
 * is nested too deeply to read.
 */
export function parseExactJson(text: string): unknown {
  const revive = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
    const source = context?.source;
    if (typeof value !== "number" || source === undefined) return value;
    if (integerPattern.test(source)) return Number.isSafeInteger(value) ? value : { $: "int", value: source };
    if (!Number.isFinite(value)) return plainFloat(value);
    return Number.isInteger(value) ? { $: "float", value: source } : value;
  };
  try {
    return JSON.parse(text, revive);
  } catch (error) {
    if (error instanceof RangeError) throw new SyntaxError("the JSON is nested too deeply", { cause: error });
    throw error;
  }
}
