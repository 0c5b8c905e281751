// Plain values to and from CPython's marshal format, version 2 (Python/marshal.c): how arguments enter the interpreter
// and results leave it. The C functions behind it accept exact built-in types only and call no method of the program,
// so nothing that a program overrides changes what is read. Only plain types are spoken here; anything else throws a
// NotPlain. Leaves out: code objects, bytes, references (versions above 2).
import { maxDepth, type PlainValue, parseFloatText, plainFloat, plainInteger } from "./plain-values.ts";

/** The value has no plain form; the message says why. */
export class NotPlain extends Error {}

const digitBits = 15n;
const digitMask = (1n << digitBits) - 1n;

/** Marshals a tuple of arguments. Values must have passed `plainValueProblem`. */
export function marshalArguments(args: readonly PlainValue[]): Uint8Array {
  const writer = new Writer();
  writer.items("(", args);
  return writer.bytes();
}

class Writer {
  #buffer = Buffer.alloc(256);
  #length = 0;

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** `hashed`: within a set or a key, where sets must be frozen. */
  items(code: string, items: readonly PlainValue[], hashed = false): void {
    this.#code(code);
    this.#int32(items.length);
    for (const item of items) this.#value(item, hashed);
  }

  #value(value: PlainValue, hashed = false): void {
    if (value === null) this.#code("N");
    else if (typeof value === "boolean") this.#code(value ? "T" : "F");
    else if (typeof value === "string") this.#string(value);
    else if (typeof value === "number") {
      if (Number.isSafeInteger(value)) this.#integer(BigInt(value));
      else this.#float(value);
    } else if (Array.isArray(value)) this.items("[", value);
    else this.#object(value as { readonly [key: string]: PlainValue }, hashed);
  }

  #object(value: { readonly [key: string]: PlainValue }, hashed: boolean): void {
    const tag = value["$"];
    if (tag === "int") this.#integer(BigInt(value["value"] as string));
    else if (tag === "float") this.#float(parseFloatText(value["value"] as string));
    else if (tag === "tuple") this.items("(", value["items"] as readonly PlainValue[], hashed);
    else if (tag === "set") this.items(hashed ? ">" : "<", value["items"] as readonly PlainValue[], true);
    else if (tag === "dict") this.#entries(value["entries"] as readonly (readonly [PlainValue, PlainValue])[]);
    else this.#entries(Object.entries(value));
  }

  #entries(entries: readonly (readonly [PlainValue, PlainValue])[]): void {
    this.#code("{");
    for (const [key, value] of entries) {
      this.#value(key, true);
      this.#value(value);
    }
    this.#code("0");
  }

  #integer(value: bigint): void {
    if (BigInt.asIntN(32, value) === value) {
      this.#code("i");
      this.#int32(Number(value));
      return;
    }
    const digits: number[] = [];
    for (let rest = value < 0n ? -value : value; rest > 0n; rest >>= digitBits) digits.push(Number(rest & digitMask));
    this.#code("l");
    this.#int32(value < 0n ? -digits.length : digits.length);
    for (const digit of digits) this.#reserve(2).writeUInt16LE(digit, this.#length - 2);
  }

  #float(value: number): void {
    this.#code("g");
    this.#reserve(8).writeDoubleLE(value, this.#length - 8);
  }

  #string(value: string): void {
    if (!value.isWellFormed()) throw new NotPlain("a string argument holds half of a surrogate pair");
    const size = Buffer.byteLength(value);
    this.#code("u");
    this.#int32(size);
    this.#reserve(size).write(value, this.#length - size);
  }

  #code(code: string): void {
    this.#reserve(1)[this.#length - 1] = code.charCodeAt(0);
  }

  #int32(value: number): void {
    this.#reserve(4).writeInt32LE(value, this.#length - 4);
  }

  #reserve(size: number): Buffer {
    if (this.#length + size > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#length + size));
      larger.set(this.bytes());
      this.#buffer = larger;
    }
    this.#length += size;
    return this.#buffer;
  }
}

/** Reads one marshalled value. Throws NotPlain for anything but plain types, and for damaged bytes. */
export function unmarshalValue(bytes: Uint8Array): PlainValue {
  return new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).value(0);
}

const refusedTypes: Readonly<Record<string, string>> = {
  s: "bytes",
  c: "code",
  x: "complex",
  ".": "ellipsis",
  S: "StopIteration",
  ":": "slice",
};

class Reader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  value(depth: number): PlainValue {
    if (depth > maxDepth) throw new NotPlain(`the value is nested deeper than ${maxDepth} levels`);
    const code = String.fromCharCode(this.#take(1)[0]);
    switch (code) {
      case "N":
        return null;
      case "T":
        return true;
      case "F":
        return false;
      case "i":
        return this.#int32();
      case "l":
        return plainInteger(this.#longInteger());
      case "g":
        return plainFloat(this.#take(8).readDoubleLE());
      case "y":
        return this.#complex();
      case "u":
      case "t":
        return this.#string();
      case "[":
        return this.#items(depth);
      case "(":
        return { $: "tuple", items: this.#items(depth) };
      case "<":
      case ">":
        return { $: "set", items: this.#items(depth) };
      case "{":
        return this.#dictionary(depth);
      default:
        throw new NotPlain(`${refusedTypes[code] ?? "this type"} is not plain data`);
    }
  }

  /** A complex number is equal to a float where it has no imaginary part. */
  #complex(): PlainValue {
    const [real, imaginary] = [this.#take(8).readDoubleLE(), this.#take(8).readDoubleLE()];
    if (imaginary !== 0) throw new NotPlain("complex is not plain data");
    return plainFloat(real);
  }

  #dictionary(depth: number): PlainValue {
    const entries: [PlainValue, PlainValue][] = [];
    while (this.#buffer[this.#at] !== 0x30) entries.push([this.value(depth + 1), this.value(depth + 1)]);
    this.#at++;
    const plainKeys = entries.every(([key]) => typeof key === "string" && key !== "$");
    // fromEntries defines own properties, so a key "__proto__" stays a key.
    return plainKeys ? Object.fromEntries(entries as [string, PlainValue][]) : { $: "dict", entries };
  }

  #items(depth: number): PlainValue[] {
    const count = this.#int32();
    const items: PlainValue[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1));
    return items;
  }

  #longInteger(): bigint {
    const size = this.#int32();
    let hex = "";
    let pending = 0n;
    let bits = 0n;
    // Digits of 15 bits, least significant first; gathered in blocks of 60 bits so that huge integers stay linear.
    for (let i = 0; i < Math.abs(size); i++) {
      pending |= BigInt(this.#take(2).readUInt16LE()) << bits;
      bits += digitBits;
      if (bits === 60n) {
        hex = pending.toString(16).padStart(15, "0") + hex;
        pending = 0n;
        bits = 0n;
      }
    }
    const magnitude = BigInt(`0x${pending.toString(16)}${hex}`);
    return size < 0 ? -magnitude : magnitude;
  }

  #string(): string {
    const bytes = this.#take(this.#int32());
    const text = bytes.toString("utf8");
    // CPython writes half surrogate pairs as three bytes that are not valid UTF-8; a JSON string must not hold them.
    if (text.includes("\ufffd") && Buffer.compare(Buffer.from(text), bytes) !== 0) {
      throw new NotPlain("the string holds half of a surrogate pair");
    }
    return text;
  }

  #int32(): number {
    return this.#take(4).readInt32LE();
  }

  #take(size: number): Buffer {
    const end = this.#at + size;
    if (size < 0 || end > this.#buffer.length) throw new NotPlain("the value could not be read");
    const taken = this.#buffer.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
