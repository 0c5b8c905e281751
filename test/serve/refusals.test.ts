// What the server refuses, and how it says so: parameters by name, requests of others, bodies that are none.
import { request as httpRequest } from "node:http";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UnsupportedError, UsageError } from "../../src/errors.ts";
import { checkServeKey } from "../../src/serve/serve.ts";
import { afterwards, type Served, scripted, serve } from "./servers.ts";

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A request with headers that `fetch` does not let one set. */
function raw(
  { port }: Served,
  { method = "POST", path = "/v1/completions", headers = {}, body }: Sent,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const json = { "content-type": "application/json" };
    const sent = httpRequest({ host: "127.0.0.1", port, path, method, headers: { ...json, ...headers } }, (reply) => {
      let text = "";
      reply.on("data", (chunk) => {
        text += chunk;
      });
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

interface ErrorReply {
  readonly error: { message: string; type: string; param: string | null; code: string | null };
}

const errorOf = ({ body }: Reply) => (JSON.parse(body) as ErrorReply).error;
const echo = (room?: number) => scripted(({ prompt }) => prompt, room);
const good = { model: "scripted", prompt: "x" };
const chat = { model: "scripted", messages: [{ role: "user", content: "x" }] };

async function post(served: Served, body: object): Promise<Reply> {
  const path = "messages" in body ? "/v1/chat/completions" : "/v1/completions";
  return raw(served, { path, body: JSON.stringify(body) });
}

describe("parameters", () => {
  test.each<[object, string, string]>([
    [{ ...good, temprature: 1 }, "temprature", "unknown_parameter"],
    [{ ...good, temperature: 2.1 }, "temperature", "invalid_value"],
    [{ ...good, temperature: "1" }, "temperature", "invalid_value"],
    [{ ...good, top_p: 0 }, "top_p", "invalid_value"],
    // The scripted engine has none.
    [{ ...good, top_p: 0.5 }, "top_p", "unsupported_parameter"],
    [{ ...good, n: 0 }, "n", "invalid_value"],
    [{ ...good, n: 1.5 }, "n", "invalid_value"],
    [{ ...good, n: 129 }, "n", "invalid_value"],
    [{ ...good, prompt: ["a", "b", "c"], n: 100 }, "n", "invalid_value"],
    [{ ...good, seed: 2 ** 53 }, "seed", "invalid_value"],
    [{ ...good, max_tokens: 0 }, "max_tokens", "invalid_value"],
    [{ ...good, max_tokens: 100 }, "max_tokens", "context_length_exceeded"],
    [{ ...good, max_completion_tokens: 1 }, "max_completion_tokens", "unknown_parameter"],
    [{ ...good, prompt: "x".repeat(64) }, "prompt", "context_length_exceeded"],
    [{ ...good, prompt: "" }, "prompt", "invalid_value"],
    [{ ...good, prompt: [] }, "prompt", "invalid_value"],
    [{ ...good, prompt: [1, 2] }, "prompt", "invalid_value"],
    [{ model: "scripted" }, "prompt", "invalid_value"],
    [{ ...good, prompt: null }, "prompt", "invalid_value"],
    [{ prompt: "x" }, "model", "invalid_value"],
    [{ ...good, stop: "" }, "stop", "invalid_value"],
    [{ ...good, stop: ["a", "b", "c", "d", "e"] }, "stop", "invalid_value"],
    [{ ...good, stop: "\u{D83D}" }, "stop", "invalid_value"],
    [{ ...good, logprobs: 1 }, "logprobs", "unsupported_value"],
    [{ ...good, logprobs: 2, temperature: 0 }, "logprobs", "unsupported_value"],
    [{ ...good, logprobs: true }, "logprobs", "invalid_value"],
    [{ ...good, echo: true }, "echo", "unsupported_parameter"],
    [{ ...good, best_of: 2 }, "best_of", "unsupported_parameter"],
    [{ ...good, suffix: "y" }, "suffix", "unsupported_parameter"],
    [{ ...good, presence_penalty: 0.1 }, "presence_penalty", "unsupported_parameter"],
    [{ ...good, frequency_penalty: -0.1 }, "frequency_penalty", "unsupported_parameter"],
    [{ ...good, logit_bias: { 5: 100 } }, "logit_bias", "unsupported_parameter"],
    [{ ...good, stream: "yes" }, "stream", "invalid_value"],
    [{ ...good, stream_options: { include_usage: true } }, "stream_options", "invalid_value"],
    [{ ...good, stream: true, stream_options: { usage: true } }, "stream_options.usage", "unknown_parameter"],
    [{ ...chat, messages: [] }, "messages", "invalid_value"],
    [{ ...chat, messages: "x" }, "messages", "invalid_value"],
    [{ ...chat, messages: ["x"] }, "messages[0]", "invalid_value"],
    [{ ...chat, messages: [{ role: "tool", content: "x" }] }, "messages[0].role", "invalid_value"],
    [{ ...chat, messages: [{ role: "user" }] }, "messages[0].content", "invalid_value"],
    [
      { ...chat, messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] },
      "messages[0].content",
      "invalid_value",
    ],
    [{ ...chat, messages: [{ role: "user", content: "x", name: "me" }] }, "messages[0].name", "unknown_parameter"],
    [{ ...chat, max_tokens: 1, max_completion_tokens: 2 }, "max_tokens", "invalid_value"],
    [{ ...chat, max_completion_tokens: 100 }, "max_completion_tokens", "context_length_exceeded"],
    [{ ...chat, messages: [{ role: "user", content: "x".repeat(64) }] }, "messages", "context_length_exceeded"],
    [{ ...chat, top_logprobs: 0, logprobs: true, tools: [{ type: "function" }] }, "tools", "unsupported_parameter"],
    [{ ...chat, top_logprobs: 1 }, "top_logprobs", "invalid_value"],
    [{ ...chat, top_logprobs: 1, logprobs: true }, "top_logprobs", "unsupported_value"],
    [{ ...chat, response_format: { type: "json_object" } }, "response_format", "unsupported_parameter"],
    [{ ...chat, reasoning_effort: "low" }, "reasoning_effort", "unsupported_parameter"],
  ])("%j", async (body, param, code) => {
    const player = echo(64);
    const reply = await post(await serve(player), body);
    expect(reply.status).toBe(400);
    const error = errorOf(reply);
    expect(error).toMatchObject({ type: "invalid_request_error", param, code });
    expect(error.message).toContain(param.split(/[.[]/)[0]);
    expect(player.calls).toEqual([]);
  });

  test.each([
    { ...good, n: null, stop: null, seed: null, logprobs: null, user: "me", stream_options: null },
    { ...good, presence_penalty: 0, frequency_penalty: 0, logit_bias: {}, echo: false, suffix: null, best_of: null },
    { ...good, logprobs: 1, temperature: 0 },
    { ...chat, tools: [], tool_choice: "none", response_format: { type: "text" }, store: false, metadata: { a: "b" } },
    { ...chat, max_tokens: 5, max_completion_tokens: 5, parallel_tool_calls: true, service_tier: "auto" },
    { ...chat, stream: true, stream_options: { include_obfuscation: false } },
  ])("what changes nothing is taken: %j", async (body) => {
    expect(await post(await serve(echo()), body)).toMatchObject({ status: 200 });
  });

  test("any body at all is answered with a sentence, and nothing is sampled for one that is wrong", async () => {
    const player = echo();
    const served = await serve(player);
    const bodies = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .record({ model: fc.constant("scripted"), prompt: fc.anything(), n: fc.anything(), stop: fc.anything() })
        .map(asJson),
      fc.record({ model: fc.constant("scripted"), messages: fc.array(fc.anything()), seed: fc.anything() }).map(asJson),
    );
    const path = fc.constantFrom("/v1/completions", "/v1/chat/completions");
    await fc.assert(
      fc.asyncProperty(bodies, path, async (body, to) => {
        const before = player.calls.length;
        const reply = await raw(served, { path: to, body });
        if (reply.status === 200) return;
        expect([400, 404]).toContain(reply.status);
        expect(errorOf(reply).message).toMatch(/.+/);
        expect(player.calls.length).toBe(before);
      }),
      { numRuns: 200 },
    );
    expect(served.reported).toEqual([]);
  });

  test("a model without a chat template says so, and completes", async () => {
    const player = echo();
    const encodeChat = (): number[] => {
      throw new UnsupportedError("The model x has no chat template.", "Use another.");
    };
    const served = await serve({ ...player, tokenizer: { ...player.tokenizer, encodeChat } });
    const error = errorOf(await post(served, chat));
    expect(error).toMatchObject({ param: "messages", message: "The model x has no chat template. Use another." });
    expect((await post(served, good)).status).toBe(200);
  });

  test("another model is not there", async () => {
    const reply = await post(await serve(echo()), { ...good, model: "gpt-4o" });
    expect(reply.status).toBe(404);
    expect(errorOf(reply)).toMatchObject({ param: "model", code: "model_not_found" });
    expect(errorOf(reply).message).toContain('"scripted"');
  });
});

const asJson = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one)) ?? "";

