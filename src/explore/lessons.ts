// Which of a step's questions are worth their answers: those of sorts whose labels lately corrected many answers. Nothing is corrected where
// all answers are right, nor where there is no label, so neither what is solved nor what no vote can decide is asked for long, and of what
// teaches the harder is asked for more. The choice of levels by what can be learned from them (Rutherford et al. 2024, arXiv 2408.15099),
// with what a run sees itself in place of the truth.
import type { Random } from "../random.ts";
import type { Question } from "../types.ts";
import { cellOf } from "./cells.ts";
import type { Memory } from "./memory.ts";

/** Groups of a sort that were asked, and the sum of their shares of answers that a label corrected; older ones count less. */
interface Lesson {
  readonly difficulty: number;
  readonly asked: number;
  readonly corrected: number;
}

/** By cell. */
export type Lessons = Readonly<Record<string, Lesson>>;

/** What is left of a count after a step: what was corrected when the run began may be solved by now. */
const fade = 0.9;
/** A cell is taken for what its level is until it was asked this often. */
const levelWeight = 4;

export const lessons: Memory<Lessons> = {
  name: "lessons",
  empty: {},
  after(state, { groups }) {
    const cells: Record<string, Lesson> = Object.fromEntries(
      Object.entries(state).map(([cell, seen]) => [
        cell,
        { ...seen, asked: fade * seen.asked, corrected: fade * seen.corrected },
      ]),
    );
    for (const { question, signal, verdict } of groups) {
      const cell = cellOf(question);
      const { asked, corrected } = cells[cell] ?? { asked: 0, corrected: 0 };
      const more = signal === "trained" ? 1 - verdict.successRate : 0;
      cells[cell] = { difficulty: question.difficulty, asked: asked + 1, corrected: corrected + more };
    }
    return cells;
  },
};

/**
 * Indices of `count` of the questions, in their order. Each is given a draw of how much of its sort is corrected, from what is known of
 * that (Thompson sampling: what was hardly asked yet may turn out to teach); each next one of the same sort counts less, 1/√(1 + n), so
 * that a step does not ask for one sort alone.
 */
export function chooseQuestions(
  state: Lessons,
  questions: readonly Question[],
  count: number,
  random: Random,
): number[] {
  const hopes = questions.map((question) => {
    const { mean, deviation } = correctedShare(state, question);
    return Math.max(0, mean + deviation * random.normal());
  });
  const cells = Map.groupBy(questions.keys(), (index) => cellOf(questions[index]));
  const worth = [...cells.values()].flatMap((ofCell) =>
    ofCell
      .toSorted((a, b) => hopes[b] - hopes[a])
      .map((index, before) => ({ index, worth: hopes[index] / Math.sqrt(1 + before) })),
  );
  return worth
    .sort((a, b) => b.worth - a.worth || a.index - b.index)
    .slice(0, count)
    .map(({ index }) => index)
    .sort((a, b) => a - b);
}

/**
 * The share of answers to questions like this one that a label corrects, 0 to 1, with the deviation of what is not known (that of a beta
 * distribution, which is the widest); ½ where nothing is known.
 */
export function correctedShare(
  state: Lessons,
  question: Pick<Question, "kind" | "text" | "difficulty">,
): { readonly mean: number; readonly deviation: number } {
  const level = Object.values(state).filter(({ difficulty }) => difficulty === question.difficulty);
  const ofLevel = (1 + sum(level.map((one) => one.corrected))) / (2 + sum(level.map((one) => one.asked)));
  const { asked, corrected } = state[cellOf(question)] ?? { asked: 0, corrected: 0 };
  const known = levelWeight + asked;
  const mean = (levelWeight * ofLevel + corrected) / known;
  return { mean, deviation: Math.sqrt((mean * (1 - mean)) / (known + 1)) };
}

/** Share of answers that a label corrects, lately, and of how many sorts it is known. */
export function lessonMetrics(state: Lessons): Record<string, number> {
  const all = Object.values(state);
  const asked = sum(all.map((one) => one.asked));
  return { lessonCells: all.length, correctedShare: asked === 0 ? 0 : sum(all.map((one) => one.corrected)) / asked };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
