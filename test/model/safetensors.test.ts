import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { FileFormatError } from "../../src/errors.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "../../src/model/safetensors.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "file.safetensors");

/** A file with this header (an object, or any text) and these bytes behind it. */
function file(header: unknown, data: Uint8Array = new Uint8Array()): string {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, data]));
  return path;
}

const entry = (dtype: string, shape: unknown, begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

function refusal(): FileFormatError {
  try {
    readSafetensors(path);
  } catch (error) {
    expect(error).toBeInstanceOf(FileFormatError);
    return error as FileFormatError;
  }
  throw new Error("The file was read.");
}

test("reads back what it writes", () => {
  const names = fc.string({ minLength: 1 }).filter((name) => name !== "__metadata__" && name !== "__proto__");
  const tensors = fc.dictionary(names, fc.array(fc.float(), { maxLength: 12 }), { maxKeys: 6, noNullPrototype: true });
  fc.assert(
    fc.property(tensors, fc.dictionary(names, fc.string(), { noNullPrototype: true }), (content, metadata) => {
      const written = new Map(
        Object.entries(content).map(([name, values]): [string, NamedTensor] => {
          const shape = values.length % 2 === 0 ? [2, values.length / 2] : [values.length];
          return [name, { shape, data: Float32Array.from(values) }];
        }),
      );
      writeSafetensors(path, written, metadata);
      const read = readSafetensors(path);
      expect(read.metadata).toEqual(metadata);
      expect(new Map(read.tensors)).toEqual(written);
    }),
  );
});

test("decodes F16 and BF16", () => {
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000, 0x3555);
  const brains = Uint16Array.of(0x3f80, 0xc000, 0x7f80, 0x0000, 0x4049);
  const data = Buffer.concat([Buffer.from(halves.buffer), Buffer.from(brains.buffer)]);
  const { tensors } = readSafetensors(
    file({ half: entry("F16", [7], 0, 14), brain: entry("BF16", [5], 14, 24) }, data),
  );
  const third = 0.333251953125;
  expect([...tensors.get("half")!.data]).toEqual([1, -2, 2 ** -24, 65504, Number.POSITIVE_INFINITY, -0, third]);
  expect([...tensors.get("brain")!.data]).toEqual([1, -2, Number.POSITIVE_INFINITY, 0, 3.140625]);
});

describe("refuses in one sentence", () => {
  test("a file cut off anywhere, or with something behind it", () => {
    const tensors = new Map([
      ["a", { shape: [2, 3], data: new Float32Array(6).fill(1) }],
      ["b", { shape: [4], data: new Float32Array(4).fill(2) }],
    ]);
    writeSafetensors(path, tensors, { format: "pt" });
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      expect(refusal().message).toMatch(/truncated|not a safetensors/);
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.of(0)]));
    expect(refusal().message).toContain("1 bytes too long");
  });

  const eight = new Uint8Array(8);
  test.each<[string, unknown, Uint8Array, string]>([
    ["a header that is not JSON", "{", eight, "not JSON"],
    ["a header that is a list", "[]", eight, "not an object"],
    ["a header that is null", "null", eight, "not an object"],
    ["an entry that is no entry", { a: 3 }, eight, "entry of a"],
    ["an entry without offsets", { a: { dtype: "F32", shape: [2] } }, eight, "entry of a"],
    ["a negative size", { a: entry("F32", [-2], 0, 8) }, eight, "entry of a"],
    ["a shape that is too large", { a: entry("F32", [3], 0, 8) }, eight, "does not match its shape"],
    ["a shape whose size overflows", { a: entry("F32", [2 ** 52, 2 ** 52], 0, 8) }, eight, "does not match its shape"],
    ["offsets backwards", { a: entry("F32", [2], 8, 0) }, eight, "does not match its shape"],
    ["a range beyond the file", { a: entry("F32", [4], 0, 16) }, eight, "truncated"],
    ["two tensors in one place", { a: entry("F32", [2], 0, 8), b: entry("F32", [2], 0, 8) }, eight, "overlaps"],
    ["a gap", { a: entry("F32", [1], 4, 8) }, eight, "gap"],
    ["an unknown type", { a: entry("I64", [1], 0, 8) }, eight, "type I64"],
    ["a type named like a method", { a: entry("toString", [1], 0, 8) }, eight, "type toString"],
    ["metadata that are not texts", { __metadata__: { a: 1 } }, new Uint8Array(), "metadata"],
  ])("%s", (_, header, data, problem) => {
    file(header, data);
    const { message, hint } = refusal();
    expect(message).toContain(problem);
    expect(message).toContain(path);
    expect(message).not.toContain("\n");
    expect(hint).not.toBe("");
  });

  test("a header length that lies, a missing file, a folder", () => {
    writeFileSync(path, Buffer.concat([Buffer.alloc(8, 0xff), Buffer.from("{}")]));
    expect(refusal().message).toContain("header does not fit");
    expect(() => readSafetensors(join(folder, "missing"))).toThrow(FileFormatError);
    mkdirSync(join(folder, "inner"));
    expect(() => readSafetensors(join(folder, "inner"))).toThrow(FileFormatError);
  });

  test("any bytes: an error of ours or a file that fits, never anything else", () => {
    const headers = fc.oneof(
      fc.json(),
      fc
        .dictionary(
          fc.constantFrom("a", "b", "__metadata__", "__proto__", "toString"),
          fc.record({
            dtype: fc.constantFrom("F32", "F16", "BF16", "F64", "valueOf"),
            shape: fc.array(fc.integer({ min: -1, max: 4 }), { maxLength: 3 }),
            data_offsets: fc.array(fc.integer({ min: -1, max: 64 }), { minLength: 1, maxLength: 3 }),
          }),
        )
        .map((header) => JSON.stringify(header)),
    );
    const ours = (): void => {
      try {
        readSafetensors(path);
      } catch (error) {
        expect(error).toBeInstanceOf(FileFormatError);
      }
    };
    fc.assert(
      fc.property(headers, fc.uint8Array({ maxLength: 64 }), (header, data) => {
        file(header, data);
        ours();
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        writeFileSync(path, bytes);
        ours();
      }),
    );
  });
});
