import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { beginClimb, type ClimbState, climbed, countSpent, levelsToAsk } from "../../src/explore/climb.ts";
import { randomStream } from "../../src/random.ts";

const count = (levels: readonly number[], wanted: number): number => levels.filter((level) => level === wanted).length;

describe("climb", () => {
  it("begins below the first level that is not solved", () => {
    expect(beginClimb([1, 0.95, 0.9, 0.5]).frontier).toBe(3);
    expect(beginClimb([1, 0.5, 1, 1]).frontier).toBe(1);
    expect(beginClimb([0.2]).frontier).toBe(0);
    expect(beginClimb([1, 1]).frontier).toBe(2);
  });

  it("rises after two passing looks in a row, and falls where the frontier is lost", () => {
    const start: ClimbState = { frontier: 3, passes: 0 };
    const once = climbed(start, { at: 1, above: 0.9 });
    expect(once).toEqual({ frontier: 3, passes: 1 });
    expect(climbed(once, { at: 1, above: 0.95 })).toEqual({ frontier: 4, passes: 0 });
    expect(climbed(once, { at: 1, above: 0.89 })).toEqual({ frontier: 3, passes: 0 });
    expect(climbed(once, { at: 0.69, above: 1 })).toEqual({ frontier: 2, passes: 0 });
    expect(climbed({ frontier: 0, passes: 1 }, { at: null, above: 1 })).toEqual({ frontier: 1, passes: 0 });
    expect(climbed({ frontier: 24, passes: 0 }, { at: 0.8, above: null })).toEqual({ frontier: 24, passes: 0 });
  });

  it("asks 20 % above the frontier, 50 % around it, the rest below", () => {
    const asked = levelsToAsk({ frontier: 8, passes: 0 }, 24, 100, randomStream("test"));
    expect([count(asked, 9), count(asked, 8) + count(asked, 7)]).toEqual([20, 50]);
    expect(Math.abs(count(asked, 8) - count(asked, 7))).toBeLessThanOrEqual(1);
    const rest = asked.filter((level) => level < 7);
    expect([rest.length, new Set(rest).size]).toEqual([30, 6]);
  });

  it("asks the next level that has room where questions of one only come again", () => {
    const repeats = (level: number, shares: readonly boolean[]) => shares.map((repeated) => ({ level, repeated }));
    let state: ClimbState = beginClimb([1, 1, 0.5]);
    expect(levelsToAsk(state, 24, 20, randomStream("test")).filter((level) => level === 1).length).toBeGreaterThan(5);
    for (let step = 0; step < 5; step++) {
      state = countSpent(state, [...repeats(1, [true, true, true, false]), ...repeats(3, [true, false, false])]);
    }
    const asked = levelsToAsk(state, 24, 20, randomStream("test"));
    expect([count(asked, 1), count(asked, 2), count(asked, 3)]).toEqual([0, 16, 4]);
    // A level that is asked anew has room again; the frontier keeps what was counted.
    for (let step = 0; step < 5; step++) state = countSpent(climbed(state, { at: 1, above: 0 }), repeats(1, [false]));
    expect(count(levelsToAsk(state, 24, 20, randomStream("test")), 1)).toBeGreaterThan(5);
    // All are spent: what is above the frontier is all that is left.
    for (let step = 0; step < 9; step++) state = countSpent(state, [...repeats(1, [true]), ...repeats(2, [true])]);
    expect(new Set(levelsToAsk(state, 24, 20, randomStream("test")))).toEqual(new Set([3]));
    // Nothing is solved, and there are no new questions of the first level: the second one is asked, and the last one in any case.
    let lowest = beginClimb([0.8]);
    for (let step = 0; step < 9; step++) lowest = countSpent(lowest, repeats(1, [true]));
    expect(new Set(levelsToAsk(lowest, 24, 20, randomStream("test")))).toEqual(new Set([2]));
    expect(new Set(levelsToAsk(lowest, 1, 20, randomStream("test")))).toEqual(new Set([1]));
  });

  it("asks for levels that there are, as many as are wanted, whatever the frontier", () => {
    fc.assert(
      fc.property(
        fc.nat(30),
        fc.integer({ min: 1, max: 24 }),
        fc.nat(60),
        fc.nat(),
        (frontier, levels, wanted, seed) => {
          const state = { frontier: Math.min(frontier, levels), passes: 0 };
          const asked = levelsToAsk(state, levels, wanted, randomStream(seed));
          expect(asked).toHaveLength(wanted);
          expect(asked.every((level) => level >= 1 && level <= Math.min(levels, state.frontier + 1))).toBe(true);
        },
      ),
    );
  });
});
