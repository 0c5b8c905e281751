// Which sequences of a call begin alike, so that what they share is computed once: the prompt of a group's answers, and above it
// what the prompts of a micro-batch have in common. Only tokens are looked at. Pure.
import type { PackedSize } from "./memory.ts";

/** The first `length` tokens of a sequence: those that are computed, because a wanted log-probability depends on them. */
export interface Strand {
  readonly index: number;
  readonly length: number;
}

/** Tokens `start` to before `end` of a sequence, which stand in a micro-batch once. */
export interface Unit {
  readonly index: number;
  readonly start: number;
  readonly end: number;
  /** Its place on the level above, whose tokens come right before; null on the first level. */
  readonly parent: number | null;
}

/** Units, level above level, that together hold the strands, and for each strand the level and place of its last unit. */
export interface PackedPlan {
  readonly levels: readonly (readonly Unit[])[];
  readonly strands: readonly (Strand & { readonly level: number; readonly unit: number })[];
}

/** Work of a micro-batch in any unit; infinite where there is no room for it. */
type WorkOf = (size: PackedSize) => number;

/** What all of a micro-batch share is a level of its own where that saves this many rows. */
const worthALevel = 64;

/** Strands that are next to each other when sorted, and share their first `prefix` tokens. */
interface Group {
  readonly strands: readonly Strand[];
  readonly prefix: number;
}

/**
 * Micro-batches that hold every strand once and together are about the least work. A strand that is too large alone is a micro-batch
 * all the same. Equal input gives the equal plan. Time grows with strands × strands of a micro-batch.
 */
export function planPacked(
  sequences: readonly (readonly number[])[],
  strands: readonly Strand[],
  workOf: WorkOf,
): PackedPlan[] {
  const all = strands
    .filter(({ length }) => length > 0)
    .sort((a, b) => compareTokens(sequences, a, b) || a.index - b.index);
  const [sorted, equals] = withoutRepetitions(sequences, all);
  const shared = sorted.slice(1).map((strand, i) => sharedLength(sequences, sorted[i], strand));
  const groups = cheapestParts(sorted.length, (from) => groupCosts(sorted, shared, from, workOf)).map(
    ([from, to]): Group => ({
      strands: sorted.slice(from, to),
      prefix: to === from + 1 ? sorted[from].length : Math.min(...shared.slice(from, to - 1)),
    }),
  );
  const lasts = groups.map(({ strands }) => strands.length);
  for (let i = 1; i < lasts.length; i++) lasts[i] += lasts[i - 1];
  const sharedWithNext = lasts.slice(0, -1).map((last) => shared[last - 1]);
  return cheapestParts(groups.length, (from) => batchCosts(groups, sharedWithNext, from, workOf)).map(([from, to]) => {
    const part = groups.slice(from, to);
    const common = Math.min(...sharedWithNext.slice(from, to - 1), ...part.map(({ prefix }) => prefix));
    const { levels, strands } = layOut(part, rootLength(part.length, common));
    return {
      levels,
      strands: strands.flatMap((strand) => (equals.get(strand.index) ?? []).map((equal) => ({ ...strand, ...equal }))),
    };
  });
}

/** The first of each run of strands of equal tokens, and by its index all of the run: short answers of a group are often the same. */
function withoutRepetitions(
  sequences: readonly (readonly number[])[],
  sorted: readonly Strand[],
): [Strand[], Map<number, Strand[]>] {
  const firsts: Strand[] = [];
  const equals = new Map<number, Strand[]>();
  for (const strand of sorted) {
    const last = firsts.at(-1);
    if (last !== undefined && compareTokens(sequences, last, strand) === 0) equals.get(last.index)?.push(strand);
    else {
      firsts.push(strand);
      equals.set(strand.index, [strand]);
    }
  }
  return [firsts, equals];
}

/** Rows and attention of a plan. */
export function sizeOf({ levels }: PackedPlan): PackedSize {
  let [rows, scores, keys] = [0, 0, 0];
  for (const units of levels) {
    const lengths = units.map(({ start, end }) => end - start);
    const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
    keys += longest;
    rows += lengths.reduce((a, b) => a + b, 0);
    scores += units.length * longest * keys;
  }
  return { rows, scores };
}

/** More than any work, and yet finite: what nothing can be done about is done all the same. */
const impossible = 1e15;

