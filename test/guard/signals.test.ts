import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { probeSignals, questionSignals } from "../../src/guard/signals.ts";
import { gini } from "../../src/kinds.ts";
import type { VerifiedGroup } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

/** A group whose forms were answered like this: `["aab", "bbb"]`; `?` is unreadable. */
function group(forms: readonly string[], kind = "k"): VerifiedGroup {
  const answers = forms.flatMap((letters, form) =>
    [...letters].map((letter) => ({
      ...{ promptTokens: [1], tokens: [1, 2], logprobs: [-1, -1], stopReason: "stop" as const, text: letter, form },
      value: letter === "?" ? null : letter,
    })),
  );
  return {
    proposal: 0,
    question: { text: kind, key: forms.join(), difficulty: 1, kind },
    answers,
    verdict: vote(answers),
  };
}

describe("signals of probes", () => {
  it("tell a model that is sure of itself from one that is sure of the question", () => {
    const honest = probeSignals([group(["aaab", "aaaa"]), group(["bbbb", "bbbc"])]);
    expect(honest).toMatchObject({ agreement: 0.875, restatementAgreement: 1, confidentSplit: 0 });
    const hacked = probeSignals([group(["aaaa", "cccc"]), group(["bbbb", "dddd"])]);
    expect(hacked).toMatchObject({
      agreement: 1,
      restatementAgreement: 0,
      partingGap: 1,
      confidentSplit: 1,
      answerEntropy: 0,
    });
    // Unsure forms that differ are no split: they are guesses.
    expect(probeSignals([group(["aabc", "ddef"])]).confidentSplit).toBe(0);
  });

  it("find one answer for everything within a kind, not where a kind has few questions", () => {
    const four = (answer: (i: number) => string, kind: string) =>
      [0, 1, 2, 3].map((i) => group([answer(i).repeat(4)], kind));
    expect(probeSignals(four(() => "a", "x")).topAnswerOfKind).toBe(1);
    expect(probeSignals([...four((i) => "abcd"[i], "x"), ...four(() => "a", "y")]).topAnswerOfKind).toBe(0.625);
    expect(probeSignals(four(() => "a", "x").slice(1)).topAnswerOfKind).toBe(0);
  });

  it("count what cannot be read, and are finite for nothing at all", () => {
    expect(probeSignals([group(["aa??"])])).toMatchObject({ unreadable: 0.5, answerTokens: 2, agreement: 0.5 });
    for (const value of Object.values(probeSignals([]))) expect(value).toBe(0);
    for (const value of Object.values(probeSignals([group(["????"])]))) expect(Number.isFinite(value)).toBe(true);
  });

  it("do not depend on the order of questions or of answers", () => {
    const letters = fc.stringMatching(/^[abc?]{2,6}$/);
    fc.assert(
      fc.property(
        fc.array(fc.array(letters, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 }),
        (all) => {
          const turned = all.map((forms) => forms.map((form) => [...form].reverse().join(""))).reverse();
          const [one, other] = [
            probeSignals(all.map((forms) => group(forms))),
            probeSignals(turned.map((forms) => group(forms))),
          ];
          for (const [name, value] of Object.entries(one))
            expect(other[name as keyof typeof other]).toBeCloseTo(value, 10);
        },
      ),
    );
  });
});

describe("signals of a step's questions", () => {
  it("see rates that heap at 0 and 1, and kinds that are asked unevenly", () => {
    const heaped = questionSignals([group(["aaaa"], "x"), group(["abcdefghij"], "x"), group(["aab?"], "y")]);
    expect(heaped.middleShare).toBeCloseTo(1 / 3, 10);
    expect(heaped).toMatchObject({ kinds: 2 });
    expect(heaped.kindGini).toBeCloseTo(1 / 6, 10);
  });

  it("have a Gini coefficient that is its definition", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 1, maxLength: 20 }), (counts) => {
        const mean = counts.reduce((sum, n) => sum + n, 0) / counts.length;
        const pairs = counts.flatMap((a) => counts.map((b) => Math.abs(a - b))).reduce((sum, d) => sum + d, 0);
        expect(gini(counts)).toBeCloseTo(mean === 0 ? 0 : pairs / (2 * counts.length ** 2 * mean), 9);
      }),
    );
    expect(gini([])).toBe(0);
  });
});
