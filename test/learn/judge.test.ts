import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import { kindShares } from "../../src/learn/bonuses.ts";
import { judge, type PlayedStep } from "../../src/learn/judge.ts";
import type { Answer, Proposal, Question } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

const config = {
  ...runConfigSchema.parse({}),
  proposerReward: "variance" as const,
  proposerEvery: 1,
  consistentVote: false,
};

/** A proposal to a prompt of one token whose four answers agree `votes` times. */
const proposed = (prompt: number, votes: number, index: number) => ({
  proposal: {
    promptTokens: [prompt],
    ask: prompt,
    tokens: [9],
    logprobs: [-1],
    stopReason: "stop" as const,
    text: String(index),
    question: { text: String(index), key: String(index), difficulty: 1 } as Question,
    refusal: null,
  } satisfies Proposal,
  answers: [0, 1, 2, 3].map(
    (i): Answer => ({
      promptTokens: [prompt],
      tokens: [8],
      logprobs: [-1],
      stopReason: "stop",
      text: "",
      form: 0,
      value: i < votes ? "1" : String(i + 10),
    }),
  ),
});

const played = (all: readonly ReturnType<typeof proposed>[]): PlayedStep => ({
  step: 1,
  proposals: all.map(({ proposal }) => proposal),
  groups: all.map(({ proposal, answers }, index) => ({
    proposal: index,
    question: proposal.question,
    answers,
    verdict: vote(answers),
  })),
});

function advantagesOf(asked: readonly (readonly [prompt: number, votes: number])[]): number[] {
  const all = asked.map(([prompt, votes], index) => proposed(prompt, votes, index));
  return judge(played(all), config).proposals.map(({ advantage }) => advantage);
}

describe("advantages of proposals", () => {
  it("compares a proposal with those of the same prompt, not with better paid ones of another", () => {
    // 4p(1 - p): two of four earns most. Prompt 2 asks for what is always more rewarded than what prompt 1 asks for.
    const [low, middle, high, most] = advantagesOf([
      [1, 4],
      [1, 3],
      [2, 3],
      [2, 2],
    ]);
    expect(middle).toBeCloseTo(-low, 10);
    expect(middle).toBeGreaterThan(0);
    expect(high).toBeLessThan(0);
    expect(most).toBeCloseTo(-high, 10);
  });

  it("pools prompts that were asked once", () => {
    const found = advantagesOf([
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    expect(found[0]).toBeGreaterThan(found[1]);
    expect(found[1]).toBeGreaterThan(found[2]);
    expect(found[0] + found[1] + found[2]).toBeCloseTo(0, 10);
  });

  it("sums to zero for each prompt that was asked twice or more, in any order", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom(2, 3, 4)), { minLength: 1 }),
        (asked) => {
          const found = advantagesOf(asked);
          for (const prompt of [1, 2, 3]) {
            const own = found.filter((_, index) => asked[index][0] === prompt);
            if (own.length > 1) expect(own.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 8);
          }
        },
      ),
    );
  });
});

describe("shares of kinds", () => {
  const asked = (text: string, kind?: string) => ({ text, key: text, difficulty: 1, ...(kind && { kind }) });

  it("counts questions of one kind together, and without kinds those that differ in digits only", () => {
    expect(kindShares([asked("12+3="), asked("45+6="), asked("123+6="), asked("1-2=")])).toEqual([
      0.5, 0.5, 0.25, 0.25,
    ]);
    expect(kindShares([asked("a", "sum"), asked("b", "sum"), asked("a", "product")])).toEqual([2 / 3, 2 / 3, 1 / 3]);
    expect(kindShares([])).toEqual([]);
  });

  it("lets the repetition penalty prefer the rarer of two kinds that are rewarded alike", () => {
    const all = [proposed(1, 3, 0), proposed(1, 3, 1), proposed(1, 3, 2)].map((each, index) => ({
      ...each,
      proposal: { ...each.proposal, question: { ...asked(String(index)), kind: index === 2 ? "rare" : "common" } },
    }));
    const input = played(all);
    const found = judge(input, { ...config, repetitionPenalty: 0.3 }).proposals;
    expect(found.map(({ reward }) => reward)).toEqual([0.75 - 0.3 * (2 / 3), 0.75 - 0.3 * (2 / 3), 0.75 - 0.3 / 3]);
    expect(found[2].advantage).toBeGreaterThan(0);
    expect(judge(input, config).proposals.map(({ advantage }) => advantage)).toEqual([0, 0, 0]);
  });
});

describe("advantages of answers", () => {
  /** A question of two forms; r is right, w is wrong. */
  const asked = (...forms: string[]): PlayedStep => {
    const one = proposed(1, 4, 0);
    const answers = forms.flatMap((marks, form) =>
      [...marks].map((mark, i): Answer => ({ ...one.answers[0], form, value: mark === "r" ? "1" : `w${form}${i}` })),
    );
    const group = { proposal: 0, question: one.proposal.question, answers, verdict: vote(answers) };
    return { step: 1, proposals: [one.proposal], groups: [group] };
  };
  const found = (step: PlayedStep, solverBaseline: "question" | "form") => {
    const [{ answers, signal }] = judge(step, { ...config, minAgreement: 0, solverBaseline }).groups;
    return { advantages: answers.map(({ advantage }) => advantage), signal };
  };

  it("among all answers of a question make those to its harder form less likely, among those to one form not", () => {
    const step = asked("rrrw", "rwww");
    const sums = ({ advantages }: ReturnType<typeof found>): number[] =>
      [advantages.slice(0, 4), advantages.slice(4)].map((form) => form.reduce((sum, one) => sum + one, 0));
    const [easy, hard] = sums(found(step, "question"));
    expect(easy).toBeGreaterThan(1);
    expect(hard).toBeCloseTo(-easy, 10);
    for (const sum of sums(found(step, "form"))) expect(sum).toBeCloseTo(0, 10);
    expect(found(step, "form").advantages[4]).toBeCloseTo(1.5, 5);
  });

  it("a form that is all right or all wrong teaches nothing beside another; two of them are a group without anything to prefer", () => {
    const { advantages, signal } = found(asked("rrrw", "wwww"), "form");
    expect(advantages.slice(4)).toEqual([0, 0, 0, 0]);
    expect(signal).toBe("trained");
    const split = asked("rrrr", "wwww");
    expect(found(split, "form")).toEqual({ advantages: Array(8).fill(0), signal: "all-equal" });
    expect(found(split, "question").signal).toBe("trained");
  });

  it("are the same where a question has one form", () => {
    const step = asked("rrwwrrrw");
    expect(found(step, "form")).toEqual(found(step, "question"));
  });
});
