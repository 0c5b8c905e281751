import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import { judge, type PlayedStep } from "../../src/learn/judge.ts";
import { softLabels, softRewards } from "../../src/learn/soft-labels.ts";
import type { Answer, Question } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

const answersOf = (values: readonly (string | null)[]): Answer[] =>
  values.map((value) => ({
    ...{ promptTokens: [1], tokens: [8], logprobs: [-1], stopReason: "stop" as const, text: "", form: 0 },
    ...(value === null ? { value, reason: "no number" } : { value }),
  }));

const groupOf = (values: readonly (string | null)[]) => {
  const answers = answersOf(values);
  return { answers, verdict: vote(answers) };
};

const question: Question = { text: "1+1", key: "1+1", difficulty: 1 };

/** One group of these answers, as a step. */
const played = (values: readonly (string | null)[]): PlayedStep => ({
  step: 1,
  proposals: [
    { promptTokens: [1], ask: 0, tokens: [9], logprobs: [-1], stopReason: "stop", text: "", question, refusal: null },
  ],
  groups: [{ proposal: 0, question, ...groupOf(values) }],
});

const defaults = { ...runConfigSchema.parse({}), consistentVote: false };
const advantagesOf = (values: readonly (string | null)[], changes: Partial<typeof defaults>) =>
  judge(played(values), { ...defaults, ...changes }).groups[0].answers.map(({ advantage }) => advantage);

describe("soft labels", () => {
  it("weigh every value by the square of its votes", () => {
    const group = groupOf(["a", "a", "a", "b", null]);
    expect(softLabels(group)).toEqual([
      { weight: 0.9, rewards: [1, 1, 1, 0, 0] },
      { weight: 0.1, rewards: [0, 0, 0, 1, 0] },
    ]);
    expect(softRewards(group)).toEqual([0.9, 0.9, 0.9, 0.1, 0]);
  });

  it("are weights of one group, and never prefer what fewer said", () => {
    const values = fc.array(fc.constantFrom("a", "b", "c", "d", null), { minLength: 1, maxLength: 16 });
    fc.assert(
      fc.property(values, (said) => {
        const group = groupOf(said);
        const weights = softLabels(group).map(({ weight }) => weight);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        expect(total).toBeCloseTo(said.every((value) => value === null) ? 0 : 1, 10);
        expect(weights).toEqual(weights.toSorted((a, b) => b - a));
        const found = advantagesOf(said, { solverReward: "soft", minAgreement: 0 });
        const votes = (value: string | null): number =>
          value === null ? 0 : said.filter((one) => one === value).length;
        for (const [i, one] of said.entries()) {
          for (const [j, other] of said.entries()) {
            if (votes(one) >= votes(other)) expect(found[i]).toBeGreaterThanOrEqual(found[j] - 1e-9);
          }
        }
      }),
    );
  });

  it("teach less than a hard label the less the winner leads, and nothing where there is no label", () => {
    const strength = (values: readonly string[]): number => {
      const [soft] = advantagesOf(values, { solverReward: "soft" });
      const [hard] = advantagesOf(values, {});
      return soft / hard;
    };
    const clear = strength([..."aaaaaaab"]);
    const close = strength([..."aaaaabbb"]);
    expect(clear).toBeGreaterThan(close);
    expect(clear).toBeLessThan(1);
    expect(close).toBeGreaterThan(0);
    expect(advantagesOf([..."aabb"], { solverReward: "soft", minAgreement: 0 })).toEqual([0, 0, 0, 0]);
    expect(advantagesOf([..."aaab"], { solverReward: "soft", minAgreement: 0.9 })).toEqual([0, 0, 0, 0]);
  });

  it("leave what was confirmed the other way round, or by tests, as it is", () => {
    const group = groupOf(["a", "a", "b"]);
    const tried = { ...group.verdict, tried: ["b"], scores: [0, 0, 1] } as unknown as typeof group.verdict;
    expect(softLabels({ ...group, verdict: tried })).toEqual([{ weight: 1, rewards: [0, 0, 1] }]);
    const tests = { ...group.verdict, kind: "tests", scores: [1, 0.5, 0] } as unknown as typeof group.verdict;
    expect(softRewards({ ...group, verdict: tests })).toEqual([1, 0.5, 0]);
  });
});

describe("a penalty where a label has too few votes", () => {
  const few = [..."aaabcdef"];
  const settings = { minAgreement: 0.5, lowAgreementPenalty: 0.1 };

  it("lowers all answers alike, and only there", () => {
    expect(advantagesOf(few, settings)).toEqual(few.map(() => -0.1));
    expect(advantagesOf(few, { minAgreement: 0.5 })).toEqual(few.map(() => 0));
    const enough = { ...settings, minAgreement: 0.3 };
    expect(advantagesOf(few, enough)).toEqual(advantagesOf(few, { minAgreement: 0.3 }));
    // A tie has no label at all.
    expect(advantagesOf([..."aabb"], settings)).toEqual([0, 0, 0, 0]);
  });

  it("spares what is not to teach, and counts no group as taught", () => {
    const step = played(few);
    const judged = judge(step, { ...defaults, ...settings }, { withheld: new Set([question.key]) });
    expect(judged.groups[0].answers.map(({ advantage }) => advantage)).toEqual(few.map(() => 0));
    expect(judge(step, { ...defaults, ...settings }).groups[0].signal).toBe("low-agreement");
  });
});
