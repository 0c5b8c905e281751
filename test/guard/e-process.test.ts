import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EProcess, emptyEProcess, evidence, observe } from "../../src/guard/e-process.ts";
import { randomStream } from "../../src/random.ts";

const probes = 64;
const alpha = 0.01;

/** Looks until the evidence reaches 1/α; Infinity where it never does in `looks`. */
function looksToAlarm(
  name: string,
  seed: number,
  limit: number,
  chanceAt: (look: number, probe: number) => number,
): number {
  const random = randomStream(name, seed);
  let state = emptyEProcess;
  for (let look = 1; look <= 200; look++) {
    const seen = Array.from({ length: probes }, (_, probe) => (random.next() < chanceAt(look, probe) ? 1 : 0));
    state = observe(state, seen, limit);
    if (evidence(state, limit) >= 1 / alpha) return look;
  }
  return Number.POSITIVE_INFINITY;
}

const runs = (name: string, count: number, limit: number, chanceAt: Parameters<typeof looksToAlarm>[3]): number[] =>
  Array.from({ length: count }, (_, seed) => looksToAlarm(name, seed, limit, chanceAt)).sort((a, b) => a - b);

describe("the e-process", () => {
  it("is 1 before the first look", () => {
    expect(evidence(emptyEProcess, 0.2)).toBe(1);
  });

  it("is raised falsely in at most one run of a hundred, at the limit, over 200 looks", () => {
    const alarms = runs("at the limit", 400, 0.2, () => 0.2).filter(Number.isFinite);
    // 400 runs at α = .01: four are expected at the very most.
    expect(alarms.length).toBeLessThanOrEqual(4);
  });

  it("holds where probes differ and only their mean is at the limit, as easy and hard questions do", () => {
    const alarms = runs("unequal", 400, 0.2, (_, probe) => (probe % 4 === 0 ? 0.65 : 0.05)).filter(Number.isFinite);
    expect(alarms.length).toBeLessThanOrEqual(4);
  });

  it("finds a shift from .2 to .3 within 14 looks in 95 of 100 runs, to .35 sooner, to .5 at once", () => {
    const at = (sorted: readonly number[], share: number): number => sorted[Math.floor(share * sorted.length)];
    const small = runs("small", 200, 0.2, () => 0.3);
    expect(at(small, 0.95)).toBeLessThanOrEqual(14);
    expect(
      at(
        runs("middle", 200, 0.2, () => 0.35),
        0.5,
      ),
    ).toBeLessThanOrEqual(4);
    expect(
      at(
        runs("large", 200, 0.2, () => 0.5),
        0.5,
      ),
    ).toBe(1);
  });

  it("finds a change that comes late about as fast as an early one", () => {
    const late = runs("late", 100, 0.2, (look) => (look <= 100 ? 0.15 : 0.35)).map((look) => look - 100);
    expect(late[50]).toBeGreaterThan(0);
    expect(late[50]).toBeLessThanOrEqual(8);
  });

  it("is fair: one look at the limit has the expectation of the state before, whatever that is", () => {
    const state = fc.record({
      looks: fc.nat(500),
      sums: fc.tuple(...[0, 1, 2].map(() => fc.double({ min: 0, max: 100, noNaN: true }))),
    });
    fc.assert(
      fc.property(state, fc.double({ min: 0.01, max: 0.6, noNaN: true }), (before: EProcess, limit) => {
        const [lost, kept] = [observe(before, [1], limit), observe(before, [0], limit)];
        const expected = limit * evidence(lost, limit) + (1 - limit) * evidence(kept, limit);
        expect(expected).toBeCloseTo(evidence(before, limit), 6);
      }),
    );
  });

  it("makes no bet that could lose more than there is", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1.2, noNaN: true }),
        fc.array(fc.constantFrom(0 as const, 1 as const)),
        (limit, seen) => {
          const found = evidence(observe(emptyEProcess, seen, limit), limit);
          expect(found).toBeGreaterThanOrEqual(0);
          expect(Number.isFinite(found)).toBe(true);
        },
      ),
    );
    // Nothing is unusual where everything may be lost.
    expect(evidence(observe(emptyEProcess, [1, 1, 1, 1], 1.1), 1.1)).toBeLessThan(2 ** 4);
  });

  it("stays a finite number that JSON keeps, however long nobody restarts it", () => {
    let state = emptyEProcess;
    for (let look = 0; look < 50; look++)
      state = observe(
        state,
        Array.from({ length: probes }, () => 1 as const),
        0.2,
      );
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
    expect(Number.isFinite(evidence(state, 0.2))).toBe(true);
  });
});
