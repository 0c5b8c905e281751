// Reads the GGUF format (github.com/ggml-org/ggml, docs/gguf.md): a header with metadata by name and the place of every
// tensor, then the tensors, most of them quantised. Versions 2 and 3, little-endian, one file: split files are refused.
import { UnsupportedError } from "../errors.ts";
import { ByteFile } from "./byte-file.ts";
import { type BlockType, blockTypes, typeName } from "./gguf-blocks.ts";
import { elementCount, rowLength } from "./weight-source.ts";

export type GgufValue = number | boolean | string | readonly GgufValue[];

export interface GgufTensor {
  readonly name: string;
  /** As in Hugging Face files: [out, in]. */
  readonly shape: readonly number[];
  /** Number of the type, as the file gives it. */
  readonly typeId: number;
  /** From the start of the file. */
  readonly position: number;
}

const ggufHint = "Copy or download the file again.";
const magic = 0x46554747;
const defaultAlignment = 32;
/** The longest lists are vocabularies and merges. */
const longestList = 2 ** 24;
/** Bytes that are decoded at a time. */
const chunkBytes = 2 ** 20;

/** Owns an open GGUF file whose whole header has been read and checked against the file's size. */
export class GgufFile implements Disposable {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  readonly #file: ByteFile;

  /** Throws FileFormatError when the file is truncated or not GGUF, UnsupportedError for what is GGUF but cannot be read here. */
  constructor(path: string) {
    this.#file = new ByteFile(path, ggufHint);
    try {
      const cursor = new Cursor(this.#file);
      const counts = readPreamble(cursor, this.#file);
      this.metadata = readMetadata(cursor, counts.metadata, this.#file);
      this.tensors = readTensorTable(cursor, counts.tensors, this.metadata, this.#file);
    } catch (error) {
      this.#file[Symbol.dispose]();
      throw error;
    }
  }

  get path(): string {
    return this.#file.path;
  }

  /** Fills `into`, whole rows, with the rows of a tensor from `firstRow` on. */
  readRows({ shape, typeId, position }: GgufTensor, firstRow: number, into: Float32Array): void {
    const { length, bytes, decode } = blockTypes.get(typeId)!;
    const start = position + (firstRow * rowLength(shape) * bytes) / length;
    const blocks = into.length / length;
    const step = Math.max(1, Math.floor(chunkBytes / bytes));
    const buffer = Buffer.alloc(Math.min(step, blocks) * bytes);
    for (let block = 0; block < blocks; block += step) {
      const count = Math.min(step, blocks - block);
      const chunk = buffer.subarray(0, count * bytes);
      this.#file.readInto(start + block * bytes, chunk);
      decode(chunk, into.subarray(block * length, (block + count) * length));
    }
  }

  damaged(problem: string): Error {
    return this.#file.damaged(problem);
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

function readPreamble(cursor: Cursor, file: ByteFile): { readonly tensors: number; readonly metadata: number } {
  if (file.size < 24 || cursor.uint32() !== magic) throw file.damaged("not a GGUF file, or truncated");
  const version = cursor.uint32();
  if (version !== 2 && version !== 3) {
    // The version's bytes the other way round: a file for machines of the other byte order.
    const problem = version % 2 ** 16 === 0 ? "is big-endian GGUF" : `is GGUF of version ${version}`;
    throw new UnsupportedError(`${file.path}: ${problem}, which is not supported.`, "Use a file of version 3 or 2.");
  }
  return { tensors: cursor.uint64(), metadata: cursor.uint64() };
}

function readMetadata(cursor: Cursor, count: number, file: ByteFile): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const name = cursor.text();
    metadata.set(name, readValue(cursor, cursor.uint32(), file));
  }
  const parts = metadata.get("split.count");
  if (typeof parts === "number" && parts > 1) {
    throw new UnsupportedError(
      `${file.path} is one of ${parts} parts of a model, which is not supported.`,
      "Join them with `llama-gguf-split --merge`, or take a file in one part.",
    );
  }
  return metadata;
}

function readValue(cursor: Cursor, type: number, file: ByteFile): GgufValue {
  if (type === arrayType) {
    const element = cursor.uint32();
    const count = cursor.uint64();
    if (count > longestList || element === arrayType) throw file.damaged("truncated or damaged: a list that cannot be");
    return Array.from({ length: count }, () => readValue(cursor, element, file));
  }
  const read = scalarReaders[type];
  if (read === undefined) throw file.damaged(`damaged: metadata of the unknown type ${type}`);
  return read(cursor);
}

const arrayType = 9;
/** By the number that the format gives to a type. */
const scalarReaders: readonly (((cursor: Cursor) => GgufValue) | undefined)[] = [
  (cursor) => cursor.take(1).readUInt8(),
  (cursor) => cursor.take(1).readInt8(),
  (cursor) => cursor.take(2).readUInt16LE(),
  (cursor) => cursor.take(2).readInt16LE(),
  (cursor) => cursor.uint32(),
  (cursor) => cursor.take(4).readInt32LE(),
  (cursor) => cursor.take(4).readFloatLE(),
  (cursor) => cursor.take(1).readUInt8() !== 0,
  (cursor) => cursor.text(),
  undefined,
  (cursor) => cursor.uint64(),
  (cursor) => Number(cursor.take(8).readBigInt64LE()),
  (cursor) => cursor.take(8).readDoubleLE(),
];

function readTensorTable(
  cursor: Cursor,
  count: number,
  metadata: ReadonlyMap<string, GgufValue>,
  file: ByteFile,
): Map<string, GgufTensor> {
  const listed: GgufTensor[] = [];
  for (let i = 0; i < count; i++) {
    const name = cursor.text();
    const axes = cursor.uint32();
    if (axes > 4) throw file.damaged(`damaged: the tensor ${name} has ${axes} axes`);
    // The format names the innermost axis first.
    const shape = Array.from({ length: axes }, () => cursor.uint64()).reverse();
    listed.push({ name, shape, typeId: cursor.uint32(), position: cursor.uint64() });
  }
  const given = metadata.get("general.alignment") ?? defaultAlignment;
  if (typeof given !== "number" || given < 1) throw file.damaged("damaged: an alignment that is none");
  const dataStart = Math.ceil(cursor.position / given) * given;
  const tensors = new Map<string, GgufTensor>();
  for (const tensor of listed) {
    if (tensors.has(tensor.name)) throw file.damaged(`damaged: it names the tensor ${tensor.name} twice`);
    const placed = { ...tensor, position: dataStart + tensor.position };
    checkTensor(placed, file);
    tensors.set(tensor.name, placed);
  }
  return tensors;
}

function checkTensor({ name, shape, typeId, position }: GgufTensor, file: ByteFile): void {
  const type: BlockType | undefined = blockTypes.get(typeId);
  if (type === undefined) {
    throw new UnsupportedError(
      `${file.path}: ${name} is quantised as ${typeName(typeId)}, which is not supported.`,
      `Take a file of another quantisation, such as Q4_K_M or Q8_0; known are ${[...blockTypes.values()].map((known) => known.name).join(", ")}.`,
    );
  }
  if (shape.length === 0 || shape.at(-1)! % type.length !== 0) {
    throw file.damaged(
      `damaged: rows of ${shape.at(-1) ?? 0} values in ${name}, but ${type.name} has blocks of ${type.length}`,
    );
  }
  const end = position + (elementCount(shape) / type.length) * type.bytes;
  if (end > file.size) throw file.damaged(`truncated: ${file.size} bytes, ${name} ends at ${end}`);
}

/** Reads the header from front to back, a window at a time. */
class Cursor {
  readonly #file: ByteFile;
  #window: Buffer = Buffer.alloc(0);
  /** Where the window begins in the file, and how far it has been read. */
  #start = 0;
  #offset = 0;

  constructor(file: ByteFile) {
    this.#file = file;
  }

  get position(): number {
    return this.#start + this.#offset;
  }

  take(length: number): Buffer {
    if (this.#offset + length > this.#window.length) {
      const left = this.#file.size - this.position;
      if (length > left) throw this.#file.damaged(`truncated: its header ends after ${this.#file.size} bytes`);
      this.#start = this.position;
      this.#window = this.#file.read(this.#start, Math.min(left, Math.max(length, chunkBytes)));
      this.#offset = 0;
    }
    const bytes = this.#window.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return bytes;
  }

  uint32(): number {
    return this.take(4).readUInt32LE();
  }

  /** Sizes and counts: exact up to 2^53, and nothing that large fits in a file. */
  uint64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  text(): string {
    return this.take(this.uint64()).toString("utf8");
  }
}
