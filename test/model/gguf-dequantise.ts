// GGUF's blocks decoded as ggml's own C code does it (ggml-quants.c, dequantize_row_*): pointers that walk on, arithmetic in float32. Written
// apart from the product's decoder, to compare it with.

const f = Math.fround;

/** IEEE 754 binary16, by its definition. */
function half(bytes: Uint8Array, at: number): number {
  const bits = bytes[at] + 256 * bytes[at + 1];
  const [sign, exponent, fraction] = [bits >= 0x8000 ? -1 : 1, Math.floor(bits / 1024) % 32, bits % 1024];
  if (exponent === 31) return fraction > 0 ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? (sign * fraction) / 2 ** 24 : sign * 2 ** (exponent - 25) * (1024 + fraction);
}

const int8 = (byte: number): number => (byte > 127 ? byte - 256 : byte);

/** Scale and offset number `j` of the 12 bytes at `q` (get_scale_min_k4). */
function scaleMin(j: number, bytes: Uint8Array, q: number): readonly [number, number] {
  if (j < 4) return [bytes[q + j] & 63, bytes[q + j + 4] & 63];
  return [
    (bytes[q + j + 4] & 0xf) | ((bytes[q + j - 4] >> 6) << 4),
    (bytes[q + j + 4] >> 4) | ((bytes[q + j] >> 6) << 4),
  ];
}

type Dequantise = (block: Uint8Array, y: number[]) => void;

/** By name: number of the type, values in a block, bytes of a block, where its binary16 numbers stand, and the decoder. */
export const blockFormats: Readonly<
  Record<string, { type: number; length: number; bytes: number; halves: readonly number[]; dequantise: Dequantise }>
