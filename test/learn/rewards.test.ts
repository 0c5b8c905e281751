import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import { proposerRewards } from "../../src/config/learn.ts";
import {
  groupSignal,
  proposalReward,
  proposerRewardRows,
  questionReward,
  solverRewardRows,
} from "../../src/learn/rewards.ts";
import type { Answer, Refusal, Verdict } from "../../src/types.ts";
import { testsVerdict as verdictOfTests } from "../../src/verify/unit-tests.ts";
import { vote } from "../../src/verify/vote.ts";

const defaults = runConfigSchema.parse({});
const plain = { ...defaults, consistentVote: false };
const group = (...values: (string | null)[]) => values.map((value) => ({ form: 0, value }));
const rewardOf = (name: (typeof proposerRewards)[number], ...values: (string | null)[]) =>
  questionReward(vote(group(...values)), { ...plain, proposerReward: name });

function testsVerdict(passed: boolean[][], trusted = [...(passed[0] ?? []).keys()], trustedOnly = false) {
  return verdictOfTests({ passed, trusted, contradictory: [], agreement: 1 }, 0, trustedOnly);
}

const own = (logprobs: readonly number[], refusal: Refusal | null = null) => ({ logprobs, refusal });
const solved = (verdict: Verdict, kindShare = 0, rarity = 1) => ({
  verdict,
  kindShare,
  rarity,
  errorFall: 0,
  split: 0,
});
const rewardsOf = (name: keyof typeof solverRewardRows, answers: ReturnType<typeof group>, verdict: Verdict) =>
  solverRewardRows[name]({ answers: answers as readonly unknown[] as readonly Answer[], verdict });

