// Replies of an evaluation are on disk before the next are asked for: one that is killed at any moment goes on where it was.
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ReplyRecord, withRecord } from "../../src/cli/reply-record.ts";
import { createScriptedPolicy } from "../../src/engine/scripted.ts";
import { temporaryFolder } from "./scripted-parts.ts";

/** Runs the child, killed after so many milliseconds; null where it was. */
function examine(folder: string, asked: string, killAfter?: number): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "exam-child.ts"), folder, asked], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    if (killAfter !== undefined) setTimeout(() => child.kill("SIGKILL"), killAfter);
    child.once("error", reject);
    child.once("close", (code, signal) =>
      signal === "SIGKILL" ? resolve(null) : code === 0 ? resolve(output) : reject(new Error(`ended with ${code}`)),
    );
  });
}

test("an evaluation that is killed again and again ends as one that was not, and asks little twice", async () => {
  const [folder, other] = [temporaryFolder(), temporaryFolder()];
  const whole = await examine(other, join(other, "asked"));
  const asked = join(folder, "asked");
  let kills = 0;
  for (const delay of [250, 400, 550, 700]) if ((await examine(folder, asked, delay)) === null) kills++;
  const resumed = await examine(folder, asked);
  expect(resumed).toBe(whole);
  expect(kills).toBeGreaterThan(0);
  const calls = readFileSync(asked, "utf8").trim().split("\n").length;
  // The first call asks two questions, each after it one, for samples and then greedily; of the one under way at each kill, once more. A start
  // asks two at once again, of which the record may know one.
  expect(calls).toBeGreaterThanOrEqual(2 * 12);
  expect(calls).toBeLessThanOrEqual(2 * 23 + 3 * kills);
  // All of it is known now.
  expect(await examine(folder, asked)).toBe(whole);
  expect(readFileSync(asked, "utf8").trim().split("\n")).toHaveLength(calls);
});

const policy = createScriptedPolicy({ reply: ({ prompt, random }) => `${prompt}${random.integer(0, 999)}` });
const ask = (text: string, seed = 1, numSamples = 2) => ({
  promptTokens: policy.tokenizer.encode(text),
  numSamples,
  seed,
  first: 0,
});
const options = { maxTokens: 8, temperature: 1, stop: policy.tokenizer.endTokens };

/** What a player behind the record is asked, and what comes back. */
async function sampled(
  folder: string,
  asks: readonly ReturnType<typeof ask>[],
  { settings = options, fresh = false } = {},
): Promise<{ readonly askedFor: number; readonly replies: unknown }> {
  let askedFor = 0;
  const counting = {
    ...policy,
    tokenizer: policy.tokenizer,
    capabilities: policy.capabilities,
    sample: (...call: Parameters<typeof policy.sample>) => {
      askedFor += call[0].length;
      return policy.sample(...call);
    },
  };
  using record = new ReplyRecord(folder, "model", { quietSeconds: 0, fresh });
  const replies = await withRecord(counting, record).sample(asks, settings);
  return { askedFor, replies };
}

test("a reply counts only where everything that decides it is the same", async () => {
  const folder = temporaryFolder();
  const first = await sampled(folder, [ask("a"), ask("b")]);
  expect(first.askedFor).toBe(2);
  expect(await sampled(folder, [ask("b"), ask("a")])).toEqual({
    askedFor: 0,
    replies: [...(first.replies as unknown[])].reverse(),
  });
  expect(await sampled(folder, [ask("a"), ask("c")])).toMatchObject({ askedFor: 1 });
  for (const other of [ask("a "), ask("a", 2), ask("a", 1, 3), { ...ask("a"), first: 2 }]) {
    expect((await sampled(folder, [other])).askedFor).toBe(1);
  }
  for (const settings of [
    { ...options, maxTokens: 9 },
    { ...options, temperature: 0.5 },
    { ...options, stop: [1] },
  ]) {
    expect((await sampled(folder, [ask("a")], { settings })).askedFor).toBe(1);
  }
  // At temperature 0 the seed decides nothing.
  const greedy = { ...options, temperature: 0 };
  expect((await sampled(folder, [ask("a")], { settings: greedy })).askedFor).toBe(1);
  expect((await sampled(folder, [ask("a", 7)], { settings: greedy })).askedFor).toBe(0);
  expect((await sampled(folder, [ask("a")], { fresh: true })).askedFor).toBe(1);
});

test("damage costs the replies that it hit, no more", async () => {
  const folder = temporaryFolder();
  await sampled(folder, [ask("a"), ask("b"), ask("c")]);
  const path = join(folder, "model.jsonl");
  const [a, b, c] = readFileSync(path, "utf8").split("\n");
  writeFileSync(path, [a, b.replace('"tokens":[', '"tokens":["x",'), c].join("\n").slice(0, -20));
  expect((await sampled(folder, [ask("a"), ask("b"), ask("c")])).askedFor).toBe(2);
  // What was written behind half a line stands on a line of its own.
  expect((await sampled(folder, [ask("a"), ask("b"), ask("c")])).askedFor).toBe(0);
  appendFileSync(path, "nonsense\n{}\n[]\n\n");
  expect((await sampled(folder, [ask("a"), ask("b"), ask("c")])).askedFor).toBe(0);
});

test("an evaluation that is over at once leaves nothing behind", async () => {
  const folder = temporaryFolder();
  using record = new ReplyRecord(join(folder, "evaluations"), "model");
  await withRecord(policy, record).sample([ask("a")], options);
  expect(existsSync(join(folder, "evaluations"))).toBe(false);
});
