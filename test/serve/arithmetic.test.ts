// A real model behind the server: what is asked together is answered as if alone, and docs/serving.md works as it is printed.
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { packageRoot } from "../../src/model/find-model.ts";
import { scripted, serve, until, watched } from "./servers.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine({ model: "arithmetic", threads: 1 });
});
afterAll(() => engine[Symbol.asyncDispose]());

const model = "arithmetic";

test("concurrent requests are batched, and each equals the one that was asked alone, token for token", async () => {
  const player = watched(await engine.openPolicy());
  const { client, waiting } = await serve(player, { model });
  const requests = [
    { prompt: "S321+654=", n: 4, seed: 1 },
    { prompt: "S9+9=", n: 1, seed: 2 },
    { prompt: ["S12345+54321=", "S1+1="], n: 3, seed: 3 },
    { prompt: "P", n: 8, seed: 4 },
  ];
  const ask = async (request: (typeof requests)[number]) => {
    const reply = await client.completions.create({ ...request, model, max_tokens: 12, logprobs: 0 });
    return {
      texts: reply.choices.map(({ text, logprobs }) => [text, logprobs?.tokens]),
      logprobs: reply.choices.flatMap(({ logprobs }) => logprobs?.token_logprobs ?? []),
      usage: reply.usage,
    };
  };
  const alone = [];
  for (const request of requests) alone.push(await ask(request));
  expect(player.calls).toHaveLength(4);
  player.hold();
  const first = ask(requests[0]);
  await until(() => player.calls.length === 5);
  const together = requests.map(ask);
  await until(() => waiting() === 4);
  player.release();
  await first;
  const batched = await Promise.all(together);
  expect(player.calls).toHaveLength(6);
  expect(player.calls[5].asks).toHaveLength(5);
  for (const [i, { texts, logprobs, usage }] of batched.entries()) {
    expect({ texts, usage }).toEqual({ texts: alone[i].texts, usage: alone[i].usage });
    for (const [j, value] of logprobs.entries()) expect(value).toBeCloseTo(alone[i].logprobs[j] ?? Number.NaN, 4);
  }
});

test("with an adapter, where tokens are told as they are drawn, a stream is the reply that comes whole", async () => {
  await using adapted = await openEngine({ model: "arithmetic", threads: 1, loraRank: 2 });
  expect(adapted.capabilities.tellsTokens).toBe(true);
  await using player = await adapted.openPolicy();
  await using server = await serve(player, { model });
  const { client, reported } = server;
  const request = { model, prompt: ["S321+654=", "P"], n: 3, seed: 2, max_tokens: 12, stop: "7" };
  const whole = await client.completions.create(request);
  const texts = whole.choices.map(() => "");
  for await (const { choices } of await client.completions.create({ ...request, stream: true })) {
    for (const { index, text } of choices) texts[index] += text;
  }
  expect(texts).toEqual(whole.choices.map(({ text }) => text));
  // One that leaves in the middle leaves an engine that answers the next.
  const leaving = await client.completions.create({ ...request, n: 40, stream: true });
  for await (const _ of leaving) break;
  expect(await client.completions.create(request)).toMatchObject({ choices: whole.choices, usage: whole.usage });
  expect(reported).toEqual([]);
});

test("top_p is honoured, and temperature 0 is the model's most likely answer", async () => {
  const { client } = await serve(await engine.openPolicy(), { model });
  const ask = async (more: object) => {
    const request = { model, prompt: "S54321+98765=", max_tokens: 12, n: 16, seed: 5 };
    return new Set((await client.completions.create({ ...request, ...more })).choices.map(({ text }) => text));
  };
  const greedy = await ask({ temperature: 0 });
  expect(greedy.size).toBe(1);
  // The smallest set that reaches a tiny probability is the most likely token.
  expect(await ask({ top_p: 1e-6 })).toEqual(greedy);
  expect((await ask({})).size).toBeGreaterThan(1);
});

