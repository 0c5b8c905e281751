// Reads and writes the safetensors format (github.com/huggingface/safetensors): an 8-byte little-endian header length, a
// JSON header from name to type, shape and byte range, then the numbers. Reads F32, F16 and BF16 into float32; writes F32.
import { closeSync, fstatSync, fsyncSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { z } from "zod";
import { FileFormatError } from "../errors.ts";

export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBufferLike>;
}

export interface SafetensorsContent {
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const bytesPerElement = { F32: 4, F16: 2, BF16: 2 } as const;
type StoredType = keyof typeof bytesPerElement;

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.number().int().min(0)),
  data_offsets: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
});
const headerSchema = z.record(z.string(), z.unknown());
const metadataSchema = z.record(z.string(), z.string());
const largestHeader = 100_000_000;
const hint = "Copy the file again, or take it from another checkpoint.";

/** Place and type of one tensor, checked. `begin` and `end` count from the start of the data. */
interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads every tensor of a file. Throws FileFormatError when the file is missing, truncated or not safetensors; the whole
 * header is checked against the file's size before any number is read.
 */
export function readSafetensors(path: string): SafetensorsContent {
  const file = openFile(path);
  try {
    const fileSize = fstatSync(file).size;
    const { entries, dataStart } = readHeader(path, file, fileSize);
    const { __metadata__: rawMetadata = {}, ...rawTensors } = entries;
    const metadata = metadataSchema.safeParse(rawMetadata);
    if (!metadata.success) throw new FileFormatError(path, "its metadata are not texts by name", hint);
    const stored = Object.entries(rawTensors).map(([name, raw]) => checkEntry(path, name, raw));
    checkRanges(path, stored, fileSize - dataStart);
    const tensors = stored.map(({ name, dtype, shape, begin, end }) => {
      const bytes = readRange(path, file, dataStart + begin, end - begin, fileSize);
      return [name, { shape, data: decodeFloats(bytes, dtype, elementCount(shape)) }] as const;
    });
    return { tensors: new Map(tensors), metadata: metadata.data };
  } finally {
    closeSync(file);
  }
}

function openFile(path: string): number {
  try {
    if (statSync(path).isFile()) return openSync(path, "r");
  } catch (cause) {
    throw new FileFormatError(path, "cannot be opened", hint, { cause });
  }
  throw new FileFormatError(path, "not a file", hint);
}

function readHeader(
  path: string,
  file: number,
  fileSize: number,
): {
  entries: Record<string, unknown>;
  dataStart: number;
} {
  const lengthBytes = readRange(path, file, 0, 8, fileSize);
  const length = lengthBytes.readBigUInt64LE();
  if (length > BigInt(largestHeader) || 8n + length > BigInt(fileSize)) {
    throw new FileFormatError(path, "not a safetensors file, or truncated (its header does not fit in it)", hint);
  }
  const headerBytes = readRange(path, file, 8, Number(length), fileSize);
  try {
    const entries: unknown = JSON.parse(headerBytes.toString("utf8"));
    const header = headerSchema.safeParse(entries);
    if (header.success) return { entries: header.data, dataStart: 8 + Number(length) };
  } catch (cause) {
    throw new FileFormatError(path, "not a safetensors file (its header is not JSON)", hint, { cause });
  }
  throw new FileFormatError(path, "not a safetensors file (its header is not an object)", hint);
}

function checkEntry(path: string, name: string, raw: unknown): StoredTensor {
  const entry = entrySchema.safeParse(raw);
  if (!entry.success) throw new FileFormatError(path, `the header entry of ${name} is malformed`, hint);
  const {
    dtype,
    shape,
    data_offsets: [begin, end],
  } = entry.data;
  if (!isStoredType(dtype)) {
    const known = Object.keys(bytesPerElement).join(", ");
    const problem = `${name} has the type ${dtype}, which is not supported`;
    throw new FileFormatError(path, problem, `Convert the weights to one of ${known}.`);
  }
  if (end - begin !== elementCount(shape) * bytesPerElement[dtype]) {
    throw new FileFormatError(path, `the byte range of ${name} does not match its shape [${shape}]`, hint);
  }
  return { name, dtype, shape, begin, end };
}

/** The tensors must fill the file without gaps, as the format asks: what is truncated or stuck together shows here. */
function checkRanges(path: string, stored: readonly StoredTensor[], dataSize: number): void {
  let expected = 0;
  for (const { name, begin, end } of stored.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== expected) throw new FileFormatError(path, `the byte range of ${name} leaves a gap or overlaps`, hint);
    expected = end;
  }
  if (expected > dataSize) {
    throw new FileFormatError(path, `truncated: ${dataSize} bytes of numbers, ${expected} expected`, hint);
  }
  if (expected < dataSize) throw new FileFormatError(path, `${dataSize - expected} bytes too long`, hint);
}

function isStoredType(dtype: string): dtype is StoredType {
  return Object.hasOwn(bytesPerElement, dtype);
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

function readRange(path: string, file: number, position: number, length: number, fileSize: number): Buffer {
  if (position + length > fileSize)
    throw new FileFormatError(path, `truncated: ${fileSize} bytes, ${position + length} expected`, hint);
  // A buffer of its own, so that the numbers are aligned and can be used without a copy.
  const buffer = Buffer.from(new ArrayBuffer(length));
  for (let done = 0; done < length; ) {
    const read = readSync(file, buffer, done, length - done, position + done);
    if (read === 0) throw new FileFormatError(path, "truncated while it was read", hint);
    done += read;
  }
  return buffer;
}

function decodeFloats(bytes: Buffer, dtype: StoredType, elements: number): Float32Array {
  if (dtype === "F32") return new Float32Array(bytes.buffer, bytes.byteOffset, elements);
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, elements);
  const floats = new Float32Array(elements);
  if (dtype === "BF16") {
    // bfloat16 is the upper half of a float32.
    new Uint32Array(floats.buffer).set(Uint32Array.from(halves, (half) => half << 16));
  } else {
    for (let i = 0; i < elements; i++) floats[i] = decodeHalf(halves[i]);
  }
  return floats;
}

/** IEEE 754 binary16. */
function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Writes tensors as F32 and flushes the file to disk. Names are written in the order given, data without gaps. */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Readonly<Record<string, string>>,
): void {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  // The header is padded with spaces so that the data begin at a multiple of 8.
  const json = JSON.stringify(header);
  const headerBytes = Buffer.from(
    json.padEnd(Math.ceil(Buffer.byteLength(json) / 8) * 8 + json.length - Buffer.byteLength(json)),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(headerBytes.length));
  const file = openSync(path, "w");
  try {
    writeFully(file, length);
    writeFully(file, headerBytes);
    for (const { data } of tensors.values())
      writeFully(file, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function writeFully(file: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done);
}
