// Which sequences of a call begin alike, so that what they share is computed once: what the prompts of a micro-batch have in common,
// the prompt of a group's answers, and what these begin with. Only tokens are looked at. Pure.
import type { PackedSize } from "./memory.ts";
import { layOut, type PackedPlan, type Strand } from "./prefix-tree.ts";

/** Work of a micro-batch in any unit; infinite where there is no room for it. */
type WorkOf = (size: PackedSize) => number;

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
  const plansOf = (from: number, to: number): PackedPlan[] => {
    if (from === to) return [];
    // What was reckoned with a tree of any depth may not fit on a few levels.
    for (let end = to; ; end--) {
      const plan = layOut(sorted.slice(from, end), shared.slice(from, end - 1));
      if (end === from + 1 || workOf(sizeOf(plan)) < Number.POSITIVE_INFINITY) return [plan, ...plansOf(end, to)];
    }
  };
  return cheapestParts(sorted.length, (from) => batchCosts(sorted, shared, from, workOf))
    .flatMap(([from, to]) => plansOf(from, to))
    .map(({ levels, strands }) => ({
      levels,
      strands: strands.flatMap((strand) => (equals.get(strand.index) ?? []).map((equal) => ({ ...strand, ...equal }))),
    }));
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

/** Work of the micro-batches that begin with strand `from`, where all that strands share stands once. */
function* batchCosts(
  sorted: readonly Strand[],
  shared: readonly number[],
  from: number,
  workOf: WorkOf,
): Generator<number> {
  let [rows, longest, root] = [0, 0, sorted[from].length];
  for (let to = from + 1; to <= sorted.length; to++) {
    const { length } = sorted[to - 1];
    const before = to === from + 1 ? 0 : shared[to - 2];
    if (to > from + 1) root = Math.min(root, before);
    rows += length - before;
    longest = Math.max(longest, length);
    const count = to - from;
    const scores = count === 1 ? length * length : root * root + count * (longest - root) * longest;
    const work = workOf({ rows, scores });
    if (work < Number.POSITIVE_INFINITY) yield work;
    else if (count === 1) yield impossible;
    else return;
  }
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
