// Token ids as bytes: little-endian base-128 varints. Ids below 128 take one byte, as all of a character-level model do;
// those of a 150,000-word vocabulary take three. Log-probabilities of tokens as bytes: one each, for people to look at.

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

/** How many token ids `packTokens` packed: each ends with a byte below 128. */
export function countTokens(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte < 0x80) count += 1;
  return count;
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

/** Log-probabilities below this are not told apart: a chance of one in 70 thousand million. */
const leastLogprob = -25;

/**
 * Packs log-probabilities, in nats, into one byte each. Likely tokens are told apart best: around a probability of 0.9
 * the error is below 0.006. Good for shading text, not for training on.
 */
export function packLogprobs(logprobs: readonly number[]): Uint8Array {
  return Uint8Array.from(logprobs, (logprob) => {
    // NaN, which a run that went wrong has, packs as the least likely.
    const share = logprob >= leastLogprob ? Math.min(logprob, 0) / leastLogprob : 1;
    return Math.round(Math.sqrt(share) * 255);
  });
}

/** Log-probabilities that `packLogprobs` packed. */
export function unpackLogprobs(bytes: Uint8Array): number[] {
  return Array.from(bytes, (byte) => (byte === 0 ? 0 : leastLogprob * (byte / 255) ** 2));
}
