// The server as the `openai` client sees it, over an engine whose every token is known.
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { scripted, serve, until } from "./servers.ts";

const user = (content: string) => ({ role: "user" as const, content });
/** Says back what the prompt's last message was, and which completion this is. */
const echo = () =>
  scripted(({ prompt, sample }) => `${/([^>\n]*)\n<assistant>$/.exec(prompt)?.[1] ?? prompt}#${sample}`);

describe("models", () => {
  test("one, by its name", async () => {
    const { client } = await serve(echo(), { model: "org/name@main" });
    const { data } = await client.models.list();
    expect(data).toMatchObject([{ id: "org/name@main", object: "model", owned_by: "sqlm" }]);
    expect(await client.models.retrieve("org/name@main")).toMatchObject({ id: "org/name@main" });
    await expect(client.models.retrieve("another")).rejects.toMatchObject({ status: 404, code: "model_not_found" });
  });
});

describe("chat completions", () => {
  test("messages through the template, choices, usage", async () => {
    const player = echo();
    const { client } = await serve(player);
    const reply = await client.chat.completions.create({
      model: "scripted",
      messages: [
        { role: "developer", content: "Be short." },
        {
          role: "user",
          content: [
            { type: "text", text: "one " },
            { type: "text", text: "two" },
          ],
        },
      ],
      n: 2,
      max_completion_tokens: 20,
    });
    expect(reply).toMatchObject({
      object: "chat.completion",
      model: "scripted",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "one two#0", refusal: null },
          finish_reason: "stop",
          logprobs: null,
        },
        { index: 1, message: { role: "assistant", content: "one two#1" }, finish_reason: "stop" },
      ],
    });
    const [{ asks, options }] = player.calls;
    expect(player.tokenizer.decode(asks[0].promptTokens)).toBe("<system>Be short.\n<user>one two\n<assistant>");
    expect(options).toMatchObject({ maxTokens: 20, temperature: 1, topP: 1 });
    // Nine characters and an end token, twice.
    const prompt = asks[0].promptTokens.length;
    expect(reply.usage).toEqual({ prompt_tokens: prompt, completion_tokens: 20, total_tokens: prompt + 20 });
    // What a client was sent it may send back.
    const [{ message }] = reply.choices;
    const again = { model: "scripted", messages: [user("hi"), message, user("more")] };
    expect((await client.chat.completions.create(again)).choices[0].message.content).toBe("more#0");
  });

  test("ends at its longest length, which is the server's where none is asked for", async () => {
    const { client } = await serve(echo(), { maxTokens: 5 });
    const ask = (max?: number) =>
      client.chat.completions.create({ model: "scripted", messages: [user("0123456789")], max_tokens: max ?? null });
    expect((await ask()).choices[0]).toMatchObject({ message: { content: "01234" }, finish_reason: "length" });
    expect((await ask(3)).choices[0]).toMatchObject({ message: { content: "012" }, finish_reason: "length" });
  });

  test("streams the same text, with usage where it is asked for", async () => {
    const { client } = await serve(echo());
    const request = { model: "scripted", messages: [user("zwölf 🐧")], n: 2, seed: 1, logprobs: true };
    const whole = await client.chat.completions.create(request);
    const options = { include_usage: true };
    const stream = await client.chat.completions.create({ ...request, stream: true, stream_options: options });
    const texts = ["", ""];
    const logprobs: number[][] = [[], []];
    const reasons: (string | null)[] = [null, null];
    let usage = null;
    for await (const chunk of stream) {
      expect(chunk).toMatchObject({ object: "chat.completion.chunk", model: "scripted" });
      for (const { index, delta, finish_reason: reason, logprobs: own } of chunk.choices) {
        texts[index] += delta.content ?? "";
        logprobs[index].push(...(own?.content ?? []).map(({ logprob }) => logprob));
        reasons[index] = reason ?? reasons[index];
      }
      if (chunk.choices.length === 0) usage = chunk.usage;
      else expect(chunk.usage).toBeNull();
    }
    expect(texts).toEqual(whole.choices.map(({ message }) => message.content));
    expect(texts).toEqual(["zwölf 🐧#0", "zwölf 🐧#1"]);
    expect(reasons).toEqual(["stop", "stop"]);
    expect(usage).toEqual(whole.usage);
    expect(logprobs).toEqual(whole.choices.map((one) => one.logprobs?.content?.map(({ logprob }) => logprob)));
  });

  test("log-probabilities are those of the drawn tokens, as the model scores them", async () => {
    const player = echo();
    const { client } = await serve(player);
    const { choices } = await client.chat.completions.create({
      model: "scripted",
      messages: [user("ab")],
      logprobs: true,
      top_logprobs: 1,
      temperature: 0,
    });
    const content = choices[0].logprobs?.content ?? [];
    expect(content.map(({ token }) => token)).toEqual(["a", "b", "#", "0"]);
    const [{ promptTokens }] = player.calls[0].asks;
    const [scores] = await player.score([[...promptTokens, ...player.tokenizer.encode("ab#0")]]);
    expect(content.map(({ logprob }) => logprob)).toEqual(scores.slice(promptTokens.length));
    expect(content[0].bytes).toEqual([97]);
    expect(content[0].top_logprobs).toEqual([{ token: "a", logprob: content[0].logprob, bytes: [97] }]);
  });
});

