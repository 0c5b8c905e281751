// GGUF's number formats: how many values a block holds, in how many bytes, and how they become float32 (ggml, ggml-quants.c).
// Scales have 11 significant bits and quants at most 8, so products are exact and the one rounding is that to float32: the same
// values as ggml's, bit for bit.
import { decodeBrainFloats, decodeHalves, halfTable } from "./half-floats.ts";

export interface BlockType {
  readonly name: string;
  /** Values in a block. */
  readonly length: number;
  readonly bytes: number;
  /** Decodes whole blocks: `into.length / length` of them. */
  readonly decode: (blocks: Buffer, into: Float32Array) => void;
}

/** By the number that the format gives to a type (ggml.h, enum ggml_type). */
export const blockTypes: ReadonlyMap<number, BlockType> = new Map([
  [0, { name: "F32", length: 1, bytes: 4, decode: decodeFloats }],
  [1, { name: "F16", length: 1, bytes: 2, decode: decodeHalves }],
  [2, { name: "Q4_0", length: 32, bytes: 18, decode: decodeQ40 }],
  [3, { name: "Q4_1", length: 32, bytes: 20, decode: decodeQ41 }],
  [6, { name: "Q5_0", length: 32, bytes: 22, decode: decodeQ50 }],
  [7, { name: "Q5_1", length: 32, bytes: 24, decode: decodeQ51 }],
  [8, { name: "Q8_0", length: 32, bytes: 34, decode: decodeQ80 }],
  [12, { name: "Q4_K", length: 256, bytes: 144, decode: decodeQ4K }],
  [13, { name: "Q5_K", length: 256, bytes: 176, decode: decodeQ5K }],
  [14, { name: "Q6_K", length: 256, bytes: 210, decode: decodeQ6K }],
  [30, { name: "BF16", length: 1, bytes: 2, decode: decodeBrainFloats }],
]);

/** Types that exist but are not decoded here, for errors. */
const otherTypes: Readonly<Record<number, string>> = {
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

export function typeName(typeId: number): string {
  return blockTypes.get(typeId)?.name ?? otherTypes[typeId] ?? `type ${typeId}`;
}

function decodeFloats(bytes: Buffer, into: Float32Array): void {
  for (let i = 0; i < into.length; i++) into[i] = bytes.readFloatLE(4 * i);
}

/** The binary16 number at `at`. */
function half(bytes: Buffer, at: number): number {
  return halfTable()[bytes[at] | (bytes[at + 1] << 8)];
}

const signed = (byte: number): number => (byte << 24) >> 24;

// Blocks of 32: a scale, in some an offset, and quants. Byte i of the 16 holds the low bits of values i and i + 16; the fifth bits
// of the 5-bit formats stand apart, bit i that of value i.

function decodeQ40(bytes: Buffer, into: Float32Array): void {
  for (let at = 0, y = 0; y < into.length; at += 18, y += 32) {
    const scale = half(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i];
      into[y + i] = ((pair & 15) - 8) * scale;
      into[y + i + 16] = ((pair >> 4) - 8) * scale;
    }
  }
}

function decodeQ41(bytes: Buffer, into: Float32Array): void {
  for (let at = 0, y = 0; y < into.length; at += 20, y += 32) {
    const scale = half(bytes, at);
    const offset = half(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i];
      into[y + i] = (pair & 15) * scale + offset;
      into[y + i + 16] = (pair >> 4) * scale + offset;
    }
  }
}

function decodeQ50(bytes: Buffer, into: Float32Array): void {
  for (let at = 0, y = 0; y < into.length; at += 22, y += 32) {
    const scale = half(bytes, at);
    const fifth = bytes.readUInt32LE(at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 6 + i];
      into[y + i] = (((pair & 15) | (((fifth >>> i) & 1) << 4)) - 16) * scale;
      into[y + i + 16] = (((pair >> 4) | (((fifth >>> (i + 16)) & 1) << 4)) - 16) * scale;
    }
  }
}

