// Questions that a user gives a topic in words: examples are shown, questions for evaluation are not, and neither file may hold what
// cannot be used.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { makeControl } from "../../src/evaluate/controls.ts";
import { diagnose } from "../../src/evaluate/diagnose.ts";
import { heldOutKeys, heldOutQuestions } from "../../src/evaluate/evaluate.ts";
import { randomStream } from "../../src/random.ts";
import { plainTopic } from "../../src/topics/plain.ts";
import type { ChatMessage, Prompt, Question } from "../../src/types.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-plain-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
function file(name: string, ...lines: readonly (object | string)[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""));
  return path;
}
const line = (question: string, answer: string | number) => ({ question, answer });
const textsOf = (prompt: Prompt): string =>
  typeof prompt === "string" ? prompt : prompt.map(({ content }: ChatMessage) => content).join("\n");

const evalFile = file(
  "eval.jsonl",
  line("What is 17 plus 25?", 42),
  line("How much is a third of 1,000?", "\\frac{1000}{3}"),
  line("Which colour has a lemon?", "Yellow"),
);
const examples = file(
  "examples.jsonl",
  line("What is 1 plus 2?", "3"),
  line("What is 30 plus 5?", "Three tens and five.\n30 + 5 = <<30+5=35>>35\n#### 35"),
  line("What is 4 plus 4?", "Twice four is \\boxed{8}."),
  line("What is 6 plus 1?", 7),
  line("What is 9 plus 1?", 10),
);

describe("an eval file", () => {
  const defined = plainTopic("sums", { evalFile });
  const hidden = defined.hidden ?? expect.fail("it knows answers");
  const [first, second, third] = hidden.heldOut(1, 9, randomStream("test"));

  test("gives held-out questions and knows their answers, as mathematics", () => {
    expect(first).toMatchObject({ text: "What is 17 plus 25?", difficulty: 1 });
    expect([hidden.levels, hidden.frontier]).toEqual([[1], 1]);
    expect(hidden.check(first, "42")).toBe(true);
    expect(hidden.check(first, "43")).toBe(false);
    expect(hidden.check(second, "1000/3")).toBe(true);
    expect(hidden.check(second, "333")).toBe(false);
    expect(hidden.check(third, "yellow")).toBe(true);
  });

  test("knows nothing of any other question", async () => {
    const other: Question = { text: "What is 2 plus 2?", key: "what is 2 plus 2", difficulty: 5 };
    expect(hidden.check(other, "4")).toBe(false);
    const [group] = await diagnose(
      hidden,
      [{ question: other, answers: [], verdict: { winner: "4" } } as never],
      undefined,
    );
    expect(group.truth).toBeNull();
    expect(() => makeControl("oracle", defined)).toThrow("knows the answers to its held-out questions only");
  });

  test("its questions are kept from training in any spelling, also those that an evaluation leaves out", () => {
    const keys = heldOutKeys(defined, 1);
    expect(heldOutQuestions(defined.topic, hidden, 1).get(1)).toHaveLength(1);
    expect(keys.size).toBe(3);
    for (const said of [
      "what is 17 plus 25",
      "What  is 17 plus 25 ?!",
      "“WHAT is 17 plus 25”",
      "How much is a third of 1000?",
    ]) {
      const read = defined.topic.readQuestion(`<question>${said}</question>`);
      expect(read.ok && keys.has(read.value.key)).toBe(true);
    }
    const other = defined.topic.readQuestion("<question>What is 17 plus 26?</question>");
    expect(other.ok && !keys.has(other.value.key)).toBe(true);
  });

  test("is in no prompt", () => {
    const { topic } = plainTopic("sums", { evalFile, examples });
    const shown = [
      topic.proposePrompt({ random: randomStream("test"), recent: [] }),
      topic.solvePrompt({ text: "What is 8 plus 8?", key: "x", difficulty: 1 }),
      topic.paraphrase?.prompt({ text: "What is 8 plus 8?", key: "x", difficulty: 1 }) ?? "",
    ].map(textsOf);
    for (const text of shown) expect(text).not.toMatch(/17|lemon|third/);
  });
});

