// Claims of the counterforce: only forms that are sure of different winners are worth anything, the further apart the more, and what they
// are split on pays its proposer and teaches nobody.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import { judge } from "../../src/learn/judge.ts";
import { splitOf } from "../../src/plurality.ts";
import type { Answer, Proposal } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

const completion = { promptTokens: [1], tokens: [8], logprobs: [-1], stopReason: "stop" as const, text: "" };
/** Answers to two forms, a letter each; `?` is unreadable. */
const answersTo = (...forms: string[]): Answer[] =>
  forms.flatMap((values, form) =>
    [...values].map((value) => ({ ...completion, form, value: value === "?" ? null : value })),
  );

describe("splitOf", () => {
  it.each([
    [["aaaa", "bbbb"], 1],
    [["aaaa", "aaaa"], 0],
    // Only one of them is sure.
    [["aaaa", "bbcd"], 0],
    // Each .6 of its own form; .2 of a and .4 of b are in both.
    [["aaabb", "bbbac"], 1 - 0.2 - 0.4],
    [["aaab", "bbb?"], 1 - 0.25 * 0 - 0.25],
    [["aaaa", "bbbb", "aaaa"], 1],
    [["aaaa"], 0],
    [["????", "????"], 0],
  ])("%s: %d", (forms, split) => {
    expect(splitOf(answersTo(...forms))).toBeCloseTo(split, 12);
  });

  it("is within 0 and 1, and does not depend on the order of answers or forms", () => {
    const form = fc.string({ unit: fc.constantFrom("a", "b", "c", "?"), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(form, { minLength: 1, maxLength: 3 }), (forms) => {
        const split = splitOf(answersTo(...forms));
        expect(split).toBeGreaterThanOrEqual(0);
        expect(split).toBeLessThanOrEqual(1);
        expect(splitOf(answersTo(...forms).toReversed())).toBeCloseTo(split, 12);
        expect(splitOf(answersTo(...forms.toReversed()))).toBeCloseTo(split, 12);
      }),
    );
  });
});

describe("what the counterforce makes of a step", () => {
  const forms = [
    ["aaaa", "bbbb"],
    ["aaab", "aaaa"],
    ["aabb", "abcd"],
  ];
  const proposals = forms.map(
    (_, i): Proposal => ({
      ...completion,
      ask: 0,
      question: { text: `q${i}`, key: `q${i}`, difficulty: 1 },
      refusal: null,
    }),
  );
  const groups = forms.map((ofQuestion, proposal) => {
    const answers = answersTo(...ofQuestion);
    return { proposal, question: proposals[proposal].question!, answers, verdict: vote(answers) };
  });
  const config = { ...runConfigSchema.parse({ proposerEvery: 1 }), seed: 1 };

  it("pays a question that forms are split on, without bonuses, and less than one that teaches", () => {
    const paid = judge({ step: 1, proposals, groups }, { ...config, splitReward: 0.1, proposerEntropyCoef: 1 });
    const [split, teaching, vague] = paid.proposals.map(({ reward }) => reward);
    expect(split).toBeCloseTo(0.1, 12);
    expect(teaching).toBeGreaterThan(1);
    expect(vague).toBe(0);
    expect(judge({ step: 1, proposals, groups }, config).proposals[0].reward).toBe(0);
  });

  it("does not let it teach, whatever would: a gate that leaks, a rule that takes a plurality", () => {
    const leaking = { ...config, gateLeak: 1, minAgreement: 0 };
    const three = answersTo("aaaa", "bbbb", "aaaa");
    const group = { ...groups[0], answers: three, verdict: vote(three) };
    const step = { step: 1, proposals: [proposals[0]], groups: [group] };
    expect(judge(step, leaking).groups[0].signal).toBe("trained");
    const kept = judge(step, { ...leaking, splitReward: 0.1 }).groups[0];
    expect(kept.signal).toBe("withheld");
    expect(kept.answers.every(({ advantage }) => advantage === 0)).toBe(true);
  });
});