describe("proposer rewards", () => {
  it("sqlm rewards 1 < count < N and nothing else", () => {
    expect(rewardOf("sqlm", "1", "1", "2", "3")).toBe(1);
    expect(rewardOf("sqlm", "1", "1", "1", "1")).toBe(0);
    // All different: the published code gave the tie to the first answer.
    expect(rewardOf("sqlm", "1", "2", "3", "4")).toBe(0);
    expect(rewardOf("sqlm", "1", "1", "2", "2")).toBe(0);
    // One readable answer wins with one vote, but one vote is no agreement.
    expect(rewardOf("sqlm", "1", null, null, null)).toBe(0);
    // Unparseable answers do not vote as "None".
    expect(rewardOf("sqlm", null, null, null, null)).toBe(0);
    expect(rewardOf("sqlm", null, null, "5", "5")).toBe(1);
  });

  it("band includes both of its ends and refuses ties", () => {
    const band = (p: number) => proposerRewardRows.band({ ...vote(group("1")), successRate: p }, defaults);
    expect([0.49, 0.5, 0.7, 0.9, 0.91].map(band)).toEqual([0, 1, 1, 1, 0]);
    expect(rewardOf("band", "1", "1", "2", "2")).toBe(0);
  });

  it("variance and r-zero peak at one half and vanish at both ends", () => {
    for (const name of ["variance", "r-zero"] as const) {
      expect(rewardOf(name, "1", "1", null, null)).toBe(1);
      expect(rewardOf(name, "1", "1", "1", "1")).toBe(0);
      expect(rewardOf(name, null, null)).toBe(0);
    }
    expect(rewardOf("variance", "1", "1", "1", "2")).toBeCloseTo(0.75, 12);
    expect(rewardOf("r-zero", "1", "1", "1", "2")).toBeCloseTo(0.5, 12);
  });

  it("learnability is 1 − p, but 0 without a winner", () => {
    expect(rewardOf("learnability", "1", "1", "1", "2")).toBeCloseTo(0.25, 12);
    expect(rewardOf("learnability", "1", "1", "1", "1")).toBe(0);
    expect(rewardOf("learnability", "1", "2")).toBe(0);
    expect(rewardOf("learnability", null, null)).toBe(0);
  });

  it("uses the mean pass fraction where tests judge", () => {
    const half = testsVerdict([
      [true, false],
      [false, true],
    ]);
    for (const name of ["sqlm", "variance", "r-zero"] as const) {
      expect(questionReward(half, { ...defaults, proposerReward: name })).toBe(1);
    }
    expect(questionReward(half, { ...defaults, proposerReward: "learnability" })).toBe(0.5);
    for (const passed of [
      [[true], [true]],
      [[false], [false]],
      [[], []],
    ]) {
      expect(questionReward(testsVerdict(passed), { ...defaults, proposerReward: "sqlm" })).toBe(0);
    }
    expect(testsVerdict([[], []]).problem).toBe("no-tests");
  });

  it("pays nothing for a tied or inconsistent vote where consistency is asked for", () => {
    const inconsistent = vote([
      ...["1", "1", "1"].map((value) => ({ form: 0, value })),
      ...["2", "2"].map((value) => ({ form: 1, value })),
    ]);
    for (const proposerReward of proposerRewards) {
      expect(questionReward(inconsistent, { ...defaults, proposerReward })).toBe(0);
      expect(questionReward(vote(group("1", "1", "2", "2")), { ...defaults, proposerReward })).toBe(0);
    }
    expect(questionReward(inconsistent, { ...plain, proposerReward: "variance" })).toBeGreaterThan(0);
  });

  it("stays within 0 and 1 for every formula and every vote", () => {
    const values = fc.array(fc.constantFrom("1", "2", "3", null), { maxLength: 8 });
    fc.assert(
      fc.property(
        values,
        fc.constantFrom(...proposerRewards),
        fc.boolean(),
        (drawn, proposerReward, consistentVote) => {
          const reward = questionReward(vote(group(...drawn)), { ...defaults, proposerReward, consistentVote });
          expect(reward).toBeGreaterThanOrEqual(0);
          expect(reward).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it("prices proposals that are not solved by their reason", () => {
    const config = { ...defaults, malformedReward: -0.7, duplicateReward: -0.2 };
    expect(proposalReward(own([-2, -1], { kind: "malformed", says: "no =" }), null, config)).toBe(-0.7);
    expect(proposalReward(own([-2, -1], { kind: "duplicate" }), null, config)).toBe(-0.2);
    expect(proposalReward(own([-2, -1], { kind: "surplus" }), null, config)).toBeNull();
    expect(proposalReward(own([-2, -1], { kind: "held-out" }), null, config)).toBeNull();
    expect(proposalReward(own([-2, -1]), null, config)).toBeNull();
    expect(proposalReward(own([-2, -1]), solved(vote(group("1", "1", "1", "2"))), config)).toBe(1);
  });

  it("takes the repetition penalty from what is rewarded only, and never more than that", () => {
    const config = { ...defaults, repetitionPenalty: 2 };
    const rewarded = vote(group("1", "1", "1", "2"));
    expect(proposalReward(own([-2]), solved(rewarded, 0.25), config)).toBe(0.5);
    expect(proposalReward(own([-2]), solved(rewarded, 0.75), config)).toBe(0);
    expect(proposalReward(own([-2]), solved(vote(group("1", "1", "1", "1")), 0.25), config)).toBe(0);
    expect(proposalReward(own([-2], { kind: "malformed" }), null, config)).toBe(config.malformedReward);
  });

  it("pays for surprise only where a question is rewarded", () => {
    const config = { ...defaults, proposerEntropyCoef: 0.1 };
    const rewarded = vote(group("1", "1", "1", "2"));
    const unanimous = vote(group("1", "1", "1", "1"));
    expect(proposalReward(own([-2, -1]), solved(rewarded), config)).toBeCloseTo(1.3, 12);
    expect(proposalReward(own([-2, -10]), solved(rewarded), config)).toBeCloseTo(2.2, 12);
    expect(proposalReward(own([-2, -10]), solved(unanimous), config)).toBe(0);
    expect(proposalReward(own([-2, -10], { kind: "malformed" }), null, config)).toBe(config.malformedReward);
  });

  it("with the entropy bonus is largest in expectation for the proposer that spreads over all that is rewarded", () => {
    const coefficient = 0.1;
    const rewarded = vote(group("1", "1", "1", "2"));
    const config = { ...defaults, proposerEntropyCoef: coefficient };
    const expected = (probabilities: readonly number[]): number =>
      probabilities.reduce(
        (sum, p) => sum + p * (proposalReward(own([Math.log(p)]), solved(rewarded), config) ?? 0),
        0,
      );
    const anyProposer = fc
      .array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 })
      .map((weights) => weights.map((weight) => weight / weights.reduce((sum, each) => sum + each, 0)));
    fc.assert(
      fc.property(anyProposer, (probabilities) => {
        expect(expected(probabilities)).toBeLessThanOrEqual(expected([0.25, 0.25, 0.25, 0.25]) + 1e-12);
      }),
    );
  });
});

describe("solver rewards", () => {
  const answers = group("1", "1", "2", null);

  it("majority rewards the winner's voters", () => {
    expect(rewardsOf("majority", answers, vote(answers))).toEqual([1, 1, 0, 0]);
  });

  it("majority rewards nobody without a winner, unreadable answers least of all", () => {
    for (const undecided of [group("1", "2", null), group(null, null)]) {
      expect(rewardsOf("majority", undecided, vote(undecided))).toEqual(undecided.map(() => 0));
    }
  });

  it("format rewards every readable answer", () => {
    expect(rewardsOf("format", answers, vote(answers))).toEqual([1, 1, 1, 0]);
  });

  it("gives the fraction of tests passed where tests judge", () => {
    const verdict = testsVerdict([
      [true, false],
      [true, true],
    ]);
    expect(rewardsOf("majority", group("f", "g"), verdict)).toEqual([0.5, 1]);
  });

  it("counts the tests that the programs' vote confirms, with consistentVote those alone", () => {
    const passed = [
      [true, false, false],
      [true, false, false],
      [false, true, false],
    ];
    const trusting = testsVerdict(passed, [0], true);
    const all = testsVerdict(passed, [0]);
    const answers = group("f", "g", "h");
    expect(rewardsOf("majority", answers, trusting)).toEqual([1, 1, 0]);
    expect(rewardsOf("majority", answers, all)).toEqual([1 / 3, 1 / 3, 1 / 3]);
    // Most tests of a question must be confirmed before it is worth proposing.
    expect(questionReward(trusting, { ...defaults, proposerReward: "sqlm" })).toBe(0);
    expect(questionReward(all, { ...plain, proposerReward: "sqlm" })).toBe(1);
    const doubtful = testsVerdict([[true], [false]], [], true);
    expect(rewardsOf("majority", group("f", "g"), doubtful)).toEqual([0, 0]);
    expect(groupSignal(doubtful, [0, 0], defaults)).toBe("inconsistent");
    expect(groupSignal(doubtful, [1, 0], plain)).toBe("trained");
  });
});

describe("groupSignal", () => {
  const signal = (values: (string | null)[], config = defaults) => {
    const answers = group(...values);
    const verdict = vote(answers);
    return groupSignal(verdict, rewardsOf(config.solverReward, answers, verdict), config);
  };

  it("names the reason why a group teaches nothing", () => {
    expect(signal(["1", "1", "2"])).toBe("trained");
    expect(signal([null, null])).toBe("no-answer");
    expect(signal(["1", "2"])).toBe("tie");
    expect(signal(["1", "1", "1"])).toBe("all-equal");
    expect(signal(["1", "1", "2", "3", "4"])).toBe("low-agreement");
    expect(signal(["1", "1", "2", "3", "4"], { ...defaults, minAgreement: 0 })).toBe("trained");
    expect(groupSignal(testsVerdict([[], []]), [0, 0], defaults)).toBe("no-tests");
    const inconsistent = vote([
      { form: 0, value: "1" },
      { form: 0, value: "1" },
      { form: 1, value: "2" },
    ]);
    expect(groupSignal(inconsistent, [1, 1, 0], defaults)).toBe("inconsistent");
    expect(groupSignal(inconsistent, [1, 1, 0], plain)).toBe("trained");
  });

  it("is low agreement where the programs' outputs differ more than minAgreement allows, as with a vote", () => {
    const passed = [[true], [false]];
    const divided = verdictOfTests({ passed, trusted: [0], contradictory: [], agreement: 0.4 }, 0, true);
    expect(groupSignal(divided, divided.scores, { ...defaults, minAgreement: 0.5 })).toBe("low-agreement");
    expect(groupSignal(divided, divided.scores, { ...defaults, minAgreement: 0.4 })).toBe("trained");
  });

  it("ignores the vote where only the format is rewarded", () => {
    const config = { ...defaults, solverReward: "format" as const };
    expect(signal(["1", "2", null], config)).toBe("trained");
    expect(signal(["1", "2"], config)).toBe("all-equal");
  });
});
