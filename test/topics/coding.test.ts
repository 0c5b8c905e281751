import { afterAll, describe, expect, it } from "vitest";
import { UnsupportedError } from "../../src/errors.ts";
import { randomStream } from "../../src/random.ts";
import { createSandbox } from "../../src/sandbox/process-sandbox.ts";
import type { ProgramRequest, Sandbox } from "../../src/sandbox/sandbox.ts";
import { coding } from "../../src/topics/coding.ts";
import { programHead, readTask, writeTask } from "../../src/topics/coding-notation.ts";
import {
  codingCharacters,
  codingLines,
  drawTask,
  expressionOf,
  hiddenTests,
  programOf,
  run,
} from "../../src/topics/coding-truth.ts";

const { topic } = coding;
const hidden = coding.hidden ?? expect.fail("coding has a checker");
const good = "+1|1>2;2>3;3>4;4>5;-5>-4";

describe("coding", () => {
  it("reads a task with its five tests, and shows it to the solver", () => {
    const read = topic.readQuestion("sort rev first|[3,1]>3;[1,2]>2;[0,0]>0;[9,4,5]>9;[7,7]>7");
    if (!read.ok) return expect.fail(read.reason);
    expect(read.value).toMatchObject({ key: "sort rev first", difficulty: 3 });
    expect(read.value.tests?.length).toBe(5);
    expect(read.value.tests?.[0]).toEqual({ function: "f", args: [[3, 1]], expected: 3 });
    expect(topic.solvePrompt(read.value)).toBe(`k${read.value.text}=`);
    return undefined;
  });

  it("keeps wrong and contradictory expectations: programs will tell", () => {
    expect(topic.readQuestion("+1|1>9;1>8;3>4;4>5;5>6").ok).toBe(true);
  });

  it.each([
    ["", "not of the form steps|tests"],
    ["+1", "not of the form steps|tests"],
    ["+1|1>2;2>3", "not 5 tests"],
    ["+1|1>2;2>3;3>4;4;5>6", "test 4 has no expected value"],
    ["+1|1>2;2>3;3>4;4>;5>6", "test 4 has no expected value"],
    ["+1|1>2;2>3;3>4;4>5>5;5>6", "test 4 is not of the form input>output"],
    ["+1|1>2;2>3;3>4;>5;5>6", "the input of test 4 is no value"],
    ["+1|1>2;2>3;3>4;4>x;5>6", "the expected value of test 4 is no value"],
    ["+1|1>2;2>3;3>4;4>05;5>6", "the expected value of test 4 is no value"],
    ["+1|1>2;2>3;3>4;[4]>5;5>6", "the input of test 4 is no number"],
    ["fly|1>2;2>3;3>4;4>5;5>6", "a step that nobody knows"],
    ["constructor|1>2;2>3;3>4;4>5;5>6", "a step that nobody knows"],
    ["+1 max|1>2;2>3;3>4;4>5;5>6", "a step that takes no number"],
    ["+1 +2 +3 +4 +5|1>2;2>3;3>4;4>5;5>6", "more than 4 steps"],
  ])("refuses %j: %s", (reply, reason) => {
    expect(topic.readQuestion(reply)).toEqual({ ok: false, reason });
  });

  it("bounds programs and judges none", () => {
    const question = topic.readQuestion(good);
    if (!question.ok) return expect.fail(question.reason);
    const read = (reply: string) => topic.readAnswer(reply, question.value);
    expect(read("x+1")).toEqual({ ok: true, value: `${programHead}x+1` });
    expect(read("import os")).toEqual({ ok: true, value: `${programHead}import os` });
    expect(read(" ")).toEqual({ ok: false, reason: "empty" });
    expect(read("x\nimport os")).toEqual({ ok: false, reason: "not one line of plain characters" });
    expect(read("x".repeat(1_000_000))).toEqual({ ok: false, reason: "longer than 200 characters" });
    return undefined;
  });

  it("puts parentheses where Python needs them", () => {
    expect(expressionOf(["+1", "*2"])).toBe("(x+1)*2");
    expect(expressionOf(["*2", "+1"])).toBe("x*2+1");
    expect(expressionOf(["+1", "neg", "sq"])).toBe("(-(x+1))**2");
    expect(expressionOf(["sq", "sq"])).toBe("(x**2)**2");
    expect(expressionOf(["sort", "rev", "first", "+3"])).toBe("sorted(x)[::-1][0]+3");
    expect(expressionOf(["tail", "max", "neg", "abs"])).toBe("abs(-max(x[1:]))");
  });

  it("draws tasks of the asked difficulty whose tests are right and readable", () => {
    for (let i = 0; i < 300; i++) {
      const task = drawTask(1 + (i % 4), randomStream("task", i));
      const line = codingLines[i % 3 === 0 ? "propose" : "solve"](1 + (i % 4), randomStream("line", i));
      expect([...line.prompt, ...line.reply].filter((each) => !codingCharacters.includes(each))).toEqual([]);
      expect(line.prompt.length + line.reply.length).toBeLessThan(160);
      if (line.prompt === "K") expect(readTask(line.reply).ok).toBe(true);
      for (const test of task.tests) expect(run(task.steps, test.args[0] as number)).toEqual(test.expected);
      expect(hiddenTests(task.steps).length).toBeGreaterThanOrEqual(5);
    }
    for (const level of hidden.levels) {
      const questions = hidden.heldOut(level, 18, randomStream("test", level));
      expect(new Set(questions.map(({ key }) => key)).size).toBe(18);
      expect(questions.every(({ difficulty }) => difficulty === level)).toBe(true);
      for (const { text } of questions) expect(topic.readQuestion(text).ok).toBe(true);
    }
  });
});

