// What becomes of a vote whose answers were tried the other way round.
import fc from "fast-check";
import { expect, test } from "vitest";
import { afterTrying } from "../../src/verify/inverse.ts";
import { vote } from "../../src/verify/vote.ts";

const answers = (...values: readonly (string | null)[]) => values.map((value, i) => ({ value, form: i % 4 }));

test("what was confirmed is the label, also of few", () => {
  const given = answers("7", "7", "7", "7", "8", "8", null, "7");
  const verdict = afterTrying(
    vote(given, "quorum"),
    given,
    new Map([
      ["7", false],
      ["8", true],
    ]),
  );
  expect(verdict).toMatchObject({ winner: "8", consistent: true, confirmed: true, agreement: 0.25, successRate: 0.25 });
  expect(verdict).toMatchObject({
    problem: null,
    disputed: true,
    tried: [
      ["7", false],
      ["8", true],
    ],
  });
  expect(verdict.scores).toEqual([0, 0, 0, 0, 1, 1, 0, 0]);
  // The vote itself is recorded as it was.
  expect(verdict.counts).toEqual([
    ["7", 5],
    ["8", 2],
  ]);
});

test("a tie is decided by what was confirmed", () => {
  const given = answers("7", "7", "8", "8");
  expect(vote(given).problem).toBe("tie");
  const verdict = afterTrying(
    vote(given),
    given,
    new Map([
      ["7", true],
      ["8", false],
    ]),
  );
  expect(verdict).toMatchObject({ winner: "7", tie: false, problem: null, consistent: true });
});

test.each([
  [
    [
      ["7", false],
      ["8", false],
    ],
  ],
  // Both cannot be right.
  [
    [
      ["7", true],
      ["8", true],
    ],
  ],
] as const)("nothing is a label where not one value was confirmed: %j", (tried) => {
  const given = answers("7", "7", "7", "7", "8", "8", "7", "7");
  const before = vote(given, "quorum");
  expect(before.consistent).toBe(true);
  const verdict = afterTrying(before, given, new Map(tried));
  expect(verdict).toMatchObject({ winner: "7", consistent: false, confirmed: false, agreement: before.agreement });
});

test("a vote of which nothing was tried stays as it is, and none depends on the order of answers", () => {
  const value = fc.constantFrom("1", "2", "3", null);
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 12 }), fc.boolean(), fc.boolean(), (values, one, two) => {
      const given = answers(...values);
      expect(afterTrying(vote(given), given, new Map())).toEqual(vote(given));
      const tried = new Map([
        ["1", one],
        ["2", two],
      ]);
      const [forth, back] = [given, given.toReversed()].map((list) => afterTrying(vote(list), list, tried));
      expect({ ...back, scores: back.scores.toReversed() }).toEqual(forth);
      if (forth.consistent) expect(tried.get(forth.winner ?? "")).toBe(true);
    }),
  );
});
