import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Archive, archive, archiveMetrics, beginningsFrom } from "../../src/explore/archive.ts";
import { randomStream } from "../../src/random.ts";
import type { JudgedGroup, JudgedProposal } from "../../src/types.ts";

interface Asked {
  readonly kind: string;
  readonly labelled: boolean;
  readonly tokens?: readonly number[];
  readonly given?: number;
}

/** A step in which these questions were asked, one proposal each behind one that was no question. */
function stepOf(asked: readonly Asked[]) {
  const proposals = [
    { promptTokens: [7], tokens: [0] } as unknown as JudgedProposal,
    ...asked.map(
      ({ tokens = [1, 2, 3, 4, 5, 6], given }) =>
        ({
          promptTokens: given === undefined ? [9] : [9, ...tokens.slice(0, given)],
          tokens: tokens.slice(given ?? 0),
          given,
        }) as unknown as JudgedProposal,
    ),
  ];
  const groups = asked.map(
    ({ kind, labelled }, i) =>
      ({
        proposal: i + 1,
        question: { text: kind, key: `${i}`, kind, difficulty: 1 },
        verdict: { kind: "vote", problem: null, consistent: labelled },
      }) as unknown as JudgedGroup,
  );
  return { proposals, groups };
}

const seenIn = (...steps: readonly (readonly Asked[])[]): Archive =>
  steps.reduce((state, asked) => archive.after(state, stepOf(asked)), archive.empty);

const solved = (kind: string, more: Partial<Asked> = {}): Asked => ({ kind, labelled: true, ...more });

describe("archive of solved questions", () => {
  it("keeps the newest solved questions of each cell, with their prompts, and is plain JSON", () => {
    const state = seenIn(
      Array.from({ length: 12 }, (_, i) => solved("a", { tokens: [i, i, i] })),
      [{ kind: "b", labelled: false }],
    );
    expect(state["1 a"].beginnings).toHaveLength(8);
    expect(state["1 a"].beginnings.at(-1)).toEqual({ promptTokens: [9], tokens: [11, 11, 11] });
    expect(state["1 b"]).toMatchObject({ beginnings: [], solved: 0 });
    expect(archiveMetrics(state)).toEqual({ archivedCells: 1, rareCells: 0 });
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });

  it("keeps a question that was begun for its proposer as if the proposer had written all of it", () => {
    const whole = seenIn([solved("a", { tokens: [1, 2, 3, 4] })]);
    expect(seenIn([solved("a", { tokens: [1, 2, 3, 4], given: 2 })])).toEqual(whole);
  });

  it("begins with a third to two thirds of a question, and never with one that had no label", () => {
    const asked = fc.record({
      kind: fc.constantFrom("a", "b", "c"),
      labelled: fc.boolean(),
      tokens: fc.array(fc.nat(9), { minLength: 1, maxLength: 9 }),
    });
    fc.assert(
      fc.property(fc.array(fc.array(asked, { maxLength: 6 }), { maxLength: 4 }), fc.nat(), (steps, seed) => {
        const state = seenIn(...steps);
        const taken = beginningsFrom(state, 20, randomStream("test", seed));
        const known = steps.flat().filter(({ labelled }) => labelled);
        expect(taken).toHaveLength(known.length === 0 ? 0 : 20);
        for (const { promptTokens, tokens } of taken) {
          expect(promptTokens).toEqual([9]);
          const from = known.filter((one) => tokens.every((token, i) => one.tokens?.[i] === token));
          expect(from.length).toBeGreaterThan(0);
          expect(from.some((one) => tokens.length < one.tokens.length)).toBe(true);
        }
      }),
    );
  });

  it("comes back more often to a cell that is rarely asked now, and to one whose labels went", () => {
    const often = (kind: string) => Array.from({ length: 40 }, () => solved(kind));
    const counts = (state: Archive): number => {
      // The first token says of which kind a question was.
      const taken = beginningsFrom(state, 3000, randomStream("test"));
      return taken.filter(({ tokens }) => tokens[0] === 2).length / taken.length;
    };
    const rare = seenIn([...often("a"), solved("b", { tokens: [2, 2, 2] })]);
    // 1/√2 beside 1/√41.
    expect(counts(rare)).toBeCloseTo(0.5 ** 0.5 / (0.5 ** 0.5 + 41 ** -0.5), 1);
    const alike = seenIn([...often("a"), ...often("b").map((one) => ({ ...one, tokens: [2, 2, 2] }))]);
    expect(counts(alike)).toBeCloseTo(0.5, 1);
    const fallen = archive.after(alike, stepOf(Array.from({ length: 40 }, () => ({ kind: "b", labelled: false }))));
    const { solved: left, best, recent } = fallen["1 b"];
    expect([best, left < 0.05]).toEqual([1, true]);
    const weight = (1 + 4 * (best - left)) / Math.sqrt(1 + recent);
    expect(counts(fallen)).toBeCloseTo(weight / (weight + 1 / Math.sqrt(1 + 0.9 * 40)), 1);
  });

  it("forgets how often a cell was asked", () => {
    const state = seenIn([solved("a"), solved("b")], ...Array.from({ length: 10 }, () => [solved("b")]));
    expect(state["1 a"].recent).toBeCloseTo(0.9 ** 10, 10);
    expect(archiveMetrics(state)).toEqual({ archivedCells: 2, rareCells: 1 });
  });
});
