import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { randomStream } from "../../src/random.ts";
import { arithmetic } from "../../src/topics/arithmetic.ts";
import {
  operators,
  readSum,
  type Sum,
  sumQuestion,
  writeNumber,
  writeSum,
} from "../../src/topics/arithmetic-notation.ts";
import { drawSum, truth } from "../../src/topics/arithmetic-truth.ts";
import type { Question } from "../../src/types.ts";

const { topic } = arithmetic;
const hidden = arithmetic.hidden ?? expect.fail("arithmetic has a checker");

const operand = fc.integer({ min: 1, max: 9 }).chain((digits) => fc.nat({ max: 10 ** digits - 1 }));
const sum: fc.Arbitrary<Sum> = fc
  .tuple(operand, fc.constantFrom(...operators), operand, fc.boolean())
  .map(([a, operator, b, flip]) => {
    const right = operator === "*" ? b % 10 : b;
    const [left, other] = flip ? [right, a] : [a, right];
    return { left: String(left), operator, right: String(other) };
  });
const question = (text: string): Question => {
  const read = readSum(text);
  return read.ok ? sumQuestion(read.value) : expect.fail(`${text}: ${read.reason}`);
};

describe("notation", () => {
  it("writes digits least significant first", () => {
    expect(writeNumber("120")).toBe("021");
    expect(writeNumber("-73")).toBe("-37");
    expect(topic.solvePrompt(question("123+456="))).toBe("S321+654=");
    expect(topic.proposePrompt({ random: randomStream("test"), recent: [] })).toBe("P");
  });

  it("reads back every question that it writes, for people and for the model", () => {
    fc.assert(
      fc.property(sum, (drawn) => {
        expect(topic.readQuestion(writeSum(drawn))).toEqual({ ok: true, value: sumQuestion(drawn) });
        expect(topic.solvePrompt(sumQuestion(drawn))).toBe(`S${writeSum(drawn)}`);
      }),
    );
  });

  it("reads back every right answer, and the checker accepts that answer only", () => {
    fc.assert(
      fc.property(sum, fc.integer({ min: 1, max: 50 }), (drawn, error) => {
        const asked = sumQuestion(drawn);
        const right = truth(drawn);
        expect(topic.readAnswer(writeNumber(right), asked)).toEqual({ ok: true, value: right });
        expect(hidden.check(asked, right)).toBe(true);
        expect(hidden.check(asked, String(BigInt(right) + BigInt(error)))).toBe(false);
      }),
    );
  });

  it("fits every question and answer, with the end token, into maxTokens", () => {
    fc.assert(
      fc.property(sum, (drawn) => {
        expect(writeSum(drawn).length + 1).toBeLessThanOrEqual(topic.maxTokens.propose);
        expect(writeNumber(truth(drawn)).length + 1).toBeLessThan(topic.maxTokens.solve);
      }),
    );
    expect(writeSum({ left: "999999999", operator: "+", right: "999999999" })).toHaveLength(20);
  });
});

describe("readQuestion", () => {
  it("refuses what is not a question of this topic, with a reason", () => {
    const reasons: Record<string, RegExp> = {
      "": /form/,
      "1+2": /form/,
      "1+2=3": /form/,
      "+2=": /form/,
      "1++2=": /form/,
      "-1+2=": /form/,
      "1+2=\n": /form/,
      " 1+2=": /form/,
      "1 + 2=": /form/,
      "1+2+3=": /form/,
      "1/2=": /form/,
      "1.5+2=": /form/,
      "١+٢=": /form/,
      "10+2=": /leading zero/,
      "2+00=": /leading zero/,
      "1234567891+1=": /longer than 9/,
      "21*43=": /one digit/,
      P: /form/,
    };
    for (const [reply, reason] of Object.entries(reasons)) {
      const read = topic.readQuestion(reply);
      expect(read, reply).toMatchObject({ ok: false, reason: expect.stringMatching(reason) });
    }
    expect(topic.readQuestion("0+0=").ok).toBe(true);
    expect(topic.readQuestion("9*999999999=").ok).toBe(true);
    expect(topic.readQuestion(`${"1".repeat(1e5)}+1=`).ok).toBe(false);
  });

  it("never throws, whatever the reply", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[0-9+*=-]{0,24}$/)), (reply) => {
        const read = topic.readQuestion(reply);
        if (read.ok) expect(`S${reply}`).toBe(topic.solvePrompt(read.value));
        else expect(read.reason).not.toBe("");
        const answer = topic.readAnswer(reply, question("1+1="));
        if (answer.ok) expect(answer.value).toMatch(/^(0|-?[1-9][0-9]{0,9})$/);
      }),
    );
  });

  it("measures difficulty by the longer operand", () => {
    expect(question("5+1234=").difficulty).toBe(4);
    expect(question("0*0=").difficulty).toBe(1);
  });

  it("gives one key to what asks the same, and different ones to what does not", () => {
    const same = [
      ["12+3=", "3+12="],
      ["12-3=", "3-12="],
      ["12*3=", "3*12="],
      ["9+10=", "10+9="],
    ];
    for (const [a, b] of same) expect(question(a).key).toBe(question(b).key);
    const different = ["12+3=", "12-3=", "12*3=", "12+13=", "1+23=", "13+2="];
    expect(new Set(different.map((text) => question(text).key)).size).toBe(different.length);
  });
});

