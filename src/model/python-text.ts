// Values as Python prints and compares them: chat templates were written for Jinja in Python, and other text means other tokens
// than those that a model was trained on.

/** A value of @huggingface/jinja while a template runs. */
export interface TemplateValue {
  readonly type: string;
  readonly value: unknown;
}

const isTemplateValue = (value: unknown): value is TemplateValue =>
  typeof value === "object" && value !== null && "type" in value && "value" in value;

/** Python's str(value). */
export function pythonText(value: TemplateValue): string {
  if (value.type === "StringValue") return String(value.value);
  if (value.type === "UndefinedValue") return "";
  return pythonRepr(value);
}

/** Python's repr(value): what containers show of their elements. */
function pythonRepr({ type, value }: TemplateValue): string {
  switch (type) {
    case "StringValue":
      return quote(String(value));
    case "BooleanValue":
      return value === true ? "True" : "False";
    case "NullValue":
      return "None";
    case "UndefinedValue":
      return "Undefined";
    case "IntegerValue":
      return integerText(Number(value));
    case "FloatValue":
      return floatText(Number(value));
    case "ArrayValue":
      return `[${elements(value).map(pythonRepr).join(", ")}]`;
    case "TupleValue": {
      const parts = elements(value).map(pythonRepr);
      return parts.length === 1 ? `(${parts[0]},)` : `(${parts.join(", ")})`;
    }
    case "ObjectValue":
      return `{${entries(value).join(", ")}}`;
    case "NamespaceValue":
      return `<Namespace {${entries(value).join(", ")}}>`;
    default:
      return `<${type}>`;
  }
}

const numbers: ReadonlySet<string> = new Set(["IntegerValue", "FloatValue", "BooleanValue"]);

/** Python's a == b: True is 1, a list is no tuple, containers are equal by what they hold. */
export function pythonEquals(a: TemplateValue, b: TemplateValue): boolean {
  if (numbers.has(a.type) && numbers.has(b.type)) return Number(a.value) === Number(b.value);
  if (a.type !== b.type) return false;
  if (Array.isArray(a.value) && Array.isArray(b.value)) {
    const [left, right] = [elements(a.value), elements(b.value)];
    return left.length === right.length && left.every((element, i) => pythonEquals(element, right[i]));
  }
  if (a.value instanceof Map && b.value instanceof Map && a.type !== "NamespaceValue") {
    const other = b.value;
    const same = ([key, of]: [unknown, unknown]): boolean => {
      const counterpart: unknown = other.get(key);
      return isTemplateValue(of) && isTemplateValue(counterpart) && pythonEquals(of, counterpart);
    };
    return a.value.size === other.size && [...a.value].every(same);
  }
  return a.value === b.value;
}

function elements(value: unknown): TemplateValue[] {
  return Array.isArray(value) ? value.filter(isTemplateValue) : [];
}

function entries(value: unknown): string[] {
  if (!(value instanceof Map)) return [];
  return [...value].map(
    ([key, element]) => `${quote(String(key))}: ${isTemplateValue(element) ? pythonRepr(element) : ""}`,
  );
}

/** Python writes integers without an exponent. */
function integerText(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString();
}

/** The shortest digits that give the number back, with an exponent below 1e-4 and from 1e16 on. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const [digits, exponentText] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    const sign = exponent < 0 ? "-" : "+";
    return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const plain = Math.abs(value) < 1e-6 && value !== 0 ? value.toFixed(20) : String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
/** What str.isprintable denies: control, format, surrogate, private and unassigned characters, and separators but the space. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}|\\/gu;

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll(unprintable, (character) => escapes[character] ?? codePointEscape(character));
  return `${mark}${mark === "'" ? escaped.replaceAll("'", "\\'") : escaped}${mark}`;
}

function codePointEscape(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

export interface JsonOptions {
  /** Spaces a level; null for one line. */
  readonly indent: number | null;
  readonly separators: readonly [string, string] | null;
  readonly sortKeys: boolean;
  readonly ensureAscii: boolean;
}

/** Python's json.dumps(value), as transformers' filter `tojson` calls it. */
export function pythonJson(value: TemplateValue, options: JsonOptions, depth = 0): string {
  const [item, key] = options.separators ?? [options.indent === null ? ", " : ",", ": "];
  const around = (open: string, parts: readonly string[], close: string): string => {
    if (options.indent === null || parts.length === 0) return open + parts.join(item) + close;
    const line = (level: number): string => `\n${" ".repeat(options.indent! * level)}`;
    return open + line(depth + 1) + parts.join(item + line(depth + 1)) + line(depth) + close;
  };
  const text = (of: string): string => {
    const quoted = JSON.stringify(of);
    return options.ensureAscii
      ? quoted.replaceAll(/[^\0-~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      : quoted;
  };
  if (value.value instanceof Map) {
    const named = [...value.value].map(([name, of]) => [String(name), of] as const);
    if (options.sortKeys) named.sort(([a], [b]) => (a < b ? -1 : 1));
    const parts = named.map(
      ([name, of]) => text(name) + key + (isTemplateValue(of) ? pythonJson(of, options, depth + 1) : "null"),
    );
    return around("{", parts, "}");
  }
  if (Array.isArray(value.value)) {
    return around(
      "[",
      elements(value.value).map((of) => pythonJson(of, options, depth + 1)),
      "]",
    );
  }
  switch (value.type) {
    case "StringValue":
      return text(String(value.value));
    case "FloatValue":
      return jsonConstants[String(value.value)] ?? floatText(Number(value.value));
    case "IntegerValue":
      return integerText(Number(value.value));
    case "BooleanValue":
      return String(value.value);
    default:
      return "null";
  }
}

const jsonConstants: Readonly<Record<string, string>> = { NaN: "NaN", Infinity: "Infinity", "-Infinity": "-Infinity" };
