import { describe, expect, it } from "vitest";
import { UnsupportedError, UsageError } from "../../src/errors.ts";
import { randomStream } from "../../src/random.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { programOf, run } from "../../src/topics/coding-truth.ts";
import { codingInWords } from "../../src/topics/coding-words.ts";
import { openTopic } from "../../src/topics/registry.ts";

const { topic, hidden } = codingInWords;
const truth = hidden ?? expect.fail("coding has a truth");
const heldOut = truth.levels.flatMap((level) => truth.heldOut(level, 60, randomStream("coding words", level)));

/** Gives the right outputs of the steps that a program was made of, and runs nothing. */
function sandboxFor(steps: readonly string[]): Sandbox {
  return {
    languages: ["python"],
    run: async ({ calls }: { readonly calls: readonly { readonly args: readonly unknown[] }[] }) => ({
      status: "ok",
      results: calls.map(({ args }) => ({ value: run(steps, args[0] as number | number[]) })),
    }),
  } as unknown as Sandbox;
}

describe("coding in words", () => {
  it("is what a model with a chat template is asked", async () => {
    expect(await openTopic("coding", { chat: true })).toBe(codingInWords);
  });

  it("reads back the tasks that it says, with their tests", () => {
    expect(heldOut.length).toBe(18 + 3 * 60);
    for (const question of heldOut) {
      expect(topic.readQuestion(question.text)).toEqual({ ok: true, value: question });
      expect(question.tests).toHaveLength(3);
    }
  });

  it("shows solvers the task without its tests, behind an opened program", () => {
    for (const question of heldOut.slice(0, 40)) {
      const prompt = topic.solvePrompt(question);
      expect(Array.isArray(prompt) && prompt.slice(-2)).toEqual([
        { role: "user", content: question.text.split("\n")[0] },
        { role: "assistant", content: "```python\ndef f(x):\n" },
      ]);
    }
    expect(() => topic.solvePrompt({ text: "Write a game.", key: "", difficulty: 1 })).toThrow(UsageError);
  });

  it("knows right programs by tests that no task shows", async () => {
    for (const question of heldOut.slice(0, 30)) {
      const steps = question.key.split(" ");
      expect(await truth.check(question, programOf(steps), sandboxFor(steps))).toBe(true);
      const other = steps[0] === "sq" ? ["*3"] : ["sq"];
      if (typeof question.tests?.[0].args[0] === "number")
        expect(await truth.check(question, "any", sandboxFor([...other, ...steps]))).toBe(false);
    }
    await expect(truth.check(heldOut[0], "any")).rejects.toThrow(UnsupportedError);
  });

  it.each([
    [
      " list of numbers x: sort the list, then take the last element.\nf([1, 2]) == 2\nf([3]) == 3\nf([0,5]) == 5",
      "sort last",
    ],
    ["Given a number x: add 3 and square it\nassert f(1) == 16\nassert f(-3) == 0\nassert f(2) == 25", "+3 sq"],
    // Worked step by step; what is on the way is not looked at.
    [
      "subtract 4, square it.\nf(6): subtract 4: 2, square it: 4\nf(1): subtract 4: 9, square it: 9\nf(4) == 0\n",
      "-4 sq",
    ],
    // Begun by its prompt up to the first step, which the working names.
    [
      ", and add 2.\nf([3, 8]): take the first item: 3, add 2: 5\nf([4]): take the first element: 4, and add 2 to it: 6\nf([0, 2]): take the first item: 0, add 2: 2.",
      "first +2",
    ],
    [
      ".\nf([3, 8]): count the items: 2\nf([4]): count the items: 1\nf([]): count the items: 0\n```\nThis counts.",
      "len",
    ],
    ["\nf([3, 8]): count the items: 2\nf([4]): count the items: 1\nf([]): count the items: 0", "len"],
    [
      " sort it, take the last item.\nf([2, 1]): sort it: [1, 2], take the last item: 2\nf([3]) == 3\nf([0, 5]): sort it: [0, 5], take the last item: 5",
      "sort last",
    ],
    [" number x: Multiply by 4, and then negate it.\n\nf(1) == -4\nf(0) == 0\nf(2)==-8\n", "*4 neg"],
  ])("hears %j", (reply, key) => {
    expect(topic.readQuestion(reply)).toMatchObject({ ok: true, value: { key } });
  });

  it.each([
    [" number x: add 3.\nf(1) == 4\nf(2) == 5", "not 3 tests"],
    [" number x: add 30.\nf(1) == 4\nf(2) == 5\nf(3) == 6", "a step that nobody knows"],
    [" number x: sort it.\nf(1) == 4\nf(2) == 5\nf(3) == 6", "a first step that takes no number"],
    [
      " list of numbers x: count the items, reverse it.\nf([1]) == 4\nf([2]) == 5\nf([3]) == 6",
      "a step that takes no number",
    ],
    [" number x: add 3.\nf(1) == 4\nf(2) == five\nf(3) == 6", "the expected value of test 2 is no value"],
    [" number x: add 3.\nf(1) == 4\nf(2, 3) == 5\nf(3) == 6", "the input of test 2 is no value"],
    [" number x: add 3.\nf(1) == 4\nprint(f(2))\nf(3) == 6", "a line that is no test of f"],
    ["Write a game.", "a step that nobody knows"],
    ["请写一个函数", "a step that nobody knows"],
    [" string x: reverse it.\nf('ab') == 'ba'", "not a task about a list of numbers or a number x"],
    [
      " add 3, square it.\nf(1): add 3: 4, square it: 16\nf(2): add 3: 5\nf(3): add 3: 6, square it: 36",
      "tests that are worked by other steps than the task's",
    ],
    [
      " square it.\nf(1): add 3: 4, negate it: -4, square it: 16\nf(2) == 5\nf(3) == 6",
      "tests that are worked by other steps than the task's",
    ],
    [" square it.\nf(1): the square of one is 1\nf(2) == 5\nf(3) == 6", "a line that is no test of f"],
    [" square it.\nf(1): square it: 1 (as is)\nf(2) == 5\nf(3) == 6", "a line that is no test of f"],
    [" square it.\nf(1): square it: [1, 2\nf(2) == 5\nf(3) == 6", "a line that is no test of f"],
    [".\n", "a step that nobody knows"],
    // Begun as a task about a list by its prompt: the tests say what x is.
    [" add 3, square it.\nf([3, 8]) == 11\nf([5, 1, 4]) == 6\nf([2, 0]) == 2", "the input of test 1 is no number"],
  ])("refuses %j", (reply, reason) => {
    expect(topic.readQuestion(reply)).toEqual({ ok: false, reason });
  });

  it.each([
    ["    return x + 3\n```", "def f(x):\n    return x + 3"],
    ["    y = sorted(x)\n    return y[0]\n```\nThis sorts.", "def f(x):\n    y = sorted(x)\n    return y[0]"],
    ["```python\ndef f(x):\n    return x\n```", "def f(x):\n    return x"],
  ])("reads the program in %j", (reply, program) => {
    expect(topic.readAnswer(reply, heldOut[0])).toEqual({ ok: true, value: program });
  });

  it.each([
    ["", "empty"],
    ["\n```", "empty"],
    [`    return ${"1+".repeat(400)}1`, "longer than 600 characters"],
  ])("reads no program in %j", (reply, reason) => {
    expect(topic.readAnswer(reply, heldOut[0])).toEqual({ ok: false, reason });
  });
});
