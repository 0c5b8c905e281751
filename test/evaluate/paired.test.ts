// The numbers behind a claim that one model is better than another: against values worked out by hand, by other formulas, and against
// what intervals and tests promise (how often they hold).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareShares, compareSingle, exactSignTest, type Pair } from "../../src/evaluate/paired.ts";
import { errorRemoved, passAtK, wilsonInterval } from "../../src/evaluate/statistics.ts";
import { randomStream } from "../../src/random.ts";

/** Pairs of single answers: how many were right in both, only after, only before, in neither. */
const pairs = (both: number, gained: number, lost: number, neither: number): Pair[] => [
  ...Array<Pair>(both).fill({ before: 1, after: 1 }),
  ...Array<Pair>(gained).fill({ before: 0, after: 1 }),
  ...Array<Pair>(lost).fill({ before: 1, after: 0 }),
  ...Array<Pair>(neither).fill({ before: 0, after: 0 }),
];

describe("pass@k", () => {
  /** By counting every way to take k of n answers. */
  const counted = (n: number, right: number, k: number): number => {
    let [all, some] = [0, 0];
    for (let set = 0; set < 2 ** n; set++) {
      const taken = Array.from({ length: n }, (_, i) => i).filter((i) => (set >> i) % 2 === 1);
      if (taken.length !== k) continue;
      all++;
      if (taken.some((i) => i < right)) some++;
    }
    return some / all;
  };

  test("is the share of all ways to take k answers that have a right one among them", () => {
    for (const n of [1, 4, 7]) {
      for (let right = 0; right <= n; right++) {
        for (let k = 1; k <= n; k++) expect(passAtK(n, right, k)).toBeCloseTo(counted(n, right, k), 12);
      }
    }
  });

  test("of one is the share of right answers, and more answers never help less", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
        const right = Math.round(n * share);
        expect(passAtK(n, right, 1)).toBeCloseTo(right / n, 12);
        const values = [1, 2, 5, n].filter((k) => k <= n).map((k) => passAtK(n, right, k));
        expect(values).toEqual([...values].sort((a, b) => a - b));
      }),
    );
  });
});

describe("intervals of one share", () => {
  test("Wilson's, as published: 81 of 263 (Newcombe 1998, table I)", () => {
    const [low, high] = wilsonInterval(81 / 263, 263);
    expect([low, high].map((value) => value.toFixed(4))).toEqual(["0.2553", "0.3662"]);
    expect(wilsonInterval(0, 20)[1]).toBeCloseTo(0.1611, 4);
    expect(wilsonInterval(0, 0)).toEqual([0, 1]);
  });
});

