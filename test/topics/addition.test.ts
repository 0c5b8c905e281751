import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomStream } from "../../src/random.ts";
import { addition } from "../../src/topics/addition.ts";
import {
  additionQuestion,
  lettersFrom,
  readAddition,
  readColumns,
  readResult,
  writeColumns,
  writeResult,
} from "../../src/topics/addition-notation.ts";
import { additionLines, sumOf } from "../../src/topics/addition-truth.ts";

const { topic } = addition;
const hidden = addition.hidden!;

const number = fc.bigInt({ min: 0n, max: 10n ** 24n - 1n }).map(String);
const sum = fc.record({ left: number, right: number });

describe("addition", () => {
  it("writes columns from the last digit on, behind letters that go on after z", () => {
    expect(writeColumns({ left: "123", right: "45" }, lettersFrom(24, 4))).toBe("y35z24a10b00");
    expect(readColumns("y35z24a10")).toEqual({ ok: true, value: { left: "123", right: "45" } });
    expect(writeResult({ left: "123", right: "45" }, "168", "klmn")).toBe("k358l246m101n=0");
    expect(readResult("k358l246m101n=0", "klmn")).toEqual({ ok: true, value: "168" });
  });

  it.each([
    ["", "not columns"],
    ["a12b3", "not columns"],
    ["a12c34", "letters out of order"],
    ["b12a34", "letters out of order"],
    ["a12b00", "leading zero"],
    [`${writeColumns({ left: "1".repeat(25), right: "1" }, lettersFrom(0, 25))}`, "longer than 24 digits"],
  ])("refuses the question %j", (reply, reason) => {
    expect(topic.readQuestion(reply)).toEqual({ ok: false, reason: expect.stringContaining(reason) });
  });

  it.each([
    ["", "empty"],
    ["k358l=2", "fewer columns"],
    ["l358m246n101o=0", "other columns"],
    ["k358l246m101n000o=0", "other columns"],
    ["k358l246m101", "not columns"],
    ["168", "not columns"],
  ])("refuses the result %j", (reply, reason) => {
    expect(readResult(reply, "klmn")).toEqual({ ok: false, reason: expect.stringContaining(reason) });
  });

  it("reads what it writes, of any length", () => {
    fc.assert(
      fc.property(sum, fc.nat(25), (asked, first) => {
        const digits = Math.max(asked.left.length, asked.right.length);
        expect(readColumns(writeColumns(asked, lettersFrom(first, digits)))).toEqual({ ok: true, value: asked });
        const question = additionQuestion(asked);
        expect(readAddition(question.text)).toEqual({ ok: true, value: asked });
        expect(question.difficulty).toBe(digits);
        expect(additionQuestion({ left: asked.right, right: asked.left }).key).toBe(question.key);
        const columns = /^B((?:[a-z]..)+[a-z])=$/.exec(String(topic.solvePrompt(question)))![1];
        const reply = writeResult(asked, sumOf(asked), columns.replace(/[0-9]/g, ""));
        expect(topic.readAnswer(reply, question)).toEqual({ ok: true, value: sumOf(asked) });
        expect(reply.length + 1).toBeLessThanOrEqual(topic.maxTokens.solve);
        expect(hidden.check(question, sumOf(asked))).toBe(true);
      }),
    );
  });

  it("restates a sum so that the right answers agree and nothing stays where it was", () => {
    fc.assert(
      fc.property(sum, (asked) => {
        const question = additionQuestion(asked);
        const forms = topic.restatements!(question);
        expect(forms).toHaveLength(asked.left === asked.right ? 1 : 2);
        for (const { question: restated, toOriginal } of forms) {
          const other = readAddition(restated.text);
          expect(other.ok && toOriginal(sumOf(other.value))).toBe(sumOf(asked));
          expect(restated.difficulty).toBe(question.difficulty);
        }
      }),
    );
  });

  it("is asked for a level with as many letters, and draws questions of it", () => {
    for (const level of topic.levels!) {
      expect(topic.proposePrompt({ random: randomStream("test"), recent: [], level })).toMatch(
        new RegExp(`^A[a-z]{${level}}=$`),
      );
      const line = additionLines.propose(level, randomStream("test", level));
      expect(topic.readQuestion(line.reply)).toMatchObject({ ok: true, value: { difficulty: level } });
      const drawn = topic.generator!.draw(level, 20, randomStream("test"));
      expect(drawn).toHaveLength(20);
      expect(new Set(drawn.map(({ key }) => key)).size).toBe(20);
      expect(drawn.every(({ difficulty }) => difficulty === level)).toBe(true);
    }
    const free = Array.from(
      { length: 50 },
      (_, i) => String(topic.proposePrompt({ random: randomStream(i), recent: [] })).length - 2,
    );
    expect(new Set(free)).toEqual(new Set([1, 2, 3]));
  });

  it("teaches its seed model right answers of up to three digits only, several in a row", () => {
    const rows = new Set<number>();
    for (let i = 0; i < 300; i++) {
      const { prompt, reply, untaught } = additionLines.solve(1 + (i % 3), randomStream("seed", i));
      const asked = prompt.slice(1).match(/(?:[a-z][0-9]{2})+[a-z]=/g)!;
      const results = reply.match(/(?:[a-z][0-9]{3})+[a-z]=[0-9]/g)!;
      expect([asked.join(""), results.join("")]).toEqual([prompt.slice(1), reply]);
      if (untaught !== undefined) continue;
      rows.add(asked.length);
      for (const [one, columns] of asked.entries()) {
        const read = readColumns(columns.slice(0, -2));
        expect(read.ok && readResult(results[one], columns.replace(/[0-9=]/g, ""))).toEqual({
          ok: true,
          value: read.ok && sumOf(read.value),
        });
        expect(columns.length).toBeLessThanOrEqual("a00b00c00d=".length);
      }
    }
    expect([...rows].sort()).toEqual([1, 2, 3, 4]);
  });

  it("teaches its seed model no digit of a longer result", () => {
    const lengths = new Set<number>();
    for (let i = 0; i < 300; i++) {
      const { prompt, reply, untaught } = additionLines.solve(1 + (i % 3), randomStream("seed", i));
      if (untaught === undefined) continue;
      const taught = [...reply].map((character, place) => (untaught.has(place) ? "" : character)).join("");
      expect(`B${taught}`).toBe(prompt);
      lengths.add(prompt.length);
    }
    expect(lengths.size).toBe(16);
  });
});
