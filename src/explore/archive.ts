// Kinds do not die: for each cell (a kind at a difficulty) the run keeps how its newest solved questions were asked for and begun. A
// cell that is rarely asked now is come back to: a proposal is begun as one of them was, and the proposer goes on by itself ("first
// return, then explore", Go-Explore, Ecoffet et al. 2021, arXiv 2004.12919). Nothing here names a question's answer.
import { hasLabel } from "../plurality.ts";
import type { Random } from "../random.ts";
import type { Judgement } from "../types.ts";
import { cellOf } from "./cells.ts";
import type { Memory } from "./memory.ts";

/** How a question was asked for and what its proposer wrote, as token ids. */
export interface Beginning {
  readonly promptTokens: readonly number[];
  readonly tokens: readonly number[];
}

interface ArchivedCell {
  /** Questions of the cell in the latest steps, older ones counting less: n ← .9·n + asked. */
  readonly recent: number;
  /** Running mean of how many of its questions have a label, 0 to 1; and the highest that this mean has been. */
  readonly solved: number;
  readonly best: number;
  /** Solved questions, newest last. */
  readonly beginnings: readonly Beginning[];
}

export type Archive = Readonly<Record<string, ArchivedCell>>;

/** Beginnings kept of a cell: a few, so that what is asked again is not always the same. */
const kept = 8;
/** What is left of a count after a step. */
const fade = 0.9;
/** How much more often a cell is come back to for each unit that its solved share has fallen. */
const fallWeight = 4;

export const archive: Memory<Archive, "groups" | "proposals"> = {
  name: "archive",
  empty: {},
  after(state, { groups, proposals }) {
    const faded = Object.entries(state).map(([cell, seen]) => [cell, { ...seen, recent: fade * seen.recent }] as const);
    const cells: Record<string, ArchivedCell> = Object.fromEntries(faded);
    for (const [cell, asked] of Map.groupBy(groups, ({ question }) => cellOf(question))) {
      const before = cells[cell] ?? { recent: 0, solved: 0, best: 0, beginnings: [] };
      const labelled = asked.filter(({ verdict }) => hasLabel(verdict));
      const share = labelled.length / asked.length;
      // The first questions of a cell are its mean; later ones move it the more the more they are.
      const weight = before.best === 0 && before.recent === 0 ? 1 : 1 - fade ** asked.length;
      const solved = before.solved + weight * (share - before.solved);
      const beginnings = labelled.map(({ proposal }) => beginningOf(proposals[proposal]));
      cells[cell] = {
        recent: before.recent + asked.length,
        solved,
        best: Math.max(before.best, solved),
        beginnings: [...before.beginnings, ...beginnings].slice(-kept),
      };
    }
    return cells;
  },
};

/** A question that was itself begun as an earlier one is kept as if its proposer had written all of it. */
function beginningOf({ promptTokens, tokens, given = 0 }: Judgement["proposals"][number]): Beginning {
  const asked = promptTokens.length - given;
  return { promptTokens: promptTokens.slice(0, asked), tokens: [...promptTokens.slice(asked), ...tokens] };
}

/**
 * `count` beginnings to go on from. A cell is drawn in proportion to 1/√(1 + n), n how often it was asked lately, times 1 + 4·(how far
 * its solved share has fallen from its best); of cells that never had a label there is none. A third to two thirds of the
 * question's tokens are given. Fewer than `count` only where nothing was ever solved.
 */
export function beginningsFrom(state: Archive, count: number, random: Random): Beginning[] {
  const known = Object.values(state).filter(({ beginnings }) => beginnings.length > 0);
  const weights = known.map(
    ({ recent, solved, best }) => (1 + fallWeight * Math.max(0, best - solved)) / Math.sqrt(1 + recent),
  );
  if (known.length === 0) return [];
  return Array.from({ length: count }, () => {
    const { beginnings } = known[drawByWeight(weights, random)];
    const { promptTokens, tokens } = random.pick(beginnings);
    const given = random.integer(Math.floor(tokens.length / 3), Math.floor((2 * tokens.length) / 3));
    return { promptTokens, tokens: tokens.slice(0, given) };
  });
}

/** An index with a probability in proportion to its weight. */
function drawByWeight(weights: readonly number[], random: Random): number {
  let rest = random.next() * weights.reduce((sum, weight) => sum + weight, 0);
  const drawn = weights.findIndex((weight) => {
    rest -= weight;
    return rest < 0;
  });
  return drawn === -1 ? weights.length - 1 : drawn;
}

/** How many cells are known, and how many of those with a label were hardly asked lately (less than one question). */
export function archiveMetrics(state: Archive): Record<string, number> {
  const known = Object.values(state);
  const rare = known.filter(({ recent, beginnings }) => beginnings.length > 0 && recent < 1).length;
  return { archivedCells: known.filter(({ beginnings }) => beginnings.length > 0).length, rareCells: rare };
}
