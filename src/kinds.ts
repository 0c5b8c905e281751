// Kinds of question: what counts as asking the same sort of thing, and how evenly questions are spread over the sorts.
import type { Question } from "./types.ts";

/** The topic's own kind, else the text with all digits taken for each other. */
export function kindOf({ kind, text }: Pick<Question, "kind" | "text">): string {
  return kind ?? text.replace(/\d/g, "0");
}

/** How many of each kind there are, in order of first appearance. */
export function countKinds(questions: Iterable<Pick<Question, "kind" | "text">>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const question of questions) {
    const kind = kindOf(question);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/**
 * Gini coefficient Σᵢⱼ |nᵢ − nⱼ| / (2K²·mean) of K counts: 0 where all are equal, towards 1 where one has everything. 0 for none.
 */
export function gini(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  // With sorted counts the double sum is Σ (2i − K + 1)·nᵢ, i from 0, twice over.
  const sorted = [...counts].sort((a, b) => a - b);
  const weighted = sorted.reduce((sum, count, i) => sum + (2 * i - sorted.length + 1) * count, 0);
  return weighted / (sorted.length * total);
}