describe("requests", () => {
  const body = JSON.stringify(good);

  test.each<[string, Sent, number]>([
    ["another name of the host", { body, headers: { host: "evil.example" } }, 403],
    ["another origin", { body, headers: { origin: "http://evil.example" } }, 403],
    ["another server of this machine", { body, headers: { origin: "http://127.0.0.1:3000" } }, 403],
    ["a page of another site", { body, headers: { "sec-fetch-site": "cross-site" } }, 403],
    ["a form", { body, headers: { "content-type": "text/plain" } }, 415],
    ["no JSON", { body: "{" }, 400],
    ["nothing", { body: "" }, 400],
    ["a list", { body: "[]" }, 400],
    ["too long", { body: `"${"x".repeat(1 << 20)}"` }, 413],
    ["too long, in chunks", { body: `"${"x".repeat(1 << 20)}"`, headers: { "transfer-encoding": "chunked" } }, 413],
    ["GET where it takes POST", { method: "GET" }, 405],
    ["a preflight", { method: "OPTIONS", headers: { origin: "http://evil.example" } }, 403],
    ["another path", { path: "/v1/embeddings", body }, 404],
    ["a path out of the tree", { path: "/v1/models/..%2f..%2fetc/passwd", method: "GET" }, 404],
    ["a path that is no text", { path: "/v1/models/%ff", method: "GET" }, 404],
  ])("%s", async (_, sent, status) => {
    const player = echo();
    const served = await serve(player);
    const reply = await raw(served, sent);
    expect(reply.status).toBe(status);
    expect(errorOf(reply).message).toMatch(/\.$|:/);
    expect(reply.headers["access-control-allow-origin"]).toBeUndefined();
    expect(player.calls).toEqual([]);
    expect(served.reported).toEqual([]);
  });

  test("with a key, only who sends it", async () => {
    const served = await serve(echo(), { key: "correct horse".replace(" ", "-") });
    const status = async (authorization?: string) =>
      (await raw(served, { body, headers: authorization === undefined ? {} : { authorization } })).status;
    expect(await status()).toBe(401);
    expect(await status("Bearer wrong")).toBe(401);
    expect(await status("Basic correct-horse")).toBe(401);
    expect(await status("Bearer correct-horse")).toBe(200);
    const models = await raw(served, { path: "/v1/models", method: "GET" });
    expect(models.status).toBe(401);
    expect(models.headers["www-authenticate"]).toBe("Bearer");
    expect(errorOf(models)).toMatchObject({ code: "invalid_api_key" });
    expect((await served.client.models.list()).data).toHaveLength(1);
  });

  test("beyond this machine a key is needed, and a good one", () => {
    const refused = (host: string, key: string | null) => () => checkServeKey({ host, key });
    expect(refused("0.0.0.0", null)).toThrow(UsageError);
    expect(refused("::", "short")).toThrow(/at least 16/);
    expect(refused("127.0.0.1", "two words")).toThrow(/visible ASCII/);
    expect(refused("192.168.1.2", "0123456789abcdef")).not.toThrow();
    expect(refused("127.0.0.1", null)).not.toThrow();
  });

  test("a port that is taken is refused, not changed", async () => {
    const first = await serve(echo());
    await expect(serve(echo(), { port: first.port })).rejects.toThrow(`Port ${first.port} is taken.`);
  });

  test("an end while it samples ends the waiting too", async () => {
    const player = echo();
    const served = afterwards(await serve(player));
    player.hold();
    const asked = raw(served, { body }).then(
      () => expect.fail("nothing was sampled"),
      (error: NodeJS.ErrnoException) => error.code,
    );
    while (player.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await served[Symbol.asyncDispose]();
    expect(await asked).toBe("ECONNRESET");
    player.release();
  });
});
