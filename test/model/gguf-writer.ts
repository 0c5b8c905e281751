// Writes GGUF files for tests, straight from the format's definition (github.com/ggml-org/ggml, docs/gguf.md).

export interface WrittenTensor {
  readonly name: string;
  /** [out, in], as in Hugging Face files; the format wants it the other way round. */
  readonly shape: readonly number[];
  /** Number of the type (ggml.h). */
  readonly type: number;
  readonly data: Uint8Array;
}

/** A value with the format's name for its type. */
export type Typed =
  | readonly ["uint32" | "float32" | "uint64", number]
  | readonly ["bool", boolean]
  | readonly ["string", string]
  | readonly ["strings", readonly string[]]
  | readonly ["floats" | "ints", readonly number[]];

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const uint64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const float32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);
const list = (type: number, parts: readonly Buffer[]): Buffer =>
  Buffer.concat([uint32(9), uint32(type), uint64(parts.length), ...parts]);

function valueBytes(value: Typed): Buffer {
  switch (value[0]) {
    case "uint32":
      return Buffer.concat([uint32(4), uint32(value[1])]);
    case "uint64":
      return Buffer.concat([uint32(10), uint64(value[1])]);
    case "float32":
      return Buffer.concat([uint32(6), float32(value[1])]);
    case "bool":
      return Buffer.concat([uint32(7), Buffer.of(value[1] ? 1 : 0)]);
    case "string":
      return Buffer.concat([uint32(8), text(value[1])]);
    case "strings":
      return list(8, value[1].map(text));
    case "floats":
      return list(6, value[1].map(float32));
    case "ints":
      return list(4, value[1].map(uint32));
  }
}

export function ggufBytes(
  metadata: Readonly<Record<string, Typed>>,
  tensors: readonly WrittenTensor[],
  { version = 3, alignment = 32 } = {},
): Buffer {
  const pad = (length: number): number => (alignment - (length % alignment)) % alignment;
  const header = [Buffer.from("GGUF"), uint32(version), uint64(tensors.length), uint64(Object.keys(metadata).length)];
  for (const [name, value] of Object.entries(metadata)) header.push(text(name), valueBytes(value));
  let offset = 0;
  const data: Buffer[] = [];
  for (const { name, shape, type, data: bytes } of tensors) {
    header.push(text(name), uint32(shape.length), ...shape.toReversed().map(uint64), uint32(type), uint64(offset));
    data.push(Buffer.from(bytes), Buffer.alloc(pad(bytes.length)));
    offset += bytes.length + pad(bytes.length);
  }
  const head = Buffer.concat(header);
  return Buffer.concat([head, Buffer.alloc(pad(head.length)), ...data]);
}

/** The bytes of float32 numbers. */
export const floatBytes = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength));
