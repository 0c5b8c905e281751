// How often each sort of question was asked in a run. A sort, or cell, is a kind at a difficulty, as Go-Explore keeps cells of states
// (Ecoffet et al. 2021, arXiv 2004.12919).
import { countKinds, gini, kindOf } from "../kinds.ts";
import type { Question } from "../types.ts";
import type { Memory } from "./memory.ts";

/** Questions asked so far, by cell. */
export type CellCounts = Readonly<Record<string, number>>;

type Asked = Pick<Question, "kind" | "text" | "difficulty">;

export function cellOf(question: Asked): string {
  return `${question.difficulty} ${kindOf(question)}`;
}

export const cells: Memory<CellCounts> = {
  name: "cells",
  empty: {},
  after(state, { groups }) {
    const counts: Record<string, number> = { ...state };
    const asked = countKinds(groups.map(({ question }) => ({ text: "", kind: cellOf(question) })));
    for (const [cell, count] of asked) counts[cell] = (counts[cell] ?? 0) + count;
    return counts;
  },
};

/** 1/√(1 + n) of a question whose cell was asked n times before: 1 for a new one (count-based exploration, arXiv 1606.01868). */
export function rarity(counts: CellCounts, question: Asked): number {
  return 1 / Math.sqrt(1 + (counts[cellOf(question)] ?? 0));
}

/** How far and how evenly the run has asked. */
export function cellMetrics(counts: CellCounts): Record<string, number> {
  const asked = Object.values(counts);
  return { cells: asked.length, cellGini: gini(asked) };
}
