// Replies as they come, as the `openai` client sees them: over a player that draws as many tokens as the test lets it.
import type { Stream } from "openai/streaming";
import { describe, expect, test } from "vitest";
import { dripping, serve, until } from "./servers.ts";

const plenty = 10_000;
const echo = () => dripping(({ prompt, sample }) => `${prompt}#${sample}`);

/** Texts of a stream of completions by choice; `seen` is called after each chunk. */
async function read(
  stream: Stream<{ readonly choices: readonly { readonly index: number; readonly text: string }[] }>,
  seen: (texts: readonly string[]) => void = () => undefined,
): Promise<string[]> {
  const texts: string[] = [];
  for await (const { choices } of stream) {
    for (const { index, text } of choices) texts[index] = (texts[index] ?? "") + text;
    seen(texts);
  }
  return texts;
}

describe("a stream", () => {
  test("brings tokens as they are drawn, of all choices side by side", async () => {
    const player = echo();
    const { client } = await serve(player);
    const stream = await client.completions.create({ model: "scripted", prompt: "abc", n: 2, stream: true });
    let texts: readonly string[] = [];
    const whole = read(stream, (now) => {
      texts = [...now];
    });
    player.let(2);
    await until(() => texts.join() === "ab,ab");
    expect(player.drawn).toEqual([[2, 2]]);
    player.let(plenty);
    expect(await whole).toEqual(["abc#0", "abc#1"]);
  });

  test("is the reply that comes whole: text, log-probabilities, reasons, usage", async () => {
    const player = dripping(({ sample }) => `zwölf 🐧 stop, ${sample} stopping STOP`);
    player.let(plenty);
    const { client } = await serve(player);
    const request = {
      model: "scripted",
      prompt: ["x", "yy"],
      n: 2,
      logprobs: 1,
      temperature: 0,
      seed: 4,
      stop: "STOP",
    };
    const whole = await client.completions.create(request);
    const stream = await client.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    const choices = whole.choices.map(() => ({
      text: "",
      tokens: [] as string[],
      offsets: [] as number[],
      reason: "",
    }));
    let usage: unknown = null;
    for await (const chunk of stream) {
      if (chunk.choices.length === 0) usage = chunk.usage;
      for (const { index, text, logprobs, finish_reason: reason } of chunk.choices) {
        const own = choices[index];
        expect(own.reason).toBe("");
        own.text += text;
        own.tokens.push(...(logprobs?.tokens ?? []));
        own.offsets.push(...(logprobs?.text_offset ?? []));
        own.reason = reason ?? "";
      }
    }
    expect(choices).toEqual(
      whole.choices.map(({ text, logprobs, finish_reason: reason }) => ({
        text,
        tokens: logprobs?.tokens,
        offsets: logprobs?.text_offset,
        reason,
      })),
    );
    expect(choices[0].text).toBe("zwölf 🐧 stop, 0 stopping ");
    expect(usage).toEqual(whole.usage);
  });

  test("chat: every choice begins with its role", async () => {
    const player = dripping(() => "hi");
    player.let(plenty);
    const { client } = await serve(player);
    const messages = [{ role: "user" as const, content: "x" }];
    const deltas: unknown[][] = [[], []];
    for await (const { choices } of await client.chat.completions.create({
      model: "scripted",
      messages,
      n: 2,
      stream: true,
    })) {
      for (const { index, delta, finish_reason: reason } of choices) deltas[index].push(reason ?? delta);
    }
    const expected = [{ role: "assistant", content: "" }, { content: "h" }, { content: "i" }, "stop"];
    expect(deltas).toEqual([expected, expected]);
  });

  test("a stop text ends what is drawn, in a stream or not, and nothing of it is sent", async () => {
    for (const stream of [true, false]) {
      const player = dripping(() => "one, two, three, four, five");
      player.let(plenty);
      const { client } = await serve(player);
      const request = { model: "scripted", prompt: "x", max_tokens: 32, stop: ["two,", "twofold"] };
      if (stream) {
        const seen = new Set<string>();
        const texts = await read(
          await client.completions.create({ ...request, stream }),
          ([text]) => void seen.add(text),
        );
        expect(texts).toEqual(["one, "]);
        for (const text of seen) expect("one, ".startsWith(text)).toBe(true);
      } else expect((await client.completions.create(request)).choices[0].text).toBe("one, ");
      expect(player.drawn).toEqual([["one, two,".length]]);
    }
  });
});

describe("a client that leaves", () => {
  test.each([true, false])("ends what is drawn for it, and for nobody else (stream: %s)", async (stream) => {
    const player = dripping(({ prompt }) => prompt.repeat(50));
    const { client, reported, waiting } = await serve(player);
    const controller = new AbortController();
    const { signal } = controller;
    const request = { model: "scripted", max_tokens: 30 };
    // Those that wait for the first are sampled together.
    const first = client.completions.create({ ...request, prompt: "f" });
    await until(() => player.drawn.length === 1);
    const staying = client.completions.create({ ...request, prompt: "s" });
    const leaving = stream
      ? client.completions.create({ ...request, prompt: "l", n: 3, stream }, { signal }).then((reply) => read(reply))
      : client.completions.create({ ...request, prompt: "l", n: 3 }, { signal });
    const left = leaving.catch(() => null);
    await until(() => waiting() === 2);
    player.let(34);
    await first;
    await until(() => player.drawn[1]?.[0] === 4);
    controller.abort();
    await left;
    // The server hears of it in its own time.
    await new Promise((resolve) => setTimeout(resolve, 50));
    player.let(plenty);
    expect((await staying).choices[0].text).toBe("s".repeat(30));
    const counts = player.drawn[1];
    expect(counts).toHaveLength(4);
    expect(counts.filter((count) => count === 30)).toHaveLength(1);
    expect(counts.filter((count) => count <= 5)).toHaveLength(3);
    expect(reported).toEqual([]);
  });
});

test("a reply does not wait for a longer one that is sampled with it", async () => {
  const player = dripping(({ prompt }) => (prompt === "long" ? "x".repeat(1000) : "short"));
  const { client, waiting } = await serve(player, { maxTokens: 100 });
  const request = { model: "scripted" };
  const first = client.completions.create({ ...request, prompt: "first" });
  await until(() => player.drawn.length === 1);
  const long = client.completions.create({ ...request, prompt: "long" });
  const streamed = client.completions.create({ ...request, prompt: "a", stream: true }).then((stream) => read(stream));
  const whole = client.completions.create({ ...request, prompt: "b" });
  await until(() => waiting() === 3);
  player.let(6);
  await first;
  player.let(6);
  expect(await streamed).toEqual(["short"]);
  expect((await whole).choices[0].text).toBe("short");
  expect(player.drawn[1]).toEqual([6, 6, 6]);
  player.let(plenty);
  expect((await long).choices[0].text).toHaveLength(100);
});

test("a server that ends does not wait for what is being sampled", async () => {
  const player = dripping(() => "x".repeat(1000));
  const server = await serve(player, { maxTokens: 900 });
  const request = { model: "scripted", prompt: "x" };
  const whole = server.client.completions.create(request).catch((error: unknown) => error);
  await until(() => player.drawn.length === 1);
  player.let(3);
  await until(() => player.drawn[0][0] === 3);
  const ended = server[Symbol.asyncDispose]();
  player.let(plenty);
  await ended;
  expect(await whole).toBeInstanceOf(Error);
  await until(() => player.drawn[0][0] > 3);
  expect(player.drawn[0][0]).toBeLessThan(6);
});
