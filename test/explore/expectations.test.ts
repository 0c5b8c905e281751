// Claims of the expectations: right ones make no error on average, noise pays nothing, and what is being learned pays while it is.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cellOf } from "../../src/explore/cells.ts";
import { errorBeyondChance, errorFall, expectationMetrics, expectations } from "../../src/explore/expectations.ts";
import { randomStream } from "../../src/random.ts";
import type { JudgedGroup } from "../../src/types.ts";

const asked = (kind: string) => ({ text: kind, key: kind, kind, difficulty: 1 });
const step = (rates: Readonly<Record<string, readonly number[]>>, groupSize: number) => ({
  groups: Object.entries(rates).flatMap(([kind, all]) =>
    all.map((successRate) => ({ question: asked(kind), verdict: { successRate, groupSize } }) as JudgedGroup),
  ),
});

describe("errorBeyondChance", () => {
  it("is 0 on average where the expectation is right, however few answers there are", () => {
    const random = randomStream("chance");
    for (const [rate, groupSize] of [
      [0.5, 4],
      [0.9, 16],
      [0.2, 8],
    ]) {
      let sum = 0;
      const draws = 20_000;
      for (let i = 0; i < draws; i++) {
        let solved = 0;
        for (let n = 0; n < groupSize; n++) solved += Number(random.next() < rate);
        sum += errorBeyondChance(rate, { successRate: solved / groupSize, groupSize });
      }
      expect(Math.abs(sum / draws)).toBeLessThan(0.002);
    }
  });

  it("is the squared distance where chance plays no part", () => {
    fc.assert(
      fc.property(fc.float({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1), (successRate, expected) => {
        expect(errorBeyondChance(expected, { successRate, groupSize: 4 })).toBeCloseTo(
          (expected - successRate) ** 2,
          10,
        );
      }),
    );
  });
});

describe("the memory of expectations", () => {
  it("pays a fall, so what is learned earns more than noise, whose error is by far the largest; what is known or new earns nothing", () => {
    const random = randomStream("progress");
    let state = expectations.empty;
    const paid: Record<string, number> = { noise: 0, learned: 0, known: 0 };
    const wrong: Record<string, number> = { ...paid };
    for (let n = 1; n <= 60; n++) {
      // Half of the kind is never solved and half always: no expectation is right, and none becomes better.
      const noise = Array.from({ length: 6 }, () => Number(random.next() < 0.5));
      const learned = n < 20 ? 0.1 : n < 30 ? 0.1 + 0.08 * (n - 20) : 0.9;
      state = expectations.after(state, step({ noise, learned: [learned], known: [0.9] }, 16));
      if (n < 20) continue;
      for (const kind of Object.keys(paid)) {
        paid[kind] += errorFall(state, asked(kind));
        wrong[kind] += state[cellOf(asked(kind))].lately;
      }
    }
    expect(wrong["noise"]).toBeGreaterThan(5 * wrong["learned"]);
    expect(paid["learned"]).toBeGreaterThan(1.5 * paid["noise"]);
    expect(paid["known"]).toBeLessThan(0.2 * paid["learned"]);
    expect(errorFall(state, asked("new"))).toBe(0);
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
    expect(expectationMetrics(state)["solveRateError"]).toBeGreaterThan(0.02);
  });

  it("expects nothing of a cell before it was asked, and then what was seen", () => {
    const once = expectations.after(expectations.empty, step({ a: [0.25, 0.75] }, 8));
    expect(Object.values(once)).toEqual([{ rate: 0.5, lately: 0, before: 0 }]);
    expect(expectationMetrics(once)).toEqual({ solveRateError: 0, solveRateErrorFall: 0 });
    expect(expectationMetrics(expectations.empty)).toEqual({ solveRateError: 0, solveRateErrorFall: 0 });
  });
});