/** Splits 0 … count into neighbouring parts of the least total cost; `costs(from)` gives those of the parts that end after 1, 2, … more. */
function cheapestParts(count: number, costs: (from: number) => Iterable<number>): [number, number][] {
  const best = Array.from({ length: count + 1 }, () => Number.POSITIVE_INFINITY);
  const next = Array.from({ length: count }, (_, i) => i + 1);
  best[count] = 0;
  for (let from = count - 1; from >= 0; from--) {
    let to = from;
    for (const cost of costs(from)) {
      to += 1;
      if (cost + best[to] >= best[from]) continue;
      best[from] = cost + best[to];
      next[from] = to;
    }
  }
  const parts: [number, number][] = [];
  for (let from = 0; from < count; from = next[from]) parts.push([from, next[from]]);
  return parts;
}

/** Rows of the groups that begin with strand `from`. */
function* groupCosts(
  sorted: readonly Strand[],
  shared: readonly number[],
  from: number,
  workOf: WorkOf,
): Generator<number> {
  let [prefix, sum, longest] = [sorted[from].length, 0, 0];
  for (let to = from + 1; to <= sorted.length; to++) {
    if (to > from + 1) prefix = Math.min(prefix, shared[to - 2]);
    // Beyond here a group has nothing to share, and everything is cheaper alone.
    if (prefix === 0 && to > from + 1) return;
    const { length } = sorted[to - 1];
    sum += length;
    longest = Math.max(longest, length);
    const count = to - from;
    const rows = prefix + sum - count * prefix;
    const scores = prefix * prefix + count * (longest - prefix) * longest;
    if (count > 1 && workOf({ rows, scores }) === Number.POSITIVE_INFINITY) return;
    yield rows;
  }
}

/** Work of the micro-batches that begin with group `from`. */
function* batchCosts(
  groups: readonly Group[],
  sharedWithNext: readonly number[],
  from: number,
  workOf: WorkOf,
): Generator<number> {
  const prefixes = { count: 0, total: 0, longest: 0, shortest: Number.POSITIVE_INFINITY };
  const rests = { count: 0, total: 0, longest: 0 };
  let shared = Number.POSITIVE_INFINITY;
  for (let to = from + 1; to <= groups.length; to++) {
    if (to > from + 1) shared = Math.min(shared, sharedWithNext[to - 2]);
    const { prefix, strands } = groups[to - 1];
    prefixes.count += 1;
    prefixes.total += prefix;
    prefixes.longest = Math.max(prefixes.longest, prefix);
    prefixes.shortest = Math.min(prefixes.shortest, prefix);
    for (const { length } of strands) {
      if (length === prefix) continue;
      rests.count += 1;
      rests.total += length - prefix;
      rests.longest = Math.max(rests.longest, length - prefix);
    }
    const root = rootLength(prefixes.count, Math.min(shared, prefixes.shortest));
    const rows = root + prefixes.total - prefixes.count * root + rests.total;
    const scores =
      root * root +
      prefixes.count * (prefixes.longest - root) * prefixes.longest +
      rests.count * rests.longest * (prefixes.longest + rests.longest);
    const work = workOf({ rows, scores });
    if (work < Number.POSITIVE_INFINITY) yield work;
    else if (prefixes.count === 1) yield impossible;
    else return;
  }
}

/** Of `shared` tokens that all groups begin with, those that stand on a level of their own: all, or none where that is not worth it. */
function rootLength(groups: number, shared: number): number {
  return (groups - 1) * shared >= worthALevel ? shared : 0;
}

function layOut(groups: readonly Group[], root: number): PackedPlan {
  const top: Unit[] = root === 0 ? [] : [{ index: groups[0].strands[0].index, start: 0, end: root, parent: null }];
  const prefixes = groups.map(
    ({ strands: [{ index }], prefix }): Unit => ({ index, start: root, end: prefix, parent: root === 0 ? null : 0 }),
  );
  const first = root === 0 ? 0 : 1;
  const rests: Unit[] = [];
  const strands = groups.flatMap(({ strands, prefix }, parent) =>
    strands.map((strand) => {
      if (strand.length === prefix) return { ...strand, level: first, unit: parent };
      rests.push({ index: strand.index, start: prefix, end: strand.length, parent });
      return { ...strand, level: first + 1, unit: rests.length - 1 };
    }),
  );
  return { levels: [top, prefixes, rests].filter(({ length }) => length > 0), strands };
}

function compareTokens(sequences: readonly (readonly number[])[], a: Strand, b: Strand): number {
  const at = sharedLength(sequences, a, b);
  if (at === a.length || at === b.length) return a.length - b.length;
  return sequences[a.index][at] - sequences[b.index][at];
}

/** How many tokens two strands share before they differ. */
function sharedLength(sequences: readonly (readonly number[])[], a: Strand, b: Strand): number {
  const [first, second] = [sequences[a.index], sequences[b.index]];
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && first[at] === second[at]) at += 1;
  return at;
}
