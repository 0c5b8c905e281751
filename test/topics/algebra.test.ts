import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomStream } from "../../src/random.ts";
import { algebra } from "../../src/topics/algebra.ts";
import {
  readQuestionText,
  readWrittenQuestion,
  reverseNumbers,
  toQuestion,
  writeQuestion,
} from "../../src/topics/algebra-notation.ts";
import {
  algebraCharacters,
  algebraLines,
  drawAlgebra,
  solutionOf,
  workedReply,
} from "../../src/topics/algebra-truth.ts";
import type { Question } from "../../src/types.ts";

const { topic } = algebra;
const hidden = algebra.hidden ?? expect.fail("algebra has a checker");
const drawn = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.nat())
  .map(([difficulty, seed]) => drawAlgebra(difficulty, randomStream("algebra", difficulty, seed)));
const solve = (text: string): string => {
  const read = readQuestionText(text);
  return read.ok ? solutionOf(read.value) : expect.fail(`${text}: ${read.reason}`);
};

describe("algebra", () => {
  it.each([
    ["3x+5=20", "5"],
    ["x=7", "7"],
    ["3x=7", "7/3"],
    ["-2y+1=6", "-5/2"],
    ["2(x-3)=4x+1", "-7/2"],
    ["n-n+2n=0", "0"],
    ["A=B+5;A+B=27;A?", "16"],
    ["A=B+5;A+B=27;B?", "11"],
    ["B=7;A=3B;A?", "21"],
    ["C=2B;A=B-3;A+B=10;C?", "13"],
    ["A has 5 more than B. A and B have 27 together. How many has A?", "16"],
    ["B has 7. A has 3 times as many as B. How many has A?", "21"],
  ])("solves %s: %s", (text, solution) => {
    expect(solve(text)).toBe(solution);
  });

  it("shows people sentences and the model short notation with digits reversed", () => {
    const problem = readQuestionText("A+B=27;A=B+15;A?");
    const question = problem.ok ? toQuestion(problem.value) : expect.fail(problem.reason);
    expect(question).toMatchObject({
      text: "A and B have 27 together. A has 15 more than B. How many has A?",
      difficulty: 3,
    });
    expect(topic.solvePrompt(question)).toBe("lA+B=72;A=B+51;A?:");
    const equation = readQuestionText("3x+5=20");
    expect(equation.ok && topic.solvePrompt(toQuestion(equation.value))).toBe("l3x+5=02:");
  });

  it("asks a proposer's question in words drawn for it, whatever words the proposer is used to", () => {
    const readOf = (text: string): Question => {
      const read = topic.readQuestion(reverseNumbers(text));
      return read.ok ? read.value : expect.fail(read.reason);
    };
    const problems = Array.from({ length: 80 }, (_, number) => readOf(`A=${number};C=A+5;B+C=99;B?`));
    for (const name of ["A", "B", "C", "D"]) {
      expect(problems.filter(({ text }) => text.endsWith(`has ${name}?`)).length).toBeGreaterThan(8);
    }
    expect(new Set(problems.map(({ text }) => text.replace(/[0-9]+/g, ""))).size).toBeGreaterThan(50);
    // Another kind of question it is not.
    expect(new Set(problems.map(({ kind }) => kind)).size).toBe(1);
    expect(readOf("A=9;C=A+5;B+C=99;B?")).toEqual(readOf("A=9;C=A+5;B+C=99;B?"));
    const equations = Array.from({ length: 40 }, (_, number) => readOf(`3x=${number}`));
    expect(new Set(equations.map(({ text }) => text.replace(/[0-9]+/g, ""))).size).toBe(2 * 4);
  });

  it("reads back every question; right answers pass the checker, others do not", async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async (asked) => {
        const question = toQuestion(asked);
        const read = topic.readQuestion(writeQuestion(asked));
        // In other words, but the same question.
        expect(read.ok && { ...read.value, text: question.text }).toEqual(question);
        expect(read.ok && solve(read.value.text)).toBe(solutionOf(asked));
        expect(readQuestionText(question.text)).toEqual({ ok: true, value: asked });
        const reply = workedReply(asked);
        expect(reply.length + 1).toBeLessThanOrEqual(topic.maxTokens.solve);
        expect(writeQuestion(asked).length + 1).toBeLessThanOrEqual(topic.maxTokens.propose);
        const answer = topic.readAnswer(reply, question);
        expect(answer).toEqual({ ok: true, value: solutionOf(asked) });
        expect(await hidden.check(question, solutionOf(asked))).toBe(true);
        expect(await hidden.check(question, `${solutionOf(asked)}1`)).toBe(false);
      }),
    );
  });

  it("has restatements with the same solution, each another text", () => {
    const seen = { equation: 0, problem: 0 };
    fc.assert(
      fc.property(drawn, (asked) => {
        const question = toQuestion(asked);
        const forms = topic.restatements?.(question) ?? [];
        seen[asked.kind] += forms.length;
        for (const form of forms) {
          expect(form.question.text).not.toBe(question.text);
          expect(form.toOriginal(solve(form.question.text))).toBe(solutionOf(asked));
        }
      }),
      { seed: 9 },
    );
    expect(seen.equation).toBeGreaterThan(50);
    expect(seen.problem).toBeGreaterThan(20);
  });

  it("doubles every number where somebody has times as many, and halves the answer again", () => {
    const read = readQuestionText("C=27;A=2C;D=5A;D?");
    const forms = read.ok ? (topic.restatements?.(toQuestion(read.value)) ?? []) : [];
    const doubled = forms.at(-1) ?? expect.fail("there is a doubled form");
    expect(doubled.question.text).toBe(
      "C has 54. A has 2 times as many as C. D has 5 times as many as A. How many has D?",
    );
    expect(["540", "7", "7/3", "4/3"].map(doubled.toOriginal)).toEqual(["270", "7/2", "7/6", "2/3"]);
  });

  it("gives one key to renamed unknowns, exchanged sides, reordered facts and facts said from the other side", () => {
    const key = (text: string): string => {
      const read = readQuestionText(text);
      return read.ok ? toQuestion(read.value).key : expect.fail(read.reason);
    };
    expect(key("3x+5=20")).toBe(key("20=5+3y"));
    expect(key("A=B+5;A+B=27;A?")).toBe(key("D+C=27;C=D+5;C?"));
    expect(key("A=B+5;B=4;A?")).toBe(key("B=A-5;B=4;A?"));
    expect(key("A=B+5;A+B=27;A?")).not.toBe(key("A=B+5;A+B=27;B?"));
    expect(key("3x+5=20")).not.toBe(key("3x+5=21"));
  });

  it.each([
    ["", "not one equation"],
    ["3x+5", "not one equation"],
    ["3+5=8", "no unknown"],
    ["x+y=8", "more than one unknown"],
    ["x+1=x+2", "no single solution"],
    ["2x=2x", "no single solution"],
    ["x+50=7", "leading zero"],
    ["x+0001=7", "number above 999"],
    ["x*2=7", "a character outside the notation"],
    ["A=B+5;A?", "no single solution"],
    ["A=9;B=A+1;A?", "a fact that the answer does not need"],
    ["A=9;B=A+1;C=A+2;B?", "a fact that the answer does not need"],
    ["A=9;B=A+1;C=B+2;B?", "a fact that the answer does not need"],
    ["A=9;A=3B;B?", "a number that would have to be divided"],
    ["A=9;B=A+102;B?", "number above 200"],
    ["A=B+5;B=A-5;A?", "no single solution"],
    ["A=A+5;A+B=3;A?", "a fact about one person twice"],
    ["A=B+5;A+B=3;C?", "asks for somebody of whom nothing is said"],
    ["A=B+;A+B=3;A?", "a fact without a number"],
    ["A=B+5;A+B=3", "nothing is asked"],
    ["x+x+x+x=7", "more than 3 terms on a side"],
  ])("refuses the question %j: %s", (reply, reason) => {
    expect(topic.readQuestion(reply)).toEqual({ ok: false, reason });
  });

  it.each([
    ["3x=51#5", { ok: true, value: "5" }],
    ["#4/2", { ok: true, value: "2" }],
    ["#-01/4", { ok: true, value: "-5/2" }],
    ["#0", { ok: true, value: "0" }],
    ["#-0", { ok: true, value: "0" }],
    ["5", { ok: false, reason: "no marked answer" }],
    ["#5#5", { ok: false, reason: "more than one marked answer" }],
    ["#x", { ok: false, reason: "the marked answer is not a number" }],
    ["#3/0", { ok: false, reason: "the marked answer has no value" }],
  ])("reads the answer %j", (reply, reading) => {
    const question = readQuestionText("3x+5=20");
    expect(topic.readAnswer(reply, question.ok ? toQuestion(question.value) : expect.fail())).toEqual(reading);
  });

  it("draws different held-out questions of the asked difficulty", () => {
    for (const level of hidden.levels) {
      const questions = hidden.heldOut(level, 40, randomStream("test", level));
      expect(questions.length).toBe(40);
      expect(new Set(questions.map(({ key }) => key)).size).toBe(40);
      expect(questions.every(({ difficulty }) => difficulty === level)).toBe(true);
    }
    expect(() => hidden.heldOut(5, 1, randomStream("test"))).toThrow(/no questions of difficulty 5/);
  });

  it.each([
    ["3x+5=20", "3x=15#5"],
    ["2(x+3)+5=4x-7", "2x+6+5=4x-7;2x+11=4x-7;-2x=-18#9"],
    ["4=6y", "6y=4#2/3"],
    ["C=3A;A+B=27;B=12;C?", "A+B=27;A=27-B=27-12=15;C=3A=3(15)=45#45"],
    ["C=B-2;A=4;B=3A;C?", "B=3A=3(4)=12;C=B-2=12-2=10#10"],
    ["A=B+5;A=12;B?", "A=B+5;B=A-5=12-5=7#7"],
    ["A=B-5;C=12;A=C+1;B=D-2;D?", "A=C+1=12+1=13;A=B-5;B=A+5=13+5=18;B=D-2;D=B+2=18+2=20#20"],
    // Not drawn, but a proposer may write it.
    ["A=B+5;A+B=27;A?", "A=16#16"],
  ])("works out %s: %s", (text, working) => {
    const read = readQuestionText(text);
    expect(read.ok && reverseNumbers(workedReply(read.value))).toBe(working);
  });

  it("teaches the seed model readable lines in its alphabet, with whole and fractional answers", () => {
    let [fractions, proposals] = [0, 0];
    for (let i = 0; i < 400; i++) {
      const line = algebraLines[i % 3 === 0 ? "propose" : "solve"](1 + (i % 4), randomStream("line", i));
      expect([...line.prompt, ...line.reply].every((each) => algebraCharacters.includes(each))).toBe(true);
      expect(line.prompt.length + line.reply.length).toBeLessThan(128);
      if (line.prompt === "L" || line.prompt === "W") {
        const read = readWrittenQuestion(line.reply);
        expect(read.ok && read.value.kind).toBe(line.prompt === "L" ? "equation" : "problem");
        proposals++;
      } else if (line.reply.includes("/")) fractions++;
    }
    expect(fractions).toBeGreaterThan(20);
    expect(proposals).toBe(134);
  });

  it("tells problems in the order of their chain to proposers, in any order to solvers", () => {
    const random = randomStream("order");
    const knownFirst = (text: string): boolean => /^[lW]?[A-D]=[0-9]+;/.test(text);
    const proposed = Array.from({ length: 100 }, () => algebraLines.propose(3, random)).filter(
      ({ prompt }) => prompt === "W",
    );
    expect(proposed.every(({ reply }) => knownFirst(reply))).toBe(true);
    const solved = Array.from({ length: 100 }, () => algebraLines.solve(3, random)).filter(({ prompt }) =>
      prompt.includes("?"),
    );
    expect(solved.some(({ prompt }) => !knownFirst(prompt))).toBe(true);
  });

  it("asks for equations and for problems, about half and half", () => {
    const random = randomStream("families");
    const prompts = Array.from({ length: 400 }, () => topic.proposePrompt({ random, recent: [] }));
    expect(new Set(prompts)).toEqual(new Set(["L", "W"]));
    expect(Math.abs(prompts.filter((prompt) => prompt === "W").length - 200)).toBeLessThan(50);
  });
});
