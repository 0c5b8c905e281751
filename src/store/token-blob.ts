// Token ids as bytes: little-endian base-128 varints. Ids below 128 take one byte, as all of a character-level model do;
// those of a 150,000-word vocabulary take three.

/** Packs token ids, integers from 0 to 2³¹ − 1. */
export function packTokens(tokens: readonly number[]): Uint8Array {
  let size = tokens.length;
  for (const token of tokens) {
    if (token > 0x7f) size += token > 0xfffffff ? 4 : token > 0x1fffff ? 3 : token > 0x3fff ? 2 : 1;
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const token of tokens) {
    let rest = token;
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
  }
  return bytes;
}

/** Token ids that `packTokens` packed. */
export function unpackTokens(bytes: Uint8Array): number[] {
  const tokens: number[] = [];
  let token = 0;
  let shift = 0;
  for (const byte of bytes) {
    token |= (byte & 0x7f) << shift;
    if (byte & 0x80) shift += 7;
    else {
      tokens.push(token);
      token = 0;
      shift = 0;
    }
  }
  return tokens;
}
