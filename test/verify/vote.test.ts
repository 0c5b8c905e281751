import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { vote } from "../../src/verify/vote.ts";

const answers = (...values: (string | null)[]) => values.map((value) => ({ form: 0, value }));

// Few values, so that ties, unanimity and unreadable groups all occur.
const anyAnswers = fc.array(
  fc.record({ form: fc.integer({ min: 0, max: 2 }), value: fc.constantFrom("1", "2", "10", "__proto__", null) }),
  { maxLength: 12 },
);

describe("vote", () => {
  it("elects the value with strictly the most votes", () => {
    const verdict = vote(answers("7", "8", "7", null));
    expect(verdict).toMatchObject({ winner: "7", tie: false, agreement: 0.5, unreadable: 1, groupSize: 4 });
    expect(verdict.counts).toEqual([
      ["7", 2],
      ["8", 1],
    ]);
  });

  it("has no winner on a tie, whichever answer came first", () => {
    for (const values of [
      ["a", "b"],
      ["b", "a"],
      ["a", "b", "b", "a", "c"],
    ]) {
      expect(vote(answers(...values))).toMatchObject({ winner: null, tie: true, consistent: false });
    }
  });

  it("has no winner where all answers differ, though the first one leads in order", () => {
    expect(vote(answers("1", "2", "3", "4"))).toMatchObject({ winner: null, tie: true, agreement: 0.25 });
  });

  it("never elects unreadable answers, however many", () => {
    expect(vote(answers(null, null, null))).toMatchObject({ winner: null, tie: false, agreement: 0, unreadable: 3 });
    expect(vote(answers(null, null, null, "5"))).toMatchObject({ winner: "5", agreement: 0.25 });
    expect(vote(answers("null", null, null))).toMatchObject({ winner: "null", unreadable: 2 });
  });

  it("takes an empty group", () => {
    expect(vote([])).toMatchObject({ winner: null, tie: false, agreement: 0, groupSize: 0, consistent: false });
  });

  it("is inconsistent where two forms elect different values or one elects none", () => {
    const split = (first: (string | null)[], second: (string | null)[]) =>
      vote([...first.map((value) => ({ form: 0, value })), ...second.map((value) => ({ form: 1, value }))]);
    expect(split(["1", "1", "1"], ["2", "2"])).toMatchObject({
      winner: "1",
      formWinners: ["1", "2"],
      consistent: false,
    });
    expect(split(["1", "1", "1"], ["1", "2"])).toMatchObject({
      winner: "1",
      formWinners: ["1", null],
      consistent: false,
    });
    expect(split(["1", "1"], [null, null])).toMatchObject({ formWinners: ["1", null], consistent: false });
    expect(split(["1", "1", "2"], ["1", "3", "1"])).toMatchObject({ formWinners: ["1", "1"], consistent: true });
  });

  it("does not depend on the order of answers", () => {
    fc.assert(
      fc.property(
        anyAnswers.chain((group) =>
          fc.tuple(fc.constant(group), fc.shuffledSubarray(group, { minLength: group.length })),
        ),
        ([group, shuffled]) => {
          const [{ scores, ...verdict }, { scores: others, ...other }] = [vote(group), vote(shuffled)];
          expect(other).toEqual(verdict);
          // Scores follow their answers.
          expect(scores.map((score, i) => [group[i], score])).toEqual(
            group.map((answer) => [answer, others[shuffled.indexOf(answer)]]),
          );
        },
      ),
    );
  });

  it("adds up: votes and unreadable answers make the group, a winner beats all others, consistency has a winner", () => {
    fc.assert(
      fc.property(anyAnswers, (group) => {
        const verdict = vote(group);
        const total = verdict.counts.reduce((sum, [, votes]) => sum + votes, 0);
        expect(total + verdict.unreadable).toBe(group.length);
        if (verdict.winner !== null) {
          const votesFor = (value: string) => group.filter((answer) => answer.value === value).length;
          for (const [value] of verdict.counts.slice(1))
            expect(votesFor(verdict.winner)).toBeGreaterThan(votesFor(value));
        }
        expect(verdict.winner === null).toBe(verdict.tie || verdict.counts.length === 0);
        expect(verdict.consistent).toBe(
          verdict.formWinners.length > 0 &&
            verdict.formWinners[0] !== null &&
            verdict.formWinners.every((winner) => winner === verdict.formWinners[0]),
        );
      }),
    );
  });

  it("is consistent for any group that was not split and has a winner", () => {
    fc.assert(
      fc.property(anyAnswers, (group) => {
        const verdict = vote(group.map((answer) => ({ ...answer, form: 0 })));
        expect(verdict.consistent).toBe(verdict.winner !== null);
      }),
    );
  });
});
