import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import { cellMetrics, cellOf, cells, rarity } from "../../src/explore/cells.ts";
import { judge } from "../../src/learn/judge.ts";
import type { JudgedGroup, Proposal } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

const asked = (kind: string, difficulty: number) => ({ text: `${kind} ${difficulty}`, key: kind, kind, difficulty });
const step = (...questions: ReturnType<typeof asked>[]) => ({
  groups: questions.map((question) => ({ question }) as JudgedGroup),
});

describe("memory of cells", () => {
  it("counts kinds at a difficulty apart, and is plain JSON", () => {
    const first = cells.after(cells.empty, step(asked("a", 1), asked("a", 1), asked("a", 2), asked("b", 1)));
    const second = cells.after(first, step(asked("a", 1)));
    expect([second[cellOf(asked("a", 1))], second[cellOf(asked("a", 2))], second[cellOf(asked("b", 1))]]).toEqual([
      3, 1, 1,
    ]);
    expect(JSON.parse(JSON.stringify(second))).toEqual(second);
    expect(cellMetrics(second)).toEqual({ cells: 3, cellGini: expect.closeTo(4 / 15, 10) });
    expect(rarity(second, asked("a", 1))).toBe(0.5);
    expect(rarity(second, asked("new", 1))).toBe(1);
  });

  it("does not depend on how questions are split into steps", () => {
    const question = fc.record({ kind: fc.constantFrom("a", "b", "c"), difficulty: fc.integer({ min: 1, max: 3 }) });
    fc.assert(
      fc.property(fc.array(question), fc.nat(20), (given, cut) => {
        const all = given.map(({ kind, difficulty }) => asked(kind, difficulty));
        const once = cells.after(cells.empty, step(...all));
        const twice = cells.after(cells.after(cells.empty, step(...all.slice(0, cut))), step(...all.slice(cut)));
        expect(twice).toEqual(once);
      }),
    );
  });
});

describe("what memory and kinds make of advantages", () => {
  const answers = (votes: number) =>
    [0, 1, 2, 3].map((i) => ({
      ...{ promptTokens: [1], tokens: [8], logprobs: [-1], stopReason: "stop" as const, text: "", form: 0 },
      value: i < votes ? "1" : String(i + 10),
    }));
  const proposal = (kind: string | null): Proposal => ({
    ...{ promptTokens: [1], ask: 0, tokens: [9], logprobs: [-1], stopReason: "stop", text: "" },
    question: kind === null ? null : asked(kind, 1),
    refusal: kind === null ? { kind: "malformed" } : null,
  });
  const config = {
    ...runConfigSchema.parse({ proposerReward: "variance", consistentVote: false }),
    proposerEvery: 1,
  };
  /** Advantages of proposals of these kinds, whose answers agree so many times of four. */
  const advantages = (
    given: [string | null, number][],
    settings: Partial<typeof config>,
    rarityOf: (kind: string) => number = () => 1,
  ): number[] => {
    const proposals = given.map(([kind]) => proposal(kind));
    const groups = given.flatMap(([kind, votes], index) =>
      kind === null
        ? []
        : [{ proposal: index, question: asked(kind, 1), answers: answers(votes), verdict: vote(answers(votes)) }],
    );
    const judged = judge(
      { step: 1, proposals, groups },
      { ...config, ...settings },
      {
        curiosity: (question) => ({ rarity: rarityOf(question.kind ?? ""), errorFall: 0 }),
      },
    );
    return judged.proposals.map(({ advantage }) => advantage);
  };

  it("compares within a kind: one that is paid less is not pushed out by one that is paid more", () => {
    const given: [string | null, number][] = [
      ["easy", 4],
      ["easy", 3],
      ["hard", 3],
      ["hard", 2],
    ];
    const byAsk = advantages(given, { proposerBaseline: "ask" });
    const byKind = advantages(given, { proposerBaseline: "kind" });
    expect(byAsk[1]).toBeLessThan(byAsk[3]);
    expect(byKind[0] + byKind[1]).toBeCloseTo(0, 10);
    expect(byKind[1]).toBeCloseTo(byKind[3], 5);
    expect(byKind[1]).toBeGreaterThan(0);
  });

  it("pools kinds that stand alone with what is no question, so that malformed proposals still cost", () => {
    const given: [string | null, number][] = [
      ["a", 3],
      ["b", 3],
      [null, 0],
      [null, 0],
    ];
    const found = advantages(given, { proposerBaseline: "kind", malformedReward: -0.5 });
    expect(found[0]).toBeGreaterThan(0);
    expect(found[2]).toBeLessThan(0);
    expect(found.reduce((sum, one) => sum + one, 0)).toBeCloseTo(0, 10);
  });

  it("pays a rare cell more than a common one of the same success rate", () => {
    const given: [string | null, number][] = [
      ["rare", 3],
      ["common", 3],
      [null, 0],
    ];
    const rare = (kind: string): number => (kind === "rare" ? 1 : 0.1);
    const found = advantages(given, { rareCellBonus: 0.5 }, rare);
    expect(found[0]).toBeGreaterThan(found[1]);
    const off = advantages(given, { rareCellBonus: 0 }, rare);
    expect(off[0]).toBe(off[1]);
  });
});
