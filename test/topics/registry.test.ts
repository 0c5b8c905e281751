import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { arithmetic } from "../../src/topics/arithmetic.ts";
import { builtInTopicNames, openTopic } from "../../src/topics/registry.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-topics-"));
afterAll(() => rmSync(folder, { recursive: true }));

const parts = `name: "echo", description: "Says it again.", verification: "vote", maxTokens: { propose: 4, solve: 4 },
  proposePrompt: () => "p", solvePrompt: (question) => question.text, readAnswer: (reply) => ({ ok: true, value: reply }),
  readQuestion: (reply) => ({ ok: true, value: { text: reply, key: reply, difficulty: 1 } })`;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("openTopic", () => {
  it("opens built-in topics by name", async () => {
    expect(await openTopic("arithmetic")).toBe(arithmetic);
    expect(builtInTopicNames).toEqual(["arithmetic", "multiplication", "algebra", "coding", "addition"]);
    for (const name of builtInTopicNames) expect((await openTopic(name)).topic.name).toBe(name);
  });

  it("names the nearest topic for a misspelt one", async () => {
    await expect(openTopic("aritmetic")).rejects.toThrow('Did you mean "arithmetic"?');
    await expect(openTopic("aritmetic")).rejects.toBeInstanceOf(UsageError);
    await expect(openTopic("")).rejects.toBeInstanceOf(UsageError);
  });

  it("imports a topic from a file and checks it", async () => {
    const opened = await openTopic(file("good.mjs", `export const topic = { topic: { ${parts} }, hidden: null };`));
    expect(opened.topic.name).toBe("echo");
    expect(Object.isFrozen(opened.topic)).toBe(true);
    const path = file("partial.mjs", `export const topic = { topic: { name: "half" }, hidden: null };`);
    await expect(openTopic(path)).rejects.toThrow("description");
  });

  it("says what is wrong with a file", async () => {
    await expect(openTopic(join(folder, "absent.ts"))).rejects.toThrow("no topic file");
    await expect(openTopic(file("empty.mjs", ""))).rejects.toThrow("defineTopic");
    await expect(openTopic(file("raw.mjs", `export const topic = { ${parts} };`))).rejects.toThrow("defineTopic");
    await expect(openTopic(file("syntax.mjs", "export const ="))).rejects.toThrow("could not be loaded");
    await expect(openTopic(file("syntax.mjs", "export const ="))).rejects.toBeInstanceOf(UsageError);
  });
});