> = {
  F32: {
    type: 0,
    length: 1,
    bytes: 4,
    halves: [],
    dequantise: (b, y) => y.push(new DataView(b.buffer, b.byteOffset).getFloat32(0, true)),
  },
  F16: { type: 1, length: 1, bytes: 2, halves: [0], dequantise: (b, y) => y.push(half(b, 0)) },
  BF16: {
    type: 30,
    length: 1,
    bytes: 2,
    halves: [],
    dequantise: (b, y) => y.push(new DataView(Uint8Array.of(0, 0, b[0], b[1]).buffer).getFloat32(0, true)),
  },
  Q4_0: {
    type: 2,
    length: 32,
    bytes: 18,
    halves: [0],
    dequantise(b, y) {
      for (let j = 0; j < 16; j++) y[j] = f(((b[2 + j] & 0x0f) - 8) * half(b, 0));
      for (let j = 0; j < 16; j++) y[j + 16] = f(((b[2 + j] >> 4) - 8) * half(b, 0));
    },
  },
  Q4_1: {
    type: 3,
    length: 32,
    bytes: 20,
    halves: [0, 2],
    dequantise(b, y) {
      for (let j = 0; j < 16; j++) y[j] = f(f((b[4 + j] & 0x0f) * half(b, 0)) + half(b, 2));
      for (let j = 0; j < 16; j++) y[j + 16] = f(f((b[4 + j] >> 4) * half(b, 0)) + half(b, 2));
    },
  },
  Q5_0: {
    type: 6,
    length: 32,
    bytes: 22,
    halves: [0],
    dequantise(b, y) {
      const qh = new DataView(b.buffer, b.byteOffset + 2).getUint32(0, true);
      for (let j = 0; j < 16; j++) {
        const [xh0, xh1] = [((qh >>> j) << 4) & 0x10, (qh >>> (j + 12)) & 0x10];
        y[j] = f((((b[6 + j] & 0x0f) | xh0) - 16) * half(b, 0));
        y[j + 16] = f((((b[6 + j] >> 4) | xh1) - 16) * half(b, 0));
      }
    },
  },
  Q5_1: {
    type: 7,
    length: 32,
    bytes: 24,
    halves: [0, 2],
    dequantise(b, y) {
      const qh = new DataView(b.buffer, b.byteOffset + 4).getUint32(0, true);
      for (let j = 0; j < 16; j++) {
        const [xh0, xh1] = [((qh >>> j) << 4) & 0x10, (qh >>> (j + 12)) & 0x10];
        y[j] = f(f(((b[8 + j] & 0x0f) | xh0) * half(b, 0)) + half(b, 2));
        y[j + 16] = f(f(((b[8 + j] >> 4) | xh1) * half(b, 0)) + half(b, 2));
      }
    },
  },
  Q8_0: {
    type: 8,
    length: 32,
    bytes: 34,
    halves: [0],
    dequantise(b, y) {
      for (let j = 0; j < 32; j++) y[j] = f(int8(b[2 + j]) * half(b, 0));
    },
  },
  Q4_K: {
    type: 12,
    length: 256,
    bytes: 144,
    halves: [0, 2],
    dequantise(b, y) {
      const [d, min] = [half(b, 0), half(b, 2)];
      let [q, is] = [16, 0];
      for (let j = 0; j < 256; j += 64) {
        const [sc1, m1] = scaleMin(is, b, 4);
        const [sc2, m2] = scaleMin(is + 1, b, 4);
        for (let l = 0; l < 32; l++) y.push(f(f(f(d * sc1) * (b[q + l] & 0xf)) - f(min * m1)));
        for (let l = 0; l < 32; l++) y.push(f(f(f(d * sc2) * (b[q + l] >> 4)) - f(min * m2)));
        q += 32;
        is += 2;
      }
    },
  },
  Q5_K: {
    type: 13,
    length: 256,
    bytes: 176,
    halves: [0, 2],
    dequantise(b, y) {
      const [d, min, qh] = [half(b, 0), half(b, 2), 16];
      let [ql, is, u1, u2] = [48, 0, 1, 2];
      for (let j = 0; j < 256; j += 64) {
        const [sc1, m1] = scaleMin(is, b, 4);
        const [sc2, m2] = scaleMin(is + 1, b, 4);
        for (let l = 0; l < 32; l++)
          y.push(f(f(f(d * sc1) * ((b[ql + l] & 0xf) + (b[qh + l] & u1 ? 16 : 0))) - f(min * m1)));
        for (let l = 0; l < 32; l++)
          y.push(f(f(f(d * sc2) * ((b[ql + l] >> 4) + (b[qh + l] & u2 ? 16 : 0))) - f(min * m2)));
        ql += 32;
        is += 2;
        u1 <<= 2;
        u2 <<= 2;
      }
    },
  },
  Q6_K: {
    type: 14,
    length: 256,
    bytes: 210,
    halves: [208],
    dequantise(b, y) {
      const d = half(b, 208);
      let [ql, qh, sc, out] = [0, 128, 192, 0];
      for (let n = 0; n < 256; n += 128) {
        for (let l = 0; l < 32; l++) {
          const is = l >> 4;
          const q1 = ((b[ql + l] & 0xf) | ((b[qh + l] & 3) << 4)) - 32;
          const q2 = ((b[ql + l + 32] & 0xf) | (((b[qh + l] >> 2) & 3) << 4)) - 32;
          const q3 = ((b[ql + l] >> 4) | (((b[qh + l] >> 4) & 3) << 4)) - 32;
          const q4 = ((b[ql + l + 32] >> 4) | (((b[qh + l] >> 6) & 3) << 4)) - 32;
          y[out + l] = f(f(d * int8(b[sc + is])) * q1);
          y[out + l + 32] = f(f(d * int8(b[sc + is + 2])) * q2);
          y[out + l + 64] = f(f(d * int8(b[sc + is + 4])) * q3);
          y[out + l + 96] = f(f(d * int8(b[sc + is + 6])) * q4);
        }
        out += 128;
        ql += 64;
        qh += 32;
        sc += 8;
      }
    },
  },
};
