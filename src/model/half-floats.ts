// Decodes 16-bit floating-point numbers, in any byte order the machine has: files are little-endian.

/** IEEE 754 binary16. */
function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let table: Float32Array | null = null;

/** Every binary16 number by its bits: weights are decoded by the hundred million. */
export function halfTable(): Float32Array {
  table ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => decodeHalf(bits));
  return table;
}

/** Fills `into` from little-endian binary16 numbers. */
export function decodeHalves(bytes: Buffer, into: Float32Array): void {
  const halves = halfTable();
  for (let i = 0; i < into.length; i++) into[i] = halves[bytes[2 * i] | (bytes[2 * i + 1] << 8)];
}

/** Fills `into` from little-endian bfloat16 numbers: the upper halves of float32 numbers. */
export function decodeBrainFloats(bytes: Buffer, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < bits.length; i++) bits[i] = (bytes[2 * i] << 16) | (bytes[2 * i + 1] << 24);
}
