import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawQuestions, probesByLevel } from "../../src/play/probes.ts";
import { algebra } from "../../src/topics/algebra.ts";
import { algebraInWords } from "../../src/topics/algebra-words.ts";
import { arithmetic } from "../../src/topics/arithmetic.ts";
import { arithmeticInWords } from "../../src/topics/arithmetic-words.ts";
import { coding } from "../../src/topics/coding.ts";
import { defineTopic } from "../../src/topics/define-topic.ts";
import { multiplication } from "../../src/topics/multiplication.ts";
import { multiplicationInWords } from "../../src/topics/multiplication-words.ts";

describe("how many probes of which difficulty", () => {
  const levels = (...solved: number[]) => solved.map((share, i) => ({ difficulty: i + 1, solved: share }));

  it("is most where the model just manages, and none above", () => {
    expect([...probesByLevel(levels(1, 0.9, 0.6, 0.1), 64)]).toEqual([
      [3, 32],
      [2, 19],
      [1, 13],
    ]);
    expect([...probesByLevel(levels(0.5, 0), 10)]).toEqual([[1, 10]]);
  });

  it("falls back on the difficulty that comes nearest", () => {
    expect([...probesByLevel(levels(0, 0.2, 0.1), 10)]).toEqual([
      [2, 7],
      [1, 3],
    ]);
  });

  it("adds up", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(share, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 200 }),
        (solved, count) => {
          const counts = [...probesByLevel(levels(...solved), count).values()];
          expect(counts.reduce((sum, n) => sum + n, 0)).toBe(count);
          expect(Math.min(...counts)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });
});

describe("a topic's generator", () => {
  it.each([arithmetic, multiplication, algebra, arithmeticInWords, multiplicationInWords, algebraInWords])(
    "$topic.name draws questions of each level that the topic can ask, and none that is kept",
    ({ topic }) => {
      for (const level of topic.generator!.levels) {
        const all = drawQuestions(topic.generator!, level, 12, { seed: 1, purpose: "test", except: new Set() });
        expect(all).toHaveLength(12);
        for (const question of all) expect(topic.solvePrompt(question).length).toBeGreaterThan(0);
        const except = new Set(all.slice(0, 6).map(({ key }) => key));
        const rest = drawQuestions(topic.generator!, level, 12, { seed: 1, purpose: "test", except });
        expect(rest.filter(({ key }) => except.has(key))).toEqual([]);
      }
    },
  );

  it("is refused of a topic whose questions carry their tests, as those say what is right", () => {
    const { topic, hidden } = coding;
    const generator = { levels: hidden!.levels, draw: hidden!.heldOut };
    expect(() => defineTopic({ ...topic, generator })).toThrow("say what is right");
    expect(topic.generator).toBeUndefined();
  });

  it("is checked like every part of a topic", () => {
    const { topic } = arithmetic;
    const draw = topic.generator!.draw;
    expect(() => defineTopic({ ...topic, generator: { levels: [], draw } })).toThrow("generator.levels");
    expect(() => defineTopic({ ...topic, generator: { levels: [2, 1], draw } })).toThrow("ascending");
    const wrong = defineTopic({ ...topic, generator: { levels: [1], draw: (_, ...rest) => draw(2, ...rest) } });
    const options = { seed: 1, purpose: "test", except: new Set<string>() };
    expect(() => drawQuestions(wrong.topic.generator!, 1, 4, options)).toThrow("generator.draw");
  });
});