describe("the hidden checker", () => {
  const question = topic.readQuestion(good);
  const asked = question.ok ? question.value : expect.fail(question.reason);
  const requests: ProgramRequest[] = [];
  const fake = (value: (input: number) => unknown, status: "ok" | "timeout" = "ok"): Sandbox => ({
    languages: ["python"],
    async run(request) {
      requests.push(request);
      return {
        status,
        results: request.calls.map(({ args }) => ({ value: value(args[0] as number) }) as never),
        output: "",
        milliseconds: 1,
      };
    },
    async [Symbol.asyncDispose]() {},
  });

  it("runs programs on inputs of its own and compares outside", async () => {
    expect(
      await hidden.check(
        asked,
        "program",
        fake((x) => x + 1),
      ),
    ).toBe(true);
    expect(
      await hidden.check(
        asked,
        "program",
        fake((x) => x + 2),
      ),
    ).toBe(false);
    expect(
      await hidden.check(
        asked,
        "program",
        fake((x) => x + 1, "timeout"),
      ),
    ).toBe(false);
    expect(requests[0].calls.length).toBe(10);
    expect(JSON.stringify(requests[0])).not.toContain("expected");
  });

  it("needs a sandbox", async () => {
    await expect(hidden.check(asked, "program")).rejects.toThrow(UnsupportedError);
  });
});

describe("right programs in the real sandbox", () => {
  const sandbox = createSandbox();
  afterAll(() => sandbox[Symbol.asyncDispose]());

  it("pass the hidden tests, and wrong ones fail them", async () => {
    for (let i = 0; i < 8; i++) {
      const task = drawTask(1 + (i % 4), randomStream("real", i));
      const question = topic.readQuestion(writeTask(task));
      if (!question.ok) return expect.fail(question.reason);
      expect(await hidden.check(question.value, programOf(task.steps), sandbox), programOf(task.steps)).toBe(true);
      expect(await hidden.check(question.value, `${programHead}[x]`, sandbox)).toBe(false);
    }
    return undefined;
    // Eight programs take two seconds; a machine that others use may take long to start the sandbox.
  }, 240_000);
});