describe("two models on the same questions", () => {
  test("McNemar's exact test is a sign test of the questions that differ", () => {
    // 2 · (1 + 10 + 45) / 1024
    expect(exactSignTest(8, 2)).toBeCloseTo(0.109375, 12);
    expect(exactSignTest(10, 0)).toBeCloseTo(2 / 1024, 12);
    expect(exactSignTest(0, 0)).toBe(1);
    expect(exactSignTest(5, 5)).toBe(1);
    expect(exactSignTest(700, 500)).toBeLessThan(1e-7);
    expect(compareSingle(pairs(90, 8, 2, 100))).toMatchObject({ better: 8, worse: 2, pValue: exactSignTest(8, 2) });
  });

  test("says what changed, and errors that are gone", () => {
    const found = compareSingle(pairs(50, 30, 10, 10));
    expect(found).toMatchObject({ before: 0.6, after: 0.8, better: 30, worse: 10, test: "exact McNemar" });
    expect(found.difference).toBeCloseTo(0.2, 12);
    expect(found.errorsRemoved).toBeCloseTo(0.5, 12);
    const [low, high] = found.errorsRemovedInterval ?? expect.fail("there were errors before");
    expect(low).toBeGreaterThan(0.15);
    expect(low).toBeLessThan(0.5);
    expect(high).toBeGreaterThan(0.5);
    expect(compareSingle(pairs(10, 0, 0, 0))).toMatchObject({ errorsRemoved: null, errorsRemovedInterval: null });
  });

  test("no difference at all is not certainty", () => {
    const [low, high] = compareSingle(pairs(5, 0, 0, 5)).interval;
    expect(low).toBeLessThan(-0.05);
    expect(high).toBeGreaterThan(0.05);
    const same = compareSingle(pairs(5, 0, 0, 5));
    expect(same.pValue).toBe(1);
    expect(same.errorsRemovedInterval?.map((end) => Math.sign(end))).toEqual([-1, 1]);
    expect(compareSingle(pairs(0, 3, 0, 0)).errorsRemovedInterval?.[1]).toBe(1);
  });

  test("exchanging the models turns everything around", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ before: fc.nat(1), after: fc.nat(1) }), { minLength: 1, maxLength: 30 }),
        (some) => {
          const [there, back] = [some, some.map(({ before, after }) => ({ before: after, after: before }))].map((one) =>
            compareSingle(one),
          );
          expect(back.difference).toBeCloseTo(-there.difference, 12);
          expect(back.interval[0]).toBeCloseTo(-there.interval[1], 9);
          expect(back.pValue).toBe(there.pValue);
          expect([back.better, back.worse]).toEqual([there.worse, there.better]);
        },
      ),
      { numRuns: 20 },
    );
  });

  test("equal pairs give equal numbers, whatever was computed in between", () => {
    const some = pairs(3, 4, 1, 5);
    expect(compareShares(some)).toEqual(compareShares(some));
    expect(compareSingle([])).toMatchObject({ difference: 0, pValue: 1, interval: [-1, 1] });
    expect(compareShares([])).toMatchObject({ difference: 0, pValue: 1, interval: [-1, 1] });
  });
});

describe("over many draws", () => {
  const questions = 60;
  /** Shares of 8 answers each, of questions with abilities of their own; `gain` is added to the ability afterwards. */
  function draw(trial: number, gain: number): { readonly shares: Pair[]; readonly single: Pair[] } {
    const random = randomStream("paired test", trial, Math.round(gain * 1000));
    const share = (ability: number): number =>
      Array.from({ length: 8 }, () => Number(random.next() < ability)).reduce((sum, value) => sum + value, 0) / 8;
    const abilities = Array.from({ length: questions }, () => random.next() * 0.8);
    return {
      shares: abilities.map((ability) => ({ before: share(ability), after: share(ability + gain) })),
      single: abilities.map((ability) => ({
        before: Number(random.next() < ability),
        after: Number(random.next() < ability + gain),
      })),
    };
  }
  const [trials, draws] = [120, 500];

  test("equal models differ by p < .05 in about one of twenty, and the interval holds 0 in about nineteen", () => {
    const found = Array.from({ length: trials }, (_, trial) => {
      const { shares, single } = draw(trial, 0);
      return [compareShares(shares, draws), compareSingle(single)];
    });
    for (const which of [0, 1]) {
      const wrong = found.filter((one) => one[which].pValue < 0.05).length / trials;
      const held = found.filter(({ [which]: { interval } }) => interval[0] <= 0 && interval[1] >= 0).length / trials;
      expect(wrong).toBeLessThan(0.11);
      expect(held).toBeGreaterThan(0.88);
    }
  });

  test("a true gain lies in the interval, and the share of errors removed in its own", () => {
    const gain = 0.2;
    let [held, removedHeld, seen] = [0, 0, 0];
    for (let trial = 0; trial < trials; trial++) {
      const found = compareShares(draw(trial, gain).shares, draws);
      if (found.interval[0] <= gain && gain <= found.interval[1]) held++;
      // Abilities are .4 on average.
      const removed = errorRemoved(0.4, 0.4 + gain);
      const [low, high] = found.errorsRemovedInterval ?? expect.fail("there were errors before");
      if (low <= removed && removed <= high) removedHeld++;
      if (found.pValue < 0.05) seen++;
    }
    expect(held / trials).toBeGreaterThan(0.88);
    expect(removedHeld / trials).toBeGreaterThan(0.88);
    expect(seen / trials).toBeGreaterThan(0.9);
  });
});
