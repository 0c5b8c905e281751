// What a run expects of its questions: for each cell how often they are solved, and how wrong that expectation is beyond chance. Where the
// error falls there is something to learn, and a proposer may be paid for asking there; where it stays high there is only noise
// (Oudeyer, Kaplan & Hafner 2007; the noisy TV of Burda et al. 2018, arXiv 1810.12894).
import type { Question, VerdictCore } from "../types.ts";
import { cellOf } from "./cells.ts";
import type { Memory } from "./memory.ts";

interface Expectation {
  /** The solve rate that is expected, 0 to 1. */
  readonly rate: number;
  /** Running means of the squared error beyond chance: of lately, and of longer ago. */
  readonly lately: number;
  readonly before: number;
}

export type Expectations = Readonly<Record<string, Expectation>>;

/** How much a step moves the expected rate and the error of lately, and how much that of longer ago. */
const fast = 0.3;
const slow = 0.1;

export const expectations: Memory<Expectations> = {
  name: "expectations",
  empty: {},
  after(state, { groups }) {
    const cells: Record<string, Expectation> = { ...state };
    for (const [cell, asked] of Map.groupBy(groups, ({ question }) => cellOf(question))) {
      const rate = mean(asked.map(({ verdict }) => verdict.successRate));
      const known = state[cell];
      if (known === undefined) {
        cells[cell] = { rate, lately: 0, before: 0 };
        continue;
      }
      const error = mean(asked.map(({ verdict }) => errorBeyondChance(known.rate, verdict)));
      cells[cell] = {
        rate: known.rate + fast * (rate - known.rate),
        lately: known.lately + fast * (error - known.lately),
        before: known.before + slow * (error - known.before),
      };
    }
    return cells;
  },
};

/**
 * (p̂ − p)² − p̂(1 − p̂)/N for the rate p of N answers, of which p̂ was expected: 0 on average where p̂ is right, so that a question
 * that is answered as a coin falls is no surprise. May be below 0.
 */
export function errorBeyondChance(
  expected: number,
  { successRate, groupSize }: Pick<VerdictCore, "successRate" | "groupSize">,
): number {
  return (expected - successRate) ** 2 - (expected * (1 - expected)) / groupSize;
}

/** By how much the error of a question's cell has fallen lately, 0 or more; 0 of a cell that was never asked. */
export function errorFall(state: Expectations, question: Pick<Question, "kind" | "text" | "difficulty">): number {
  const { before, lately } = state[cellOf(question)] ?? { before: 0, lately: 0 };
  return Math.max(0, before - lately);
}

/** How wrong expectations are, and how much less than they were, as means over cells. */
export function expectationMetrics(state: Expectations): Record<string, number> {
  const all = Object.values(state);
  return {
    solveRateError: mean(all.map(({ lately }) => Math.max(0, lately))),
    solveRateErrorFall: mean(all.map(({ before, lately }) => Math.max(0, before - lately))),
  };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
