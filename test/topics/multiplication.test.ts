import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomStream } from "../../src/random.ts";
import { multiplication } from "../../src/topics/multiplication.ts";
import {
  type Product,
  productQuestion,
  readProduct,
  reverseDigits,
  writeProduct,
} from "../../src/topics/multiplication-notation.ts";
import {
  multiplicationCharacters,
  multiplicationLines,
  productOf,
  workedReply,
} from "../../src/topics/multiplication-truth.ts";

const { topic } = multiplication;
const hidden = multiplication.hidden ?? expect.fail("multiplication has a checker");
const factor = fc.integer({ min: 1, max: 3 }).chain((digits) => fc.nat({ max: 10 ** digits - 1 }));
const product: fc.Arbitrary<Product> = fc
  .tuple(factor, factor)
  .map(([a, b]) => ({ left: String(a), right: String(b) }));

describe("multiplication", () => {
  it("writes the working one partial product a digit, digits reversed", () => {
    expect(workedReply({ left: "123", right: "45" })).toBe("516+0294=5355#5355");
    expect(workedReply({ left: "7", right: "8" })).toBe("65#65");
    expect(topic.solvePrompt(productQuestion({ left: "123", right: "45" }))).toBe("m321*54=");
  });

  it("reads back what it writes; right answers pass the checker, others do not", () => {
    fc.assert(
      fc.property(product, fc.integer({ min: 1, max: 99 }), (drawn, error) => {
        const question = productQuestion(drawn);
        expect(topic.readQuestion(writeProduct(drawn))).toEqual({ ok: true, value: question });
        const reply = workedReply(drawn);
        expect(reply.length + 1).toBeLessThanOrEqual(topic.maxTokens.solve);
        const read = topic.readAnswer(reply, question);
        expect(read).toEqual({ ok: true, value: productOf(drawn) });
        expect(hidden.check(question, productOf(drawn))).toBe(true);
        expect(hidden.check(question, String(Number(productOf(drawn)) + error))).toBe(false);
      }),
    );
  });

  it("checks every step of its own working", () => {
    fc.assert(
      fc.property(product, (drawn) => {
        const [working, marked] = workedReply(drawn).split("#");
        const numbers = working.split(/[+=]/).map((text) => Number(reverseDigits(text)));
        let sum = numbers[0];
        for (let i = 1; i < numbers.length; i += 2) {
          sum += numbers[i];
          expect(numbers[i + 1]).toBe(sum);
        }
        expect(Number(reverseDigits(marked))).toBe(sum);
      }),
    );
  });

  it("has restatements that the right answer solves, each another text", () => {
    fc.assert(
      fc.property(product, (drawn) => {
        const question = productQuestion(drawn);
        for (const form of topic.restatements?.(question) ?? []) {
          expect(form.question.text).not.toBe(question.text);
          const inner = readProduct(form.question.text);
          if (!inner.ok) return expect.fail(inner.reason);
          expect(form.toOriginal(productOf(inner.value))).toBe(productOf(drawn));
          expect(topic.solvePrompt(form.question)).toMatch(/^m/);
        }
        return undefined;
      }),
    );
  });

  it.each([
    ["", "not of the form a*b="],
    ["12*34", "not of the form a*b="],
    ["12+34=", "not of the form a*b="],
    ["4321*5=", "operand longer than 3 digits"],
    ["10*5=", "leading zero"],
    ["1*2=1*2=", "not of the form a*b="],
  ])("refuses the question %j: %s", (reply, reason) => {
    expect(topic.readQuestion(reply)).toEqual({ ok: false, reason });
  });

  it.each([
    ["65", "no marked answer"],
    ["65#", "the marked answer is not a number"],
    ["65#65#65", "more than one marked answer"],
    ["#-65", "the marked answer is not a number"],
    ["#0000001", "longer than 6 digits"],
    ["#10", "leading zero"],
  ])("refuses the answer %j: %s", (reply, reason) => {
    expect(topic.readAnswer(reply, productQuestion({ left: "7", right: "8" }))).toEqual({ ok: false, reason });
  });

  it("takes the marked answer only, whatever the working says", () => {
    expect(topic.readAnswer("99+99=1#65", productQuestion({ left: "7", right: "8" }))).toEqual({
      ok: true,
      value: "56",
    });
  });

  it("draws different held-out questions of the asked difficulty, the same for the same stream", () => {
    for (const level of hidden.levels) {
      const drawn = hidden.heldOut(level, 40, randomStream("test", level));
      expect(drawn.length).toBe(level === 2 ? 27 : 40);
      expect(new Set(drawn.map(({ key }) => key)).size).toBe(drawn.length);
      expect(drawn.every(({ difficulty }) => difficulty === level)).toBe(true);
      expect(hidden.heldOut(level, 40, randomStream("test", level))).toEqual(drawn);
    }
    expect(() => hidden.heldOut(7, 1, randomStream("test"))).toThrow(/no questions of difficulty 7/);
  });

  it("teaches the seed model readable lines in its alphabet", () => {
    for (let i = 0; i < 300; i++) {
      const line = multiplicationLines[i % 3 === 0 ? "propose" : "solve"](2 + (i % 5), randomStream("line", i));
      expect([...line.prompt, ...line.reply].every((each) => multiplicationCharacters.includes(each))).toBe(true);
      expect(line.prompt.length + line.reply.length).toBeLessThan(64);
      if (line.prompt === "M") expect(topic.readQuestion(line.reply).ok).toBe(true);
    }
  });
});