describe("completions", () => {
  test("prompts times n, numbered prompt by prompt", async () => {
    const { client } = await serve(echo());
    const reply = await client.completions.create({ model: "scripted", prompt: ["a", "bc"], n: 2, logprobs: 0 });
    expect(reply.object).toBe("text_completion");
    expect(reply.choices.map(({ index, text }) => [index, text])).toEqual([
      [0, "a#0"],
      [1, "a#1"],
      [2, "bc#0"],
      [3, "bc#1"],
    ]);
    expect(reply.choices[2].logprobs).toMatchObject({ tokens: ["b", "c", "#", "0"], text_offset: [0, 1, 2, 3] });
    expect(reply.choices[2].logprobs?.token_logprobs).toHaveLength(4);
    expect(reply.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 4 + 4 + 5 + 5 });
  });

  test("a stop text cuts the text, wherever tokens begin and end, and what is counted", async () => {
    const { client } = await serve(scripted(() => "one\ntwo\nthree"));
    const request = { model: "scripted", prompt: "x", stop: ["two", "\nthree", "o\n"], logprobs: 0 };
    const { choices, usage } = await client.completions.create(request);
    expect(choices[0]).toMatchObject({ text: "one\n", finish_reason: "stop" });
    expect(choices[0].logprobs?.tokens?.join("")).toBe("one\n");
    expect(usage?.completion_tokens).toBe("one\ntwo".length);
    let streamed = "";
    for await (const chunk of await client.completions.create({ ...request, stream: true })) {
      streamed += chunk.choices[0].text;
    }
    expect(streamed).toBe("one\n");
  });

  test("a seed gives the same again; without one it is another", async () => {
    const { client } = await serve(scripted(({ random }) => String(random.integer(0, 1e9))));
    const ask = async (seed?: number) =>
      (await client.completions.create({ model: "scripted", prompt: "x", ...(seed !== undefined && { seed }) }))
        .choices[0].text;
    expect(await ask(7)).toBe(await ask(7));
    expect(await ask(7)).not.toBe(await ask(8));
    expect(await ask()).not.toBe(await ask());
    const same = { model: "scripted", prompt: ["x", "x"], seed: 7 };
    const [first, second] = (await client.completions.create(same)).choices;
    expect(first.text).toBe(await ask(7));
    expect(second.text).not.toBe(first.text);
  });
});

