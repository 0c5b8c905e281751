// What sequences share, as a tree, and how it is laid out on few levels. Pure.

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

/** Strands that share their first `end` tokens. One without children is a strand, and ends there. */
interface Node {
  readonly strand: Strand;
  readonly end: number;
  readonly children: readonly Node[];
}

/** More levels than this save few rows: answers to one question part in many places, a token or two each. */
const mostLevels = 4;
/** What a unit costs beside its rows, in rows: attention of a level is as wide as its longest unit. */
const rowsPerUnit = 4;
/** What a level costs, in rows: keys of the levels above are repeated for every unit. */
const rowsPerLevel = 24;

/**
 * Lays strands out, sorted and different, of which neighbours share their first `shared` tokens. What strands share stands once, unless that
 * saves less than a unit costs; of so many levels as are worth it.
 */
export function layOut(strands: readonly Strand[], shared: readonly number[]): PackedPlan {
  const tree = treeOf(strands, shared, 0, strands.length);
  const costs = costsOfLayouts();
  const counts = Array.from({ length: mostLevels }, (_, i) => i + 1);
  const costOf = (count: number): number => costs.least(tree, 0, count) + count * rowsPerLevel;
  const most = counts.reduce((best, count) => (costOf(count) < costOf(best) ? count : best));
  const levels: Unit[][] = [];
  const placed: PackedPlan["strands"][number][] = [];
  const place = (node: Node, start: number, left: number, level: number, parent: number | null): void => {
    const isStrand = node.children.length === 0;
    if (!isStrand && !costs.stands(node, start, left)) {
      for (const child of node.children) place(child, start, left, level, parent);
      return;
    }
    if (isStrand && node.end === start && parent !== null) {
      placed.push({ ...node.strand, level: level - 1, unit: parent });
      return;
    }
    levels[level] ??= [];
    const unit = levels[level].push({ index: node.strand.index, start, end: node.end, parent }) - 1;
    if (isStrand) placed.push({ ...node.strand, level, unit });
    for (const child of node.children) place(child, node.end, left - 1, level + 1, unit);
  };
  place(tree, 0, most, 0, null);
  return { levels, strands: placed };
}

/** The tree of strands `from` to before `to`. */
function treeOf(strands: readonly Strand[], shared: readonly number[], from: number, to: number): Node {
  const strand = strands[from];
  if (to === from + 1) return { strand, end: strand.length, children: [] };
  const end = Math.min(...shared.slice(from, to - 1));
  const children: Node[] = [];
  for (let start = from, i = from; i < to; i++) {
    if (i < to - 1 && shared[i] > end) continue;
    children.push(treeOf(strands, shared, start, i + 1));
    start = i + 1;
  }
  return { strand, end, children };
}

interface LayoutCosts {
  /** What it costs at the least to lay a node out whose tokens from `start` on are to be computed, on so many levels. In rows. */
  least(node: Node, start: number, levels: number): number;
  /** Whether what the node's strands share is then a unit of its own; else each child has it. */
  stands(node: Node, start: number, levels: number): boolean;
}

/** Each cost is worked out once. */
function costsOfLayouts(): LayoutCosts {
  const known = new Map<Node, Map<string, number>>();
  const below = (node: Node, start: number, levels: number): number =>
    node.children.reduce((sum, child) => sum + least(child, start, levels), 0);
  const standing = (node: Node, start: number, levels: number): number =>
    levels < 2 || node.end === start
      ? Number.POSITIVE_INFINITY
      : node.end - start + rowsPerUnit + below(node, node.end, levels - 1);
  const least = (node: Node, start: number, levels: number): number => {
    if (node.children.length === 0) return node.end === start ? 0 : node.end - start + rowsPerUnit;
    const key = `${start} ${levels}`;
    const ofNode = known.get(node) ?? new Map<string, number>();
    known.set(node, ofNode);
    const cost = ofNode.get(key) ?? Math.min(standing(node, start, levels), below(node, start, levels));
    ofNode.set(key, cost);
    return cost;
  };
  return { least, stands: (node, start, levels) => standing(node, start, levels) < below(node, start, levels) };
}
