// Which of a step's questions are worth their answers: those of sorts that taught the solver something lately. A group teaches where there
// is a label and not all answers have it, so neither what is solved nor what no vote can decide is asked for long. The choice of levels
// by what they are learned from (Rutherford et al. 2024, arXiv 2408.15099), with what a run sees itself in place of the truth.
import type { Random } from "../random.ts";
import type { Question } from "../types.ts";
import { cellOf } from "./cells.ts";
import type { Memory } from "./memory.ts";

/** Groups of a sort that were asked and those of them that taught; older ones count less. */
interface Lesson {
  readonly difficulty: number;
  readonly asked: number;
  readonly taught: number;
}

/** By cell. */
export type Lessons = Readonly<Record<string, Lesson>>;

/** What is left of a count after a step: what taught when the run began may be solved by now. */
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
        { ...seen, asked: fade * seen.asked, taught: fade * seen.taught },
      ]),
    );
    for (const { question, signal } of groups) {
      const cell = cellOf(question);
      const { asked, taught } = cells[cell] ?? { asked: 0, taught: 0 };
      const { difficulty } = question;
      cells[cell] = { difficulty, asked: asked + 1, taught: taught + (signal === "trained" ? 1 : 0) };
    }
    return cells;
  },
};

/**
 * Indices of `count` of the questions, in their order. Each is given a draw of how often its sort teaches, from what is known of that
 * (Thompson sampling: what was hardly asked yet may turn out to teach); each next one of the same sort counts less, 1/√(1 + n), so
 * that a step does not ask for one sort alone.
 */
export function chooseQuestions(
  state: Lessons,
  questions: readonly Question[],
  count: number,
  random: Random,
): number[] {
  const hopes = questions.map((question) => {
    const { mean, deviation } = teachingShare(state, question);
    return Math.max(0, mean + deviation * random.normal());
  });
  const chosen = new Map<string, number>();
  const left = new Set(questions.keys());
  const worth = (index: number): number => hopes[index] / Math.sqrt(1 + (chosen.get(cellOf(questions[index])) ?? 0));
  const picked: number[] = [];
  while (picked.length < count && left.size > 0) {
    const best = [...left].reduce((most, index) => (worth(index) > worth(most) ? index : most));
    left.delete(best);
    const cell = cellOf(questions[best]);
    chosen.set(cell, (chosen.get(cell) ?? 0) + 1);
    picked.push(best);
  }
  return picked.sort((a, b) => a - b);
}

/** How often questions like this one teach, 0 to 1, with the deviation of what is not known (beta-distributed; ½ where nothing is known). */
export function teachingShare(
  state: Lessons,
  question: Pick<Question, "kind" | "text" | "difficulty">,
): { readonly mean: number; readonly deviation: number } {
  const sum = (counts: readonly number[]): number => counts.reduce((total, one) => total + one, 0);
  const level = Object.values(state).filter(({ difficulty }) => difficulty === question.difficulty);
  const ofLevel = (1 + sum(level.map(({ taught }) => taught))) / (2 + sum(level.map(({ asked }) => asked)));
  const { asked, taught } = state[cellOf(question)] ?? { asked: 0, taught: 0 };
  const known = levelWeight + asked;
  const mean = (levelWeight * ofLevel + taught) / known;
  return { mean, deviation: Math.sqrt((mean * (1 - mean)) / (known + 1)) };
}

/** Share of groups that teach, lately, and of how many sorts it is known. */
export function lessonMetrics(state: Lessons): Record<string, number> {
  const all = Object.values(state);
  const sum = (counts: readonly number[]): number => counts.reduce((total, one) => total + one, 0);
  return {
    lessonCells: all.length,
    teachingShare: sum(all.map(({ taught }) => taught)) / Math.max(1e-9, sum(all.map(({ asked }) => asked))),
  };
}
