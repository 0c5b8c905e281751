// `sqlm check`: what a topic reads of a few replies, and every mistake that a dry run can show.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { DryRun } from "../../src/cli/dry-run.ts";
import { packageRoot } from "../../src/model/find-model.ts";
import { runCli, scriptedParts, temporaryFolder } from "./scripted-parts.ts";

const sums = join(packageRoot, "templates", "topic", "topic.ts");

async function check(...args: readonly string[]): Promise<DryRun & { readonly code: number; readonly stderr: string }> {
  const { code, stdout, stderr } = await runCli(["check", ...args, "--json"], scriptedParts());
  return { ...(stdout === "" ? {} : (JSON.parse(stdout) as DryRun)), code, stderr } as never;
}

/** A topic file with these parts in place of a sound topic's. */
function topicWith(parts: string): string {
  const path = join(temporaryFolder(), "topic.mjs");
  writeFileSync(
    path,
    `const sound = {
       name: "echo", description: "Says it again.", verification: "vote", maxTokens: { propose: 4, solve: 4 },
       proposePrompt: () => "p", solvePrompt: (question) => question.text, readAnswer: (reply) => ({ ok: true, value: reply }),
       readQuestion: (reply) => ({ ok: true, value: { text: reply, key: reply, difficulty: 1 } }),
     };
     const { hidden = null, ...parts } = { ${parts} };
     export const topic = { topic: { ...sound, ...parts }, hidden };`,
  );
  return path;
}

describe("replies", () => {
  test("given: questions with prompts, forms, answers and what the checker says; the rest with the reason", async () => {
    const tried = await check(
      sums,
      "--reply",
      "21+43=",
      "--reply",
      "43+21=",
      "--reply",
      "hello",
      "--answer",
      "64",
      "--answer",
      "?",
    );
    expect(tried).toMatchObject({ code: 0, proposePrompt: "P", mistakes: [] });
    const [first, second, third] = tried.replies;
    expect(first).toMatchObject({
      question: { text: "21+43=", difficulty: 2 },
      reason: null,
      solvePrompt: "S21+43=",
      restatements: [{ text: "43+21=", solvePrompt: "S43+21=" }],
      answers: [
        { reply: "64", value: "46", toOriginal: ["46"], right: true },
        { reply: "?", value: null, reason: "not a number", toOriginal: [null], right: null },
      ],
    });
    expect(second.reason).toBe("asks the same as reply 1: their keys are equal");
    expect(third).toMatchObject({ question: null, reason: "not of the form a+b=" });
    expect(tried.heldOut.map(({ difficulty, questions }) => [difficulty, questions])).toEqual([
      [1, 20],
      [2, 20],
      [3, 20],
    ]);
  });

  test("of a file: plain text, JSON texts, and replies with answers", async () => {
    const file = join(temporaryFolder(), "replies.jsonl");
    writeFileSync(file, '1+2=\r\n"3+4="\n\n{"reply": "5+6=", "answers": ["11", "no"]}\n{ not JSON\n');
    const { replies } = await check(sums, "--replies", file);
    expect(replies.map(({ reply, question }) => [reply, question !== null])).toEqual([
      ["1+2=", true],
      ["3+4=", true],
      ["5+6=", true],
      ["{ not JSON", false],
    ]);
    expect(replies[2].answers.map(({ right }) => right)).toEqual([true, null]);
  });

  test("sampled from the topic's model", async () => {
    // The scripted model says 975 to everything, and ? at last.
    const { code, replies } = await check(topicWith('settings: { model: "arithmetic" }'), "--count", "3");
    expect(code).toBe(0);
    expect(replies.map(({ reply }) => reply)).toEqual(["975", "975", "?"]);
    expect(replies[0].answers.map(({ value }) => value)).toEqual(["975", "975", "975", "?"]);
  });

  test("not one of them a question: told apart by the exit code", async () => {
    expect(await check(sums, "--reply", "hello")).toMatchObject({ code: 1 });
  });

  test.each([
    [["--replies", "/no/such/file"], "cannot be read"],
    [["--replies", packageRoot], "cannot be read"],
    [["--count", "none"], "--count must be"],
  ])("%j is refused", async (args, message) => {
    expect(await check(sums, ...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });

  test("a line that is JSON of another kind is refused with its place", async () => {
    const file = join(temporaryFolder(), "replies.jsonl");
    writeFileSync(file, '"1+2="\n{"answers": []}\n');
    expect(await check(sums, "--replies", file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("replies.jsonl:2 is no reply"),
    });
  });
});

describe("mistakes in the topic", () => {
  test("all that show are named at once, each once, and the rest is tried all the same", async () => {
    const topic = topicWith(`
      readAnswer: (reply) => ({ ok: true, value: Number(reply) }),
      restatements: () => undefined,
      hidden: { levels: [1, 2], frontier: 1, check: () => "yes",
        heldOut: (difficulty) => [{ text: String(Math.random()), key: "k", difficulty }] },`);
    const tried = await check(topic, "--reply", "1", "--reply", "2", "--answer", "5");
    expect(tried.code).toBe(2);
    expect(tried.replies.every(({ question }) => question !== null)).toBe(true);
    const named = (part: string): number => tried.mistakes.filter((mistake) => mistake.includes(part)).length;
    expect([named("readAnswer returned the number 5"), named("restatements returned nothing")]).toEqual([1, 2]);
    expect(named("gave different questions of difficulty")).toBe(2);
    for (const mistake of tried.mistakes) expect(tried.stderr).toContain(mistake);
  });

  test("a broken prompt leaves given replies to be tried", async () => {
    const tried = await check(topicWith("proposePrompt: () => { throw new Error('no luck'); }"), "--reply", "1");
    expect(tried).toMatchObject({
      code: 2,
      proposePrompt: null,
      mistakes: [expect.stringMatching(/proposePrompt threw no luck, at .*topic\.mjs:\d+/)],
    });
    expect(tried.replies).toHaveLength(1);
  });
});

test("what the file system refuses is a sentence, and no defect", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  for (const args of [
    ["init", join(folder, "file")],
    ["init", join(folder, "file", "below")],
  ]) {
    const { code, stderr } = await runCli(args);
    expect(stderr).toMatch(/^sqlm: \/.*cannot be written/);
    expect(code).toBe(2);
  }
  mkdirSync(join(folder, "half"));
  writeFileSync(join(folder, "half", "sqlm.config.ts"), "mine");
  expect(await runCli(["init", join(folder, "half")])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("is there already"),
  });
});