test("a model without a chat template says so", async () => {
  const { client } = await serve(await engine.openPolicy(), { model });
  const chat = client.chat.completions.create({ model, messages: [{ role: "user", content: "1+1" }] });
  await expect(chat).rejects.toMatchObject({ status: 400, param: "messages" });
  await expect(chat).rejects.toThrow(/has no chat template/);
});

describe("docs/serving.md, as it is printed", () => {
  const page = readFileSync(join(packageRoot, "docs", "serving.md"), "utf8");
  const blocks = (language: string): string[] =>
    [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, code]) => code);
  const [, curl] = blocks("sh");
  const [completions, chat] = blocks("ts");
  const printed = "http://127.0.0.1:4760/v1";
  const at = (code: string, url: string): string => {
    expect(code).toContain(printed);
    return code.replaceAll(printed, url);
  };
  /** In a folder that has `openai` installed, and nothing else. */
  const run = async (code: string): Promise<string> => {
    const folder = mkdtempSync(join(tmpdir(), "sqlm-serve-"));
    try {
      mkdirSync(join(folder, "node_modules"));
      const installed = join(packageRoot, "node_modules", "openai");
      symlinkSync(installed, join(folder, "node_modules", "openai"), "junction");
      writeFileSync(join(folder, "example.mts"), code);
      const args = ["--disable-warning=ExperimentalWarning", join(folder, "example.mts")];
      return (await promisify(execFile)(process.execPath, args)).stdout;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test("curl", async () => {
    const { url } = await serve(await engine.openPolicy(), { model });
    const { stdout } = await promisify(execFile)("sh", ["-c", at(curl, url)]);
    expect(JSON.parse(stdout)).toMatchObject({ choices: [{ text: "975", finish_reason: "stop" }] });
  });

  test("completions", async () => {
    const { url } = await serve(await engine.openPolicy(), { model });
    const lines = (await run(at(completions, url))).trim();
    expect(lines.match(/^\d+ \[/gm)).toHaveLength(8);
  });

  test("chat", async () => {
    const [, name] = /model: "([^"]+\/[^"]+)"/.exec(chat) ?? expect.fail("no model");
    expect(page).toContain(`npx sqlm serve ${name}`);
    const { url } = await serve(
      scripted(() => "It is Paris."),
      { model: name },
    );
    expect(await run(at(chat, url))).toBe("It is Paris.");
  });

  test("the command serves where it says, until it is told to end", async () => {
    const [command] = blocks("sh");
    expect(command).toBe("npx sqlm serve models/arithmetic\n");
    const main = join(packageRoot, "src", "cli", "main.ts");
    const args = [...command.trim().split(" ").slice(2), "--port", "0", "--threads", "1", "--json"];
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
      cwd: packageRoot,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const written = { output: "", notes: "" };
    child.stdout.on("data", (chunk) => {
      written.output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      written.notes += chunk;
    });
    const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
    try {
      await Promise.race([until(() => written.output.endsWith("\n")), closed]);
      const { url, model: name } = JSON.parse(written.output) as { url: string; model: string };
      expect(name).toBe("arithmetic");
      const { stdout } = await promisify(execFile)("sh", ["-c", at(curl, url)]);
      expect(JSON.parse(stdout)).toMatchObject({ choices: [{ text: "975" }] });
      // Also while it has much to do.
      const long = { model: name, prompt: Array.from({ length: 256 }, () => "P"), max_tokens: 60 };
      const headers = { "content-type": "application/json" };
      const cut = fetch(`${url}/completions`, { method: "POST", headers, body: JSON.stringify(long) }).catch(
        () => null,
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(written.notes).toContain("It has no chat template");
      child.kill("SIGINT");
      expect(await closed, written.notes).toBe(0);
      await cut;
      expect(written.notes).not.toContain("sqlm:");
    } finally {
      child.kill("SIGKILL");
    }
  });
});
