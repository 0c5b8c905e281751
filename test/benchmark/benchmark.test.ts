// Benchmarks: their lines are read or refused by file and line, answers are compared as mathematics, programs run against the
// benchmark's own tests. Lines here are our own, in the forms of GSM8K, MATH-500, HumanEval and MBPP.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drawItems, readBenchmark } from "../../src/benchmark/benchmark.ts";
import { mathematicsExam } from "../../src/benchmark/mathematics.ts";
import { programExam } from "../../src/benchmark/programs.ts";
import { readJsonLines } from "../../src/config/json-lines-file.ts";
import { createScriptedPolicy } from "../../src/engine/scripted.ts";
import { UsageError } from "../../src/errors.ts";
import type { Exam } from "../../src/evaluate/exam.ts";
import { createSandbox } from "../../src/sandbox/process-sandbox.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-benchmark-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}
const readFrom = (content: string | Buffer) => readBenchmark(readJsonLines(file("b.jsonl", content), "benchmark file"));
const lines = (...values: readonly object[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join("");

const story = {
  question: "Tom has 3 nets with 4 fish each. How many fish?",
  answer: "3 * 4 = <<3*4=12>>12 fish\n#### 12",
};
const problem = { problem: "What is $\\frac{1}{2} + \\frac{1}{4}$?", answer: "\\frac{3}{4}", level: 2 };
const humanEval = {
  task_id: "Own/0",
  prompt:
    'from typing import List\n\ndef double(x: int) -> int:\n    return 2 * x\n\ndef total(xs: List[int]) -> int:\n    """ Twice the sum.\n    >>> total([1, 2])\n    6\n    """\n',
  entry_point: "total",
  canonical_solution: "    return double(sum(xs))\n",
  test: "\nMETADATA = {}\n\ndef check(candidate):\n    assert candidate([1, 2]) == 6\n    assert candidate([]) == 0\n",
};
const mbpp = {
  text: "Write a function to reverse a list.",
  code: "def rev(xs):\r\n    return xs[::-1]",
  task_id: 1,
  test_setup_code: "import math",
  test_list: ["assert rev([1, 2]) == [2, 1]", "assert rev([math.floor(1.5)]) == [1]"],
  challenge_test_list: [],
};

describe("lines", () => {
  test("of each form are read, also packed, without a last newline, with blank lines", () => {
    expect(readFrom(lines(story, story)).items).toHaveLength(2);
    expect(readFrom(`\n${JSON.stringify(problem)}\n\n${JSON.stringify({ ...problem, answer: 0.75 })}`)).toMatchObject({
      kind: "mathematics",
      items: [{ answer: "\\frac{3}{4}" }, { answer: "0.75" }],
    });
    expect(readFrom(gzipSync(lines(humanEval)))).toMatchObject({ kind: "programs", items: [{ form: "function" }] });
    expect(
      readFrom(lines(mbpp, { prompt: mbpp.text, test_list: mbpp.test_list, test_imports: ["import re"] })),
    ).toMatchObject({
      items: [{ form: "task", setup: "import math" }, { setup: "import re\n" }],
    });
  });

  test("asked twice are two questions", () => {
    const { items } = readFrom(lines(story, story));
    expect(new Set(items.map(({ question }) => question.key)).size).toBe(2);
  });

  test.each([
    ["", "holds no line"],
    ["\n \n", "holds no line"],
    ["what?", "b.jsonl:1 is not JSON"],
    [`${lines(story)}{"question": "2 + 2?"`, "b.jsonl:2 is not JSON"],
    ["[1]\n", "b.jsonl:1 is not a JSON object"],
    ['{"question": "2 + 2?"}', 'b.jsonl:1 lacks "answer"'],
    ['{"answer": "4"}', 'b.jsonl:1 lacks "problem"'],
    ['{"question": "", "answer": "4"}', 'b.jsonl:1 lacks "question" (a text'],
    ['{"question": "?", "answer": null}', 'b.jsonl:1 lacks "answer" (a text'],
    ['{"question": "?", "answer": "\\\\boxed{"}', "b.jsonl:1: the answer cannot be read"],
    ['{"prompt": "def f():", "test": "assert True"}', 'b.jsonl:1 lacks "entry_point"'],
    ['{"prompt": "def f():", "test": "assert True", "entry_point": "f()"}', "is not the name of a function"],
    ['{"text": "Do it.", "test_list": []}', "test_list is not a list of statements"],
    ['{"text": "Do it.", "test_list": [3]}', "test_list is not a list of statements"],
    ['{"text": "Do it.", "test_list": ["assert 1"], "test_setup_code": 3}', "test_setup_code must be a text"],
    ['{"input": "x", "output": "y"}', "is no line of a benchmark: it holds input, output"],
    [lines(story, mbpp), "b.jsonl:2 has another form than"],
    [Buffer.from([0xff, 0xfe, 0x0a]), "is not text in UTF-8"],
    [Buffer.from([0x1f, 0x8b, 1, 2]), "is not text in UTF-8"],
  ])("%j is refused by its place", (content, message) => {
    expect(() => readFrom(content)).toThrow(message);
    expect(() => readFrom(content)).toThrow(UsageError);
  });

  test("a missing file is named", () => {
    expect(() => readJsonLines(join(folder, "absent.jsonl"), "benchmark file")).toThrow("There is no benchmark file");
    expect(() => readJsonLines(folder, "benchmark file")).toThrow("There is no benchmark file");
  });

  test("fewer are among more, and not the first ones", () => {
    const items = Array.from({ length: 50 }, (_, i) => i);
    expect(drawItems(items, 50)).toEqual(items);
    expect(drawItems(items, 20).slice(0, 5)).toEqual(drawItems(items, 5));
    expect(drawItems(items, 5)).not.toEqual([0, 1, 2, 3, 4]);
    expect(new Set(drawItems(items, 49)).size).toBe(49);
  });
});

const { tokenizer } = createScriptedPolicy({ reply: () => "" });
const options = { tokenizer, maxTokens: 64 };
/** Whether an exam takes this text for right; the reason where it cannot be read. */
async function judge(exam: Exam, text: string, stopReason: "stop" | "length" = "stop"): Promise<boolean | string> {
  const [question] = exam.questions;
  const read = exam.read({ tokens: tokenizer.encode(text), stopReason }, question);
  return read.value === null ? (read.reason ?? "") : exam.check(question, { value: read.value, text: read.text });
}

describe("mathematics", () => {
  const examOf = (line: object, chat: boolean): Exam => {
    const benchmark = readFrom(lines(line));
    return benchmark.kind === "mathematics" ? mathematicsExam(benchmark.items, { ...options, chat }) : expect.fail();
  };

  test.each([
    ["So there are \\boxed{12}.", true],
    ["He has 3 nets.\nThe answer is 12 fish.", true],
    ["12", true],
    ["3 * 4 = 12", true],
    ["#### 12", true],
    ["\\boxed{\\$12.00}", true],
    ["\\boxed{13}", false],
    ["\\boxed{12} no, wait: \\boxed{7}", false],
    ["There are 12 fish in 4 nets", false],
    ["", "empty"],
    ["答案是\\boxed{12}", true],
    ["I do not know.", false],
  ])("a conversation's reply %j is %j", async (reply, verdict) => {
    expect(await judge(examOf(story, true), reply)).toBe(verdict);
  });

  test("a reply that was cut off says nothing, whatever stands in it", async () => {
    expect(await judge(examOf(story, true), "\\boxed{12} and", "length")).toMatch(/^cut off after \d+ tokens$/);
  });

  test("a base model's own next question is not part of its answer, and ends a reply that was cut off", async () => {
    const reply = " 3 * 4 = 12 fish.\nThe answer is 12.\n\nQuestion: Sue has 5 nets. How many?\nAnswer: 5";
    expect(await judge(examOf(story, false), reply, "length")).toBe(true);
    expect(await judge(examOf(story, true), reply)).toBe(false);
  });

  test("fractions, percentages, units", async () => {
    expect(await judge(examOf(problem, true), "\\boxed{0.75}")).toBe(true);
    expect(await judge(examOf({ question: "?", answer: "25" }, true), "\\boxed{25\\%}")).toBe(true);
    expect(
      await judge(examOf({ question: "?", answer: "\\text{Evelyn}" }, true), "It is \\boxed{\\text{Evelyn}}"),
    ).toBe(true);
  });

  test("prompts show worked answers, as turns or as text, and end with the question", () => {
    const [item] = examOf(story, true).questions;
    const turns = examOf(story, true).prompt(item);
    expect(Array.isArray(turns) && turns.map(({ role }) => role).join(" ")).toBe(
      "system user assistant user assistant user",
    );
    expect(JSON.stringify(Array.isArray(turns) && turns.at(-1))).toContain("Tom has 3 nets");
    expect(examOf(story, false).prompt(item)).toMatch(
      /Question: Tom has 3 nets with 4 fish each\. How many fish\?\nAnswer:$/,
    );
  });
});

describe("programs", () => {
  let sandbox: Sandbox;
  beforeAll(() => {
    sandbox = createSandbox({ workers: 1 });
  });
  afterAll(() => sandbox[Symbol.asyncDispose]());

  const examOf = (line: object, chat: boolean): Exam => {
    const benchmark = readFrom(lines(line));
    return benchmark.kind === "programs"
      ? programExam(benchmark.items, { ...options, chat }, sandbox, { seconds: 2, memoryMiB: 256 })
      : expect.fail();
  };

  test.each<[string, boolean | string]>([
    // The whole function, without what stands before it in the prompt.
    ["def total(xs):\n    return double(sum(xs))\n```\nIt sums up.", true],
    // Only the rest of it.
    ["    return double(sum(xs))\n", true],
    ["```python\ndef total(xs):\n    return 2 * sum(xs)\n```", true],
    ["def total(xs):\n    return sum(xs)\n```", false],
    ["def total(xs):\n    return 2 * sum(xs", false],
    ["import os\ndef total(xs):\n    return os.system('true')\n```", false],
    ["def total(xs):\n    while True: pass\n```", false],
    ["def total(xs):\n    raise SystemExit(0)\n```", false],
    ["raise SystemExit(0)\n```", false],
    ["\n```\nI cannot.", "no program"],
  ])(
    "a reply in a block: %j is %j",
    async (reply, verdict) => {
      expect(await judge(examOf(humanEval, true), reply)).toBe(verdict);
    },
    60_000,
  );

  test("a continued function ends where something else begins", async () => {
    expect(await judge(examOf(humanEval, false), "    return double(sum(xs))\n\ndef other(:\n", "length")).toBe(true);
    expect(await judge(examOf(humanEval, false), "    return double(sum(xs))\n\nprint(total([1))\n")).toBe(true);
    expect(await judge(examOf(humanEval, false), "    return sum(xs)\n")).toBe(false);
    expect(await judge(examOf(humanEval, false), "")).toBe("no program");
  });

  test("tasks in words, with what their tests need", async () => {
    expect(await judge(examOf(mbpp, true), "def rev(xs):\n    return xs[::-1]\n```")).toBe(true);
    expect(await judge(examOf(mbpp, true), "def rev(xs):\n    return xs\n```")).toBe(false);
    expect(await judge(examOf(mbpp, false), "def rev(xs):\n    return xs[::-1]\n\nassert rev([1]) == [2]\n")).toBe(
      true,
    );
    const [question] = examOf(mbpp, true).questions;
    expect(JSON.stringify(examOf(mbpp, true).prompt(question))).toContain("assert rev([1, 2]) == [2, 1]");
  });

  test("do not vote", () => expect(examOf(humanEval, true).votes).toBe(false));
});