describe("examples", () => {
  const { topic, hidden } = plainTopic("sums", { examples });

  test("are shown to the proposer without answers, three at a time, in turn", () => {
    expect(hidden).toBeNull();
    const prompts = Array.from({ length: 20 }, (_, i) =>
      textsOf(topic.proposePrompt({ random: randomStream("test", i), recent: [] })),
    );
    for (const text of prompts) {
      expect(text.match(/<question>What is \d+ plus \d+\?<\/question>/g)).toHaveLength(3);
      expect(text).not.toMatch(/boxed|hours/);
    }
    expect(new Set(prompts).size).toBeGreaterThan(5);
  });

  test("are shown to the solver with answers in a box, always the same", () => {
    const prompt = topic.solvePrompt({ text: "What is 8 plus 8?", key: "x", difficulty: 1 });
    const replies = Array.isArray(prompt)
      ? prompt.filter(({ role }) => role === "assistant").map(({ content }) => content)
      : [];
    expect(replies).toEqual([
      "The answer is \\boxed{3}.",
      "Three tens and five.\n30 + 5 = 35\nThe answer is \\boxed{35}.",
      "Twice four is \\boxed{8}.",
    ]);
  });

  test("without any, an exchange about something else is shown, as ever", () => {
    const plain = plainTopic("sums").topic.solvePrompt({ text: "What is 8 plus 8?", key: "x", difficulty: 1 });
    expect(textsOf(plain)).toContain("How many hours are there in three days?");
  });
});

describe("what cannot be used is refused by file and line", () => {
  test.each<[string, readonly (object | string)[], string]>([
    ["no JSON", [line("What is 1 plus 1?", 2), "what?"], "bad.jsonl:2 is not JSON"],
    ["no object", ['["What is 1 plus 1?", 2]'], "bad.jsonl:1 is not a JSON object"],
    ["no answer", [{ question: "What is 1 plus 1?" }], 'bad.jsonl:1 lacks "answer"'],
    ["an empty answer", [line("What is 1 plus 1?", " ")], 'bad.jsonl:1 lacks "answer" (a text'],
    ["no question", [{ answer: 2 }], 'bad.jsonl:1 lacks "question"'],
    ["an answer of no kind", [line("What is 1 plus 1?", "\\boxed{")], "bad.jsonl:1: the answer cannot be read as one"],
    ["no word", [line("?!", 2)], "bad.jsonl:1: the question holds no word"],
    ["twice the same", [line("What is 1 plus 1?", 2), line("what is 1 plus 1", 3)], "bad.jsonl:2 asks the same as"],
    ["a book", [line("a ".repeat(1000), 2)], "longer than 1500 characters"],
    ["half a character", [String.raw`{"question": "What is \ud800?", "answer": 2}`], "is not Unicode"],
    ["nothing", [], "holds no line"],
  ])("%s", (_, lines, message) => {
    const path = file("bad.jsonl", ...lines);
    for (const options of [{ evalFile: path }, { examples: path }]) {
      expect(() => plainTopic("sums", options)).toThrow(message);
      expect(() => plainTopic("sums", options)).toThrow(UsageError);
    }
  });

  test("an example that is also evaluated on, in whatever spelling", () => {
    const overlapping = file("overlap.jsonl", line("What is 3 plus 3?", 6), line("what is 17 PLUS 25", 42));
    expect(() => plainTopic("sums", { evalFile, examples: overlapping })).toThrow(
      /eval\.jsonl:1 asks what the example .*overlap\.jsonl:2 shows with its answer/,
    );
  });

  test("an example whose end nobody can tell", () => {
    const path = file("long.jsonl", line("What is 1 plus 1?", "One and one.\nThat is two."));
    expect(() => plainTopic("sums", { examples: path })).toThrow("long.jsonl:1: the answer has several lines");
  });

  test("a file that is not there", () => {
    expect(() => plainTopic("sums", { evalFile: join(folder, "absent") })).toThrow("There is no eval file");
    expect(() => plainTopic("sums", { examples: join(folder, "absent") })).toThrow("There is no file of examples");
  });
});