describe("together", () => {
  test("what waits with equal options is sampled in one call, and nothing else with it", async () => {
    const player = echo();
    const { client, waiting } = await serve(player);
    const ask = (prompt: string, more: object = {}) =>
      client.completions.create({ model: "scripted", prompt, ...more });
    player.hold();
    const first = ask("first");
    await until(() => player.calls.length === 1);
    const others = [ask("a", { n: 2 }), ask("b"), ask("c", { temperature: 0 }), ask("d", { max_tokens: 3 })];
    await until(() => waiting() === 4);
    player.release();
    expect((await first).choices[0].text).toBe("first#0");
    const texts = (await Promise.all(others)).map(({ choices }) => choices.map(({ text }) => text));
    expect(texts).toEqual([["a#0", "a#1"], ["b#0"], ["c#0"], ["d#0"]]);
    const prompts = player.calls.map(({ asks }) => asks.map((one) => player.tokenizer.decode(one.promptTokens)).sort());
    expect(prompts).toHaveLength(4);
    expect(prompts[0]).toEqual(["first"]);
    expect(prompts).toContainEqual(["a", "b"]);
    expect(prompts).toContainEqual(["c"]);
    expect(prompts).toContainEqual(["d"]);
  });

  test("too many that wait are sent away, with a time to come back", async () => {
    const player = echo();
    const { client } = await serve(player, { mostWaiting: 2 });
    const ask = (prompt: string, stream = false) => client.completions.create({ model: "scripted", prompt, stream });
    player.hold();
    const first = ask("0");
    await until(() => player.calls.length === 1);
    const asked = [ask("1"), ask("2"), ask("3"), ask("4", true)].map((one) =>
      one.then(
        () => "answered" as const,
        (error: unknown) => (error instanceof OpenAI.RateLimitError ? error : expect.fail(String(error))),
      ),
    );
    let refused = 0;
    for (const one of asked) void one.then((came) => typeof came === "object" && refused++);
    await until(() => refused === 2);
    player.release();
    await first;
    const came = await Promise.all(asked);
    expect(came.filter((one) => one === "answered")).toHaveLength(2);
    const error = came.find((one) => typeof one === "object");
    expect(error).toMatchObject({ status: 429, code: "too_many_waiting", type: "rate_limit_error" });
    expect(Number((error as InstanceType<typeof OpenAI.RateLimitError>).headers?.get("retry-after"))).toBeGreaterThan(
      0,
    );
    // There is room again.
    await ask("5");
  });

  test.each([false, true])("a client that goes while it waits is not sampled for (stream: %s)", async (stream) => {
    const player = echo();
    const { client, reported, waiting } = await serve(player);
    const ask = (prompt: string, options: object = {}) =>
      client.completions.create({ model: "scripted", prompt, stream }, options);
    player.hold();
    const first = client.completions.create({ model: "scripted", prompt: "first" });
    await until(() => player.calls.length === 1);
    const controller = new AbortController();
    const gone = ask("gone", { signal: controller.signal }).then(
      async (reply) => {
        if ("controller" in reply) for await (const _ of reply) expect.fail("nothing comes");
      },
      () => undefined,
    );
    await until(() => waiting() === 1);
    controller.abort();
    await gone;
    await until(() => waiting() === 0);
    player.release();
    await first;
    await client.completions.create({ model: "scripted", prompt: "last" });
    const prompts = player.calls.map(({ asks }) => player.tokenizer.decode(asks[0].promptTokens));
    expect(prompts).toEqual(["first", "last"]);
    expect(reported).toEqual([]);
  });

  test.each([false, true])("one that goes while it is sampled for harms nobody (stream: %s)", async (stream) => {
    const player = echo();
    const { client, reported } = await serve(player);
    player.hold();
    const controller = new AbortController();
    const request = { model: "scripted", prompt: "x".repeat(1000), max_tokens: 1000, stream };
    const gone = client.completions.create(request, { signal: controller.signal }).catch(() => null);
    await until(() => player.calls.length === 1);
    controller.abort();
    await gone;
    player.release();
    expect((await client.completions.create({ model: "scripted", prompt: "y" })).choices[0].text).toBe("y#0");
    expect(reported).toEqual([]);
  });

  test("an engine that fails is said to those who waited, also in a stream, and the next are answered", async () => {
    let broken = true;
    const player = echo();
    const { client, reported } = await serve({
      ...player,
      sample: async (asks, options, listener) => {
        if (broken) throw new Error("a secret path");
        return player.sample(asks, options, listener);
      },
    });
    const request = { model: "scripted", prompt: "x" };
    await expect(client.completions.create(request)).rejects.toMatchObject({ status: 500, type: "server_error" });
    const read = async () => {
      for await (const chunk of await client.completions.create({ ...request, stream: true })) expect.fail(chunk.id);
    };
    await expect(read()).rejects.toThrow(/its own output says how/);
    expect(reported.map(String)).toEqual(["Error: a secret path", "Error: a secret path"]);
    broken = false;
    expect((await client.completions.create(request)).choices[0].text).toBe("x#0");
  });
});
