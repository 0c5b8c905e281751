// Arrays of numbers as the protocol packs them into bytes: little-endian, whatever the machine is.
import { WireError } from "./wire-error.ts";

/** Kinds of number by their code in a `dtype` field. */
const dtypes = { 1: "float32", 2: "int64", 3: "int32", 4: "bfloat16" } as const;
export type DType = (typeof dtypes)[keyof typeof dtypes];

const bytesOf: Readonly<Record<DType, number>> = { float32: 4, int64: 8, int32: 4, bfloat16: 2 };
const codes = new Map(Object.entries(dtypes).map(([code, name]) => [name, Number(code)]));

/** Bytes of one number. */
export const elementBytes = (dtype: DType): number => bytesOf[dtype];

export const dtypeCode = (dtype: DType): number => codes.get(dtype) ?? 0;

/** Throws WireError for a code that stands for nothing. */
export function dtypeOf(code: number, expected: string): DType {
  const dtype = dtypes[code as keyof typeof dtypes];
  if (dtype === undefined) throw new WireError(expected, `the type of numbers ${code} is unknown`);
  return dtype;
}

/** Numbers as bytes. Values that the type cannot hold are the caller's mistake. */
export function pack(dtype: "float32" | "int64" | "int32", values: readonly number[]): Uint8Array {
  // Of the pool: a buffer of its own for each short row costs more than what is written into it.
  const bytes = Buffer.allocUnsafe(values.length * bytesOf[dtype]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < values.length; i++) {
    if (dtype === "float32") view.setFloat32(4 * i, values[i], true);
    else if (dtype === "int32") view.setInt32(4 * i, values[i], true);
    else {
      // In two halves: a BigInt for each would cost more than all the rest.
      const high = Math.floor(values[i] / 2 ** 32);
      view.setUint32(8 * i, values[i] - high * 2 ** 32, true);
      view.setInt32(8 * i + 4, high, true);
    }
  }
  return bytes;
}

/** The numbers in bytes. Throws WireError where they are no whole number of elements, or beyond what is counted exactly. */
export function unpack(dtype: DType, bytes: Uint8Array, expected: string): number[] {
  const size = bytesOf[dtype];
  if (bytes.length % size !== 0) {
    throw new WireError(expected, `${bytes.length} bytes are no whole number of ${dtype}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values = new Array<number>(bytes.length / size);
  for (let i = 0; i < values.length; i++) values[i] = readers[dtype](view, i * size);
  if (dtype === "int64" && !values.every(Number.isSafeInteger)) {
    throw new WireError(expected, "an integer is beyond 2^53");
  }
  return values;
}

const widened = new DataView(new ArrayBuffer(4));

const readers: Readonly<Record<DType, (view: DataView, at: number) => number>> = {
  float32: (view, at) => view.getFloat32(at, true),
  int64: (view, at) => view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true),
  int32: (view, at) => view.getInt32(at, true),
  // The upper half of a float32.
  bfloat16: (view, at) => {
    widened.setUint32(0, view.getUint16(at, true) << 16);
    return widened.getFloat32(0);
  },
};
