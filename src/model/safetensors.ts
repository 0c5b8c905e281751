// Reads and writes the safetensors format (github.com/huggingface/safetensors): an 8-byte little-endian header length, a
// JSON header from name to type, shape and byte range, then the numbers. Reads F32, F16 and BF16 into float32; writes F32.
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { z } from "zod";
import { FileFormatError } from "../errors.ts";
import { ByteFile } from "./byte-file.ts";
import { decodeBrainFloats, decodeHalves } from "./half-floats.ts";
import { elementCount, rowLength, type WeightSource } from "./weight-source.ts";

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
/** Values that are decoded at a time. */
const chunkLength = 2 ** 20;
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
 * Opens a file and checks its whole header against its size before any number is read. Throws FileFormatError when it is
 * missing, truncated or not safetensors.
 */
export class SafetensorsFile implements WeightSource {
  readonly metadata: Readonly<Record<string, string>>;
  readonly #file: ByteFile;
  readonly #dataStart: number;
  readonly #stored: ReadonlyMap<string, StoredTensor>;

  constructor(path: string) {
    this.#file = new ByteFile(path, hint);
    try {
      const { entries, dataStart } = readHeader(this.#file);
      const { __metadata__: rawMetadata = {}, ...rawTensors } = entries;
      const metadata = metadataSchema.safeParse(rawMetadata);
      if (!metadata.success) throw this.#file.damaged("its metadata are not texts by name");
      const stored = Object.entries(rawTensors).map(([name, raw]) => checkEntry(path, name, raw));
      checkRanges(path, stored, this.#file.size - dataStart);
      this.metadata = metadata.data;
      this.#dataStart = dataStart;
      this.#stored = new Map(stored.map((tensor) => [tensor.name, tensor]));
    } catch (error) {
      this.#file[Symbol.dispose]();
      throw error;
    }
  }

  get path(): string {
    return this.#file.path;
  }

  get names(): readonly string[] {
    return [...this.#stored.keys()];
  }

  shapeOf(name: string): readonly number[] | null {
    return this.#stored.get(name)?.shape ?? null;
  }

  readTensor(name: string, into?: Float32Array): Float32Array {
    const target = into ?? new Float32Array(elementCount(this.#find(name).shape));
    this.readRows(name, 0, target);
    return target;
  }

  readRows(name: string, firstRow: number, into: Float32Array): void {
    const { dtype, shape, begin } = this.#find(name);
    const size = bytesPerElement[dtype];
    const start = this.#dataStart + begin + firstRow * rowLength(shape) * size;
    if (dtype === "F32") {
      // Straight into the numbers' own memory: there is no second copy.
      this.#file.readInto(start, new Uint8Array(into.buffer, into.byteOffset, into.byteLength));
      return;
    }
    const decode = dtype === "BF16" ? decodeBrainFloats : decodeHalves;
    for (let done = 0; done < into.length; done += chunkLength) {
      const part = into.subarray(done, done + chunkLength);
      decode(this.#file.read(start + done * size, part.length * size), part);
    }
  }

  #find(name: string): StoredTensor {
    const tensor = this.#stored.get(name);
    if (tensor === undefined) throw this.#file.damaged(`holds no ${name}`);
    return tensor;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/** Reads every tensor of a file. */
export function readSafetensors(path: string): SafetensorsContent {
  using file = new SafetensorsFile(path);
  const tensors = file.names.map((name) => {
    return [name, { shape: file.shapeOf(name) ?? [], data: file.readTensor(name) }] as const;
  });
  return { tensors: new Map(tensors), metadata: file.metadata };
}

function readHeader(file: ByteFile): { entries: Record<string, unknown>; dataStart: number } {
  const length = file.read(0, 8).readBigUInt64LE();
  if (length > BigInt(largestHeader) || 8n + length > BigInt(file.size)) {
    throw file.damaged("not a safetensors file, or truncated (its header does not fit in it)");
  }
  const headerBytes = file.read(8, Number(length));
  try {
    const entries: unknown = JSON.parse(headerBytes.toString("utf8"));
    const header = headerSchema.safeParse(entries);
    if (header.success) return { entries: header.data, dataStart: 8 + Number(length) };
  } catch (cause) {
    throw file.damaged("not a safetensors file (its header is not JSON)", cause);
  }
  throw file.damaged("not a safetensors file (its header is not an object)");
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

/** Writes tensors as F32 and flushes the file to disk. Names are written in the order given, data without gaps. */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Readonly<Record<string, string>>,
): void {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape }] of tensors) {
    const bytes = 4 * elementCount(shape);
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
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
