import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareAtEnd } from "../../src/guard/ending.ts";
import type { Probe } from "../../src/guard/watch.ts";
import { randomStream } from "../../src/random.ts";
import type { VerifiedGroup } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

const question = { text: "q", key: "q", difficulty: 1 };
const probe = (solved: boolean, winner: string | null = "4"): Probe => ({ question, winner, solved, said: null });
/** What two forms elect, three answers each. */
const group = (first: string, second: string): VerifiedGroup => {
  const answers = [first, second].flatMap((value, form) => Array.from({ length: 3 }, () => ({ form, value })));
  return { question, answers, verdict: vote(answers) } as unknown as VerifiedGroup;
};
const many = <Item>(count: number, item: Item): Item[] => Array.from({ length: count }, () => item);

describe("the end of a run that is not calm", () => {
  it("goes back from forms that came apart, and from a vote that agrees with itself on something else", () => {
    const probes = many(20, probe(true));
    const whole = many(20, group("4", "4"));
    expect(compareAtEnd(probes, many(20, group("4", "5")), whole)).toMatchObject({
      last: 0,
      trusted: 20,
      goBack: true,
    });
    expect(compareAtEnd(probes, many(20, group("5", "5")), whole)).toMatchObject({
      last: 0,
      trusted: 20,
      goBack: true,
    });
    expect(compareAtEnd(probes, whole, whole)).toMatchObject({ last: 20, trusted: 20, chance: 1, goBack: false });
  });

  it("counts what the start could not do as held where forms agree now", () => {
    const probes = [...many(10, probe(true)), ...many(10, probe(false, null))];
    const last = many(20, group("4", "4"));
    const trusted = [...many(10, group("4", "4")), ...many(10, group("1", "2"))];
    expect(compareAtEnd(probes, last, trusted)).toMatchObject({ last: 20, trusted: 10, goBack: false });
  });

  it("tests only probes that one of the two holds: five of five are enough, four are not", () => {
    const ended = (lost: number) =>
      compareAtEnd(
        many(40, probe(true)),
        [...many(lost, group("4", "5")), ...many(40 - lost, group("4", "4"))],
        many(40, group("4", "4")),
      );
    expect(ended(5)).toMatchObject({ chance: 1 / 32, goBack: true });
    expect(ended(4)).toMatchObject({ chance: 1 / 16, goBack: false });
  });

  it("goes back from an equal model in one run of twenty at most", () => {
    let back = 0;
    const probes = many(64, probe(true));
    for (let run = 0; run < 400; run++) {
      const random = randomStream(7, "equal models", run);
      const look = () => probes.map(() => (random.next() < 0.6 ? group("4", "4") : group("4", "5")));
      if (compareAtEnd(probes, look(), look()).goBack) back++;
    }
    expect(back / 400).toBeLessThan(0.07);
  });

  it("does not take thousands of probes for none", () => {
    const probes = many(4000, probe(true));
    const half = probes.map((_, i) => (i % 2 === 0 ? group("4", "4") : group("4", "5")));
    const other = half.toReversed();
    const { chance, goBack } = compareAtEnd(probes, half, other);
    expect(chance).toBeGreaterThan(0.5);
    expect(goBack).toBe(false);
  });

  it("says chances that are chances", () => {
    const held = fc.array(fc.tuple(fc.boolean(), fc.boolean()), { maxLength: 80 });
    fc.assert(
      fc.property(held, (pairs) => {
        const probes = many(pairs.length, probe(true));
        const groups = (which: 0 | 1) => pairs.map((pair) => (pair[which] ? group("4", "4") : group("4", "5")));
        const one = compareAtEnd(probes, groups(0), groups(1));
        const other = compareAtEnd(probes, groups(1), groups(0));
        expect(one.chance).toBeGreaterThan(0);
        expect(one.chance).toBeLessThanOrEqual(1);
        // Together they cover everything, and what is as likely as seen twice.
        expect(one.chance + other.chance).toBeGreaterThanOrEqual(1 - 1e-12);
        expect([one.last, one.trusted]).toEqual([other.trusted, other.last]);
      }),
    );
  });
});
