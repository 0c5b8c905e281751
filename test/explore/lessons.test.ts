import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseQuestions, correctedShare, type Lessons, lessonMetrics, lessons } from "../../src/explore/lessons.ts";
import { randomStream } from "../../src/random.ts";
import type { GroupSignal, JudgedGroup, Question } from "../../src/types.ts";

const asked = (kind: string, difficulty = 1): Question => ({ text: kind, key: kind, kind, difficulty });
const group = (question: Question, signal: GroupSignal, successRate = 0): JudgedGroup =>
  ({ question, signal, verdict: { successRate } }) as JudgedGroup;
const learn = (state: Lessons, ...groups: JudgedGroup[]): Lessons => lessons.after(state, { groups });
/** What so many steps leave that asked four questions of each of two sorts, of which one teaches. */
const known = (steps: number): Lessons => {
  let state = lessons.empty;
  for (let step = 0; step < steps; step++) {
    const sums = Array.from({ length: 4 }, () => group(asked("sum"), "all-equal"));
    const products = Array.from({ length: 4 }, () => group(asked("product"), "trained"));
    state = learn(state, ...sums, ...products);
  }
  return state;
};
const shareOfProducts = (state: Lessons, count: number): number => {
  const questions = Array.from({ length: 32 }, (_, i) => asked(i % 2 === 0 ? "sum" : "product"));
  const chosen = Array.from({ length: 50 }, (_, i) => chooseQuestions(state, questions, count, randomStream(1, i)));
  return chosen.flat().filter((index) => questions[index].kind === "product").length / (50 * count);
};

describe("lessons", () => {
  it("of which nothing is known are chosen alike, and what teaches is chosen more often once that is known", () => {
    expect(shareOfProducts(lessons.empty, 8)).toBeCloseTo(0.5, 1);
    expect(shareOfProducts(known(5), 8)).toBeGreaterThan(0.7);
  });

  it("do not ask for one sort alone: with every one more of a sort the next counts less", () => {
    let state = lessons.empty;
    for (let step = 0; step < 50; step++) {
      const signals = ["trained", "trained", "trained", "all-equal"] as const;
      const sums = signals.map((signal) =>
        group(asked("sum"), signal === "trained" && step % 2 ? signal : "all-equal"),
      );
      state = learn(state, ...sums, ...signals.map(() => group(asked("product"), "trained")));
    }
    expect(correctedShare(state, asked("product")).mean).toBeGreaterThan(0.9);
    expect(correctedShare(state, asked("sum")).mean).toBeLessThan(0.5);
    expect(shareOfProducts(state, 8)).toBeGreaterThan(0.6);
    expect(shareOfProducts(state, 8)).toBeLessThan(0.95);
  });

  it("count for what they correct: of two sorts that teach alike often the harder is asked for more", () => {
    let state = lessons.empty;
    for (let step = 0; step < 10; step++) {
      const sums = Array.from({ length: 4 }, () => group(asked("sum"), "trained", 0.9));
      const products = Array.from({ length: 4 }, () => group(asked("product"), "trained", 0.3));
      state = learn(state, ...sums, ...products);
    }
    expect(shareOfProducts(state, 8)).toBeGreaterThan(0.7);
  });

  it("are taken for their level's while they are few", () => {
    const state = learn(
      lessons.empty,
      ...Array.from({ length: 20 }, () => group(asked("story", 3), "trained")),
      ...Array.from({ length: 20 }, () => group(asked("sum", 1), "all-equal")),
    );
    const [hard, easy] = [correctedShare(state, asked("new", 3)), correctedShare(state, asked("other", 1))];
    expect(hard.mean).toBeGreaterThan(0.9);
    expect(easy.mean).toBeLessThan(0.1);
    // Nothing is known of the level: even chances, and a wide guess.
    expect(correctedShare(state, asked("new", 7))).toMatchObject({ mean: 0.5 });
    expect(correctedShare(state, asked("new", 7)).deviation).toBeGreaterThan(hard.deviation);
  });

  it("fade: what taught long ago is tried again", () => {
    let state = learn(lessons.empty, ...Array.from({ length: 30 }, () => group(asked("sum"), "trained")));
    const first = correctedShare(state, asked("sum"));
    for (let step = 0; step < 40; step++) state = learn(state, group(asked("product", 2), "all-equal"));
    const later = correctedShare(state, asked("sum"));
    expect(later.mean).toBeLessThan(first.mean);
    expect(later.deviation).toBeGreaterThan(first.deviation);
  });

  it("count only what taught, whatever else came of a group", () => {
    for (const signal of ["tie", "inconsistent", "low-agreement", "all-equal", "withheld"] as const)
      expect(learn(lessons.empty, group(asked("sum"), signal))).toMatchObject({ "1 sum": { asked: 1, corrected: 0 } });
    expect(learn(lessons.empty, group(asked("sum"), "trained", 0.75))).toMatchObject({
      "1 sum": { asked: 1, corrected: 0.25 },
    });
    expect(lessonMetrics(known(3))).toEqual({ lessonCells: 2, correctedShare: expect.closeTo(0.5, 12) as number });
    expect(lessonMetrics(lessons.empty)).toEqual({ lessonCells: 0, correctedShare: 0 });
  });

  it("choose as many as there is room for, each once, in their order, and the same for the same random numbers", () => {
    const questions = fc.array(
      fc.constantFrom("sum", "product", "story").map((kind) => asked(kind)),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(questions, fc.nat(40), fc.nat(), (of, count, seed) => {
        const choose = (): number[] => chooseQuestions(known(2), of, count, randomStream(seed));
        const chosen = choose();
        expect(chosen).toHaveLength(Math.min(count, of.length));
        expect(new Set(chosen).size).toBe(chosen.length);
        expect(chosen).toEqual(chosen.toSorted((a, b) => a - b));
        expect(chosen.every((index) => index < of.length)).toBe(true);
        expect(choose()).toEqual(chosen);
      }),
    );
  });
});