describe("readAnswer", () => {
  const read = (reply: string) => topic.readAnswer(reply, question("1+1="));

  it("gives canonical integers in normal digit order", () => {
    expect(read("975")).toEqual({ ok: true, value: "579" });
    expect(read("-32")).toEqual({ ok: true, value: "-23" });
    expect(read("0")).toEqual({ ok: true, value: "0" });
    expect(read("-0")).toEqual({ ok: true, value: "0" });
    expect(read("01")).toEqual({ ok: true, value: "10" });
  });

  it("refuses the rest with a reason", () => {
    expect(read("10")).toEqual({ ok: false, reason: "leading zero" });
    expect(read("-50")).toEqual({ ok: false, reason: "leading zero" });
    expect(read("")).toEqual({ ok: false, reason: "empty" });
    for (const reply of ["-", "--1", "1-", "+1", "1 ", "1=", "1e3", "x"]) {
      expect(read(reply), reply).toEqual({ ok: false, reason: "not a number" });
    }
  });

  it("refuses every reply that used all its tokens without an end", () => {
    const unfinished = fc.stringMatching(/^-?[1-9]{11,12}$/).map((reply) => reply.slice(0, topic.maxTokens.solve));
    fc.assert(
      fc.property(unfinished, (reply) => {
        fc.pre(reply.length === topic.maxTokens.solve);
        expect(read(reply).ok).toBe(false);
      }),
    );
  });
});

describe("restatements", () => {
  it("asks the same another way, and maps the right answer onto the right answer", () => {
    fc.assert(
      fc.property(sum, (drawn) => {
        const original = sumQuestion(drawn);
        for (const { question: restated, toOriginal } of topic.restatements?.(original) ?? []) {
          expect(restated.text).not.toBe(original.text);
          expect(restated.difficulty).toBe(original.difficulty);
          const other = readSum(restated.text);
          if (!other.ok) expect.fail(other.reason);
          expect(toOriginal(truth(other.value))).toBe(truth(drawn));
        }
      }),
    );
  });

  it("swaps operands, except equal ones, and moves one operand in every digit", () => {
    const texts = (text: string) => topic.restatements?.(question(text)).map((form) => form.question.text);
    expect(texts("50-73=")).toEqual(["73-50=", "50-84="]);
    expect(texts("7-7=")).toEqual(["7-8="]);
    expect(texts("123+999=")).toEqual(["999+123=", "123+888="]);
    expect(texts("407*6=")).toEqual(["6*407=", "407*7="]);
    expect(texts("9*12=")).toEqual(["12*9=", "8*12="]);
  });
});

describe("hidden truth", () => {
  it("is exact beyond doubles and knows signs", () => {
    expect(hidden.check(question("50-73="), "-23")).toBe(true);
    expect(hidden.check(question("999999999*9="), "8999999991")).toBe(true);
    expect(hidden.check(question("7-7="), "-0")).toBe(false);
    expect(() => hidden.check({ text: "moon", key: "", difficulty: 1 }, "1")).toThrow(UsageError);
  });

  it("cannot be reached from the topic", () => {
    expect(Object.values(topic)).not.toContain(hidden.check);
    expect(Object.keys(topic)).not.toContain("hidden");
  });

  it("draws different held-out questions of the difficulty, in equal parts, the same for the same stream", () => {
    for (const difficulty of [...hidden.levels, 9]) {
      const drawn = hidden.heldOut(difficulty, 150, randomStream("held-out", difficulty));
      expect(drawn).toHaveLength(150);
      expect(new Set(drawn.map(({ key }) => key)).size).toBe(150);
      for (const operator of operators) {
        expect(drawn.filter(({ text }) => text.includes(operator))).toHaveLength(50);
      }
      for (const asked of drawn) {
        expect(asked).toEqual(question(asked.text));
        expect(asked.difficulty).toBe(difficulty);
      }
      expect(hidden.heldOut(difficulty, 150, randomStream("held-out", difficulty))).toEqual(drawn);
    }
  });

  it("returns as many as there are", () => {
    expect(hidden.heldOut(1, 1000, randomStream("all"))).toHaveLength(3 * 55);
    expect(hidden.heldOut(2, 1e6, randomStream("all"))).toHaveLength(2 * (90 * 10 + (90 * 91) / 2) + 90 * 10);
    expect(hidden.heldOut(3, 0, randomStream("none"))).toEqual([]);
    expect(() => hidden.heldOut(10, 1, randomStream("none"))).toThrow(UsageError);
  });

  it("draws sums of exactly the difficulty asked for", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...operators),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        (operator, difficulty, seed) => {
          const drawn = drawSum(operator, difficulty, randomStream("draw", seed));
          const read = topic.readQuestion(writeSum(drawn));
          expect(read).toMatchObject({ ok: true, value: { difficulty } });
        },
      ),
    );
  });
});
