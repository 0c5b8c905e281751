// One seeded source of randomness. A stream is named by the path that leads to it (seed, purpose, step, …), so there is
// no generator state to save: a resumed run asks for the same names and gets the same numbers.

/** A stream of seeded random numbers. */
export interface Random {
  /** Uniform in [0, 1), 32 bits of resolution. */
  next(): number;
  /** Uniform integer from `low` to `high`, both included. */
  integer(low: number, high: number): number;
  /** One element, uniformly. */
  pick<Item>(items: readonly Item[]): Item;
  /** A new array in random order (Fisher–Yates). */
  shuffle<Item>(items: readonly Item[]): Item[];
  /** Standard normal deviate (Box–Muller). */
  normal(): number;
}

/**
 * Opens the stream with this name. Equal names give equal streams; different names give independent ones.
 *
 * @example
 * import { randomStream } from "self-questioning";
 *
 * const random = randomStream("my experiment", 1);
 * console.log(random.integer(1, 6) === randomStream("my experiment", 1).integer(1, 6)); // true
 */
export function randomStream(...name: readonly (string | number)[]): Random {
  let state = hashName(name);
  // mulberry32 (Tommy Ettinger, public domain): 32 bits of state are enough for streams this short.
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const integer = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    integer,
    pick: (items) => items[integer(0, items.length - 1)],
    shuffle: (items) => {
      const shuffled = [...items];
      for (let i = shuffled.length - 1; i > 0; i--) {
        const j = integer(0, i);
        [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
      }
      return shuffled;
    },
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}

/** A 31-bit seed derived from a name, for interfaces that take a number. */
export function seedFrom(...name: readonly (string | number)[]): number {
  return hashName(name) >>> 1;
}

/**
 * Uniform number in [0, 1) for one position of one sampled sequence. It depends on nothing but its arguments, so what a
 * sequence draws does not depend on the batch that it shares.
 */
export function uniformAt(seed: number, sequence: number, position: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul((h ^ (h >>> 15)) + sequence, 0xc2b2ae35);
  h = Math.imul((h ^ (h >>> 13)) + position, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

/** FNV-1a over the name's parts, finished with a full avalanche. */
function hashName(name: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const character of name.join("\u001f")) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) | 0;
}
