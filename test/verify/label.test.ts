import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { harmonicShare, labelRules } from "../../src/verify/label.ts";
import { vote } from "../../src/verify/vote.ts";

/** Votes of forms that were answered like this; `?` is unreadable. */
const answers = (forms: readonly string[]) =>
  forms.flatMap((letters, form) => [...letters].map((letter) => ({ form, value: letter === "?" ? null : letter })));
const accepted = (rule: keyof typeof labelRules, ...forms: string[]) => {
  const { winner, consistent } = vote(answers(forms), rule);
  return consistent ? winner : null;
};

describe("label rules", () => {
  it("differ where forms elect different winners, where they nearly do, and where few agree", () => {
    // One form of three is undecided: the other two carry it by the mean of shares, not by all forms.
    const nearly = ["aaaaaa", "aaaab", "aabbc"];
    expect([accepted("consistent", ...nearly), accepted("harmonic", ...nearly), accepted("both", ...nearly)]).toEqual([
      null,
      "a",
      null,
    ]);
    // Sure of different answers: no rule but the margin of all answers together.
    const split = ["aaaaaaaa", "bbbb"];
    expect([accepted("consistent", ...split), accepted("harmonic", ...split), accepted("margin", ...split)]).toEqual([
      null,
      null,
      "a",
    ]);
    // All forms elect it, by little.
    const weak = ["aabcd", "aabcd", "aabcd"];
    expect([accepted("consistent", ...weak), accepted("harmonic", ...weak), accepted("both", ...weak)]).toEqual([
      "a",
      null,
      null,
    ]);
  });

  it("take what a quorum of forms elects, whatever the answers of the others add up to", () => {
    // Two of four forms, the others undecided, of different minds or sure of something else: never both of one mind.
    expect(accepted("quorum", "aab", "aab", "bcd", "cde")).toBe("a");
    expect(accepted("quorum", "aab", "aab", "bbb", "ccc")).toBe("a");
    expect(accepted("quorum", "aab", "aab", "bbb", "bbb")).toBe(null);
    expect(accepted("quorum", "aaa", "bcd", "bcd", "bcd")).toBe(null);
    // In one form it is the plurality.
    expect(accepted("quorum", "aab")).toBe("a");
    expect(vote(answers(["aab", "aab", "bbb", "ccc"]), "quorum").scores).toEqual([1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    // Where all forms elect it, both rules say so; what one takes for right that it does not, some form did not elect.
    const forms = fc.array(fc.stringMatching(/^[abc?]{1,6}$/), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(forms, (given) => {
        const [all, some] = [accepted("consistent", ...given), accepted("quorum", ...given)];
        if (all !== null) expect(some).toBe(all);
        const { formWinners } = vote(answers(given));
        const electing = formWinners.filter((winner) => winner === some).length;
        if (some !== null) expect(electing).toBeGreaterThanOrEqual(Math.min(2, given.length));
      }),
    );
  });

  it("take the margin of SCRL: a share of .375, and more than .125 above the second", () => {
    expect(accepted("margin", "aaabcdef")).toBe("a");
    expect(accepted("margin", "aaabbcde")).toBe(null);
    expect(accepted("margin", "aabcdefg")).toBe(null);
  });

  it("take the harmonic mean of smoothed shares", () => {
    expect(
      harmonicShare("a", [
        ["a", "a", "a", "b"],
        ["a", "b", "c", "d"],
      ]),
    ).toBeCloseTo(2 / (5 / 3.5 + 5 / 1.5), 12);
    // A form that missed it once by chance does not rule it out.
    expect(harmonicShare("a", [["b"], ["a"]])).toBeGreaterThan(0);
  });

  it("elect nobody in a tie, and what they elect is one of the answers, whatever their order", () => {
    const forms = fc.array(fc.stringMatching(/^[abc?]{1,6}$/), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        forms,
        fc.constantFrom(...(Object.keys(labelRules) as (keyof typeof labelRules)[])),
        (given, rule) => {
          const verdict = vote(answers(given), rule);
          if (verdict.winner === null) expect(verdict.consistent).toBe(false);
          else expect(given.join("")).toContain(verdict.winner);
          const turned = given.map((form) => [...form].reverse().join(""));
          const { scores: _, ...other } = vote(answers(turned), rule);
          expect(verdict).toMatchObject(other);
          // The share that is recorded is the winner's.
          const ofWinner = verdict.scores.reduce((sum, one) => sum + one, 0);
          if (verdict.winner !== null) expect(verdict.agreement).toBeCloseTo(ofWinner / verdict.groupSize, 12);
        },
      ),
    );
  });
});
