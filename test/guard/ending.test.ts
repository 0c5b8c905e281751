import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareAtEnd, type EndLook } from "../../src/guard/ending.ts";
import type { Probe } from "../../src/guard/watch.ts";
import { randomStream } from "../../src/random.ts";
import type { VerifiedGroup } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

const question = { text: "q", key: "q", difficulty: 1 };
const probe = (solved: boolean, winner: string | null = "4"): Probe => ({ question, winner, solved, said: null });

/** A group whose forms have these answers each. */
const answered = (...forms: readonly (readonly (string | null)[])[]): VerifiedGroup => {
  const answers = forms.flatMap((values, form) => values.map((value) => ({ form, value })));
  return { question, answers, verdict: vote(answers) } as unknown as VerifiedGroup;
};
/** What two forms elect, three answers each. */
const group = (first: string, second: string): VerifiedGroup =>
  answered([first, first, first], [second, second, second]);
const many = <Item>(count: number, item: Item): Item[] => Array.from({ length: count }, () => item);
const looks = (look: EndLook, count = 3): EndLook[] => many(count, look);

describe("the end of a run that is not calm", () => {
  it("goes back from forms that came apart, and from a vote that agrees with itself on something else", () => {
    const probes = many(20, probe(true));
    const trusted = looks(many(20, group("4", "4")));
    const apart = compareAtEnd(probes, { last: looks(many(20, group("4", "5"))), trusted });
    expect(apart).toMatchObject({ compared: 20, last: 0.5, trusted: 1, goBack: true });
    const astray = compareAtEnd(probes, { last: looks(many(20, group("5", "5"))), trusted });
    expect(astray).toMatchObject({ compared: 20, last: 0, trusted: 1, goBack: true });
  });

  it("stays where the last model is as good, and where it is better", () => {
    const probes = [...many(10, probe(true)), ...many(10, probe(false, null))];
    const whole = looks(many(20, group("4", "4")));
    expect(compareAtEnd(probes, { last: whole, trusted: whole })).toMatchObject({ last: 1, trusted: 1, goBack: false });
    // What the start could not do is right where the forms of one of the two agree.
    const trusted = looks([...many(10, group("4", "4")), ...many(10, group("1", "2"))]);
    expect(compareAtEnd(probes, { last: whole, trusted })).toMatchObject({
      compared: 20,
      last: 1,
      trusted: 0.5,
      goBack: false,
    });
  });

  it("takes the trusted model's word where both are of one mind about what the start could not do", () => {
    const probes = many(5, probe(false, null));
    const found = compareAtEnd(probes, {
      last: looks(many(5, group("7", "7"))),
      trusted: looks(many(5, group("4", "4"))),
    });
    expect(found).toMatchObject({ compared: 5, last: 0, trusted: 1, goBack: true });
  });

  it("sees a loss that no vote sees: fewer of the answers are right, and as many votes", () => {
    const probes = many(30, probe(true));
    const sure = answered(["4", "4", "4", "4"], ["4", "4", "4", "1"]);
    const unsure = answered(["4", "4", "2", "3"], ["4", "4", null, "1"]);
    expect([sure, unsure].map(({ verdict }) => verdict.winner)).toEqual(["4", "4"]);
    expect(unsure.verdict.consistent).toBe(true);
    const found = compareAtEnd(probes, { last: looks(many(30, unsure)), trusted: looks(many(30, sure)) });
    expect(found).toMatchObject({ last: 0.5, trusted: 7 / 8, goBack: true });
  });

  it("measures no answer by a vote that it had a part in", () => {
    // Both models guess: what the first look elects says nothing about the others, so neither may look better for having elected it.
    let back = 0;
    const probes = many(80, probe(false, null));
    for (let run = 0; run < 300; run++) {
      const random = randomStream(7, "equal models", run);
      const guess = (): string => String(random.integer(1, 2));
      const look = (): EndLook => probes.map(() => answered([guess(), guess(), guess()], [guess(), guess(), guess()]));
      const found = compareAtEnd(probes, { last: [look(), look(), look()], trusted: [look(), look(), look()] });
      expect(found.compared).toBeGreaterThan(0);
      if (found.goBack) back++;
    }
    expect(back / 300).toBeGreaterThan(0.4);
    expect(back / 300).toBeLessThan(0.6);
  });

  it("of programs compares how many of the probes' tests they pass", () => {
    const programs = (meanPassFraction: number): VerifiedGroup =>
      ({
        question,
        answers: [],
        verdict: { kind: "tests", winner: null, consistent: true, meanPassFraction },
      }) as never;
    const probes = many(4, probe(true, null));
    const found = compareAtEnd(probes, {
      last: looks(many(4, programs(0.5))),
      trusted: looks(many(4, programs(0.75))),
    });
    expect(found).toMatchObject({ compared: 4, last: 0.5, trusted: 0.75, goBack: true });
  });

  it("is no matter of which probe comes first, and compares nothing with nothing", () => {
    const pairs = fc.array(fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()), { maxLength: 40 });
    fc.assert(
      fc.property(pairs, (of) => {
        const probes = of.map(([solved]) => probe(solved));
        const model = (which: 1 | 2): EndLook[] =>
          looks(of.map((one) => (one[which] ? group("4", "4") : group("4", "5"))));
        const found = compareAtEnd(probes, { last: model(1), trusted: model(2) });
        const turned = compareAtEnd(probes.toReversed(), {
          last: model(1).map((look) => look.toReversed()),
          trusted: model(2).map((look) => look.toReversed()),
        });
        expect(turned.compared).toBe(found.compared);
        expect(turned.last).toBeCloseTo(found.last, 12);
        expect(turned.trusted).toBeCloseTo(found.trusted, 12);
        expect(found.last).toBeGreaterThanOrEqual(0);
        expect(found.trusted).toBeLessThanOrEqual(1);
        expect(Number.isFinite(found.error)).toBe(true);
      }),
    );
    expect(compareAtEnd([], { last: [[], []], trusted: [[], []] })).toMatchObject({ compared: 0, goBack: false });
  });
});