function decodeQ51(bytes: Buffer, into: Float32Array): void {
  for (let at = 0, y = 0; y < into.length; at += 24, y += 32) {
    const scale = half(bytes, at);
    const offset = half(bytes, at + 2);
    const fifth = bytes.readUInt32LE(at + 4);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 8 + i];
      into[y + i] = ((pair & 15) | (((fifth >>> i) & 1) << 4)) * scale + offset;
      into[y + i + 16] = ((pair >> 4) | (((fifth >>> (i + 16)) & 1) << 4)) * scale + offset;
    }
  }
}

function decodeQ80(bytes: Buffer, into: Float32Array): void {
  for (let at = 0, y = 0; y < into.length; at += 34, y += 32) {
    const scale = half(bytes, at);
    for (let i = 0; i < 32; i++) into[y + i] = signed(bytes[at + 2 + i]) * scale;
  }
}

// Blocks of 256: eight groups of 32 (sixteen of 16 in Q6_K), each with a scale of its own in a few bits, and in Q4_K and Q5_K an offset.

/** Scales (0 to 7) and offsets (8 to 15) of a block, six bits each, unpacked from the 12 bytes at `at`. */
function unpackScales(bytes: Buffer, at: number, into: Uint8Array): void {
  for (let i = 0; i < 4; i++) {
    const [a, b, c] = [bytes[at + i], bytes[at + i + 4], bytes[at + i + 8]];
    into[i] = a & 63;
    into[i + 8] = b & 63;
    into[i + 4] = (c & 15) | ((a >> 6) << 4);
    into[i + 12] = (c >> 4) | ((b >> 6) << 4);
  }
}

function decodeQ4K(bytes: Buffer, into: Float32Array): void {
  const scales = new Uint8Array(16);
  for (let at = 0, y = 0; y < into.length; at += 144, y += 256) {
    const scale = half(bytes, at);
    const offset = half(bytes, at + 2);
    unpackScales(bytes, at + 4, scales);
    // Two groups share 32 bytes: the low halves are the first's.
    for (let group = 0; group < 8; group += 2) {
      const d = scale * scales[group];
      const m = offset * scales[group + 8];
      const d2 = scale * scales[group + 1];
      const m2 = offset * scales[group + 9];
      const quants = at + 16 + 16 * group;
      const start = y + 32 * group;
      for (let i = 0; i < 32; i++) {
        const pair = bytes[quants + i];
        into[start + i] = (pair & 15) * d - m;
        into[start + i + 32] = (pair >> 4) * d2 - m2;
      }
    }
  }
}

function decodeQ5K(bytes: Buffer, into: Float32Array): void {
  const scales = new Uint8Array(16);
  for (let at = 0, y = 0; y < into.length; at += 176, y += 256) {
    const scale = half(bytes, at);
    const offset = half(bytes, at + 2);
    unpackScales(bytes, at + 4, scales);
    for (let group = 0; group < 8; group++) {
      const d = scale * scales[group];
      const m = offset * scales[group + 8];
      const quants = at + 48 + 32 * (group >> 1);
      const shift = 4 * (group & 1);
      for (let i = 0; i < 32; i++) {
        // Bit `group` of byte i is the fifth bit of value i of the group.
        const fifth = ((bytes[at + 16 + i] >> group) & 1) << 4;
        into[y + 32 * group + i] = (((bytes[quants + i] >> shift) & 15) | fifth) * d - m;
      }
    }
  }
}

function decodeQ6K(bytes: Buffer, into: Float32Array): void {
  for (let at = 0, y = 0; y < into.length; at += 210, y += 256) {
    const scale = half(bytes, at + 208);
    for (let group = 0; group < 8; group++) {
      // Four groups make a half of the block: 64 bytes of low bits, 32 bytes of high bits.
      const side = group >> 2;
      const quarter = group & 3;
      const low = at + 64 * side + 32 * (quarter & 1);
      const high = at + 128 + 32 * side;
      const scales = at + 192 + 2 * group;
      const shift = 4 * (quarter >> 1);
      for (let i = 0; i < 32; i++) {
        const quant = ((bytes[low + i] >> shift) & 15) | (((bytes[high + i] >> (2 * quarter)) & 3) << 4);
        into[y + 32 * group + i] = (quant - 32) * scale * signed(bytes[scales + (i >> 4)]);
      }
    }
  }
}
