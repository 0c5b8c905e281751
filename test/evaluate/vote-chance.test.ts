import { describe, expect, it } from "vitest";
import { chanceRight } from "../../src/evaluate/vote-chance.ts";
import { randomStream } from "../../src/random.ts";

/** Votes of 16 whose winner is right as often as it has votes, squared. */
function votes(count: number, name: string) {
  const random = randomStream("vote chance", name);
  return Array.from({ length: count }, () => {
    const agreement = random.integer(4, 16) / 16;
    return { agreement, consistent: true, right: random.next() < agreement ** 2 };
  });
}

describe("the chance that a vote is right", () => {
  it("is what it says: of votes that it was not made from, as many are right as it gives", () => {
    const judged = votes(4000, "judged");
    for (const agreement of [0.5, 0.75, 1]) {
      const chance = chanceRight({ agreement, consistent: true }, judged)!;
      expect(Math.abs(chance.probability - agreement ** 2), String(agreement)).toBeLessThan(0.1);
      expect(chance.interval[0]).toBeLessThan(chance.probability);
      expect(chance.from).toBeLessThanOrEqual(agreement);
      expect(chance.to).toBeGreaterThanOrEqual(agreement);
    }
  });

  it("never falls with agreement, is never certain, and keeps votes of another sort apart", () => {
    const judged = [
      ...votes(300, "few"),
      ...votes(300, "others").map((vote) => ({ ...vote, consistent: false, right: false })),
    ];
    const along = Array.from(
      { length: 21 },
      (_, i) => chanceRight({ agreement: i / 20, consistent: true }, judged)!.probability,
    );
    for (const [i, chance] of along.entries()) if (i > 0) expect(chance).toBeGreaterThanOrEqual(along[i - 1] - 0.05);
    expect(chanceRight({ agreement: 1, consistent: false }, judged)!.probability).toBeLessThan(0.01);
    expect(
      chanceRight(
        { agreement: 1, consistent: true },
        judged.map((vote) => ({ ...vote, right: true })),
      )!.probability,
    ).toBeLessThan(1);
  });

  it("is unknown where there are few votes of the sort", () => {
    expect(chanceRight({ agreement: 1, consistent: true }, votes(29, "none"))).toBeNull();
    expect(chanceRight({ agreement: 1, consistent: false }, votes(300, "none"))).toBeNull();
  });
});
