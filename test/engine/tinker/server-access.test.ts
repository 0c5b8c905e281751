// Who may ask, and what those get who ask for what is not there.
import { describe, expect, test } from "vitest";
import { createScriptedEngine } from "../../../src/engine/scripted.ts";
import { checkTinkerKey, serveTinker } from "../../../src/engine/tinker/server/serve.ts";
import { UsageError } from "../../../src/errors.ts";
import { newFolder, served } from "./served.ts";

const key = "tml-0123456789abcdef";

describe("access", () => {
  test("beyond this machine a key is needed, of the kind that the official SDK sends", () => {
    const refused = (host: string, given: string | null) => () => checkTinkerKey({ host, key: given });
    expect(refused("0.0.0.0", null)).toThrow(UsageError);
    expect(refused("0.0.0.0", "tml-short")).toThrow("at least 16 characters");
    expect(refused("0.0.0.0", "0123456789abcdef0123")).toThrow("must begin with tml-");
    expect(refused("127.0.0.1", "tml-a b")).toThrow("visible ASCII");
    expect(refused("0.0.0.0", key)).not.toThrow();
    expect(refused("127.0.0.1", null)).not.toThrow();
  });

  test("the key is asked for everywhere but where a check of health is answered", async () => {
    const server = served({ key });
    expect((await server.get("get_server_capabilities")).status).toBe(200);
    for (const [given, says] of [
      ["", "The key is wrong"],
      ["tml-0123456789abcdeg", "The key is wrong"],
    ]) {
      const { status, body } = await server.post("create_session", { tags: [] }, { "x-api-key": given });
      expect([status, body]).toEqual([401, { detail: expect.stringContaining(says) }]);
    }
    const health = await server.send("GET", "healthz", undefined, { "x-api-key": "" });
    expect(await health.json()).toEqual({ status: "ok" });
  });

  test("pages of other origins and names that are not this machine's get nothing", async () => {
    const server = served();
    for (const headers of [
      { host: "evil.example:4770" },
      { origin: "https://evil.example" },
      { "sec-fetch-site": "cross-site" },
    ]) {
      expect(await server.post("create_session", { tags: [] }, headers)).toMatchObject({
        status: 403,
        body: { detail: expect.any(String) },
      });
    }
  });

  test("on a socket it says where it is, and ends with what is open", async () => {
    await using engine = createScriptedEngine({ reply: () => "x" });
    const model = { names: ["tiny"], tokenizer: null, architecture: null } as const;
    const options = { engine, model, folder: newFolder(), host: "127.0.0.1", key: null, report: () => undefined };
    const server = await serveTinker({ ...options, port: 0 });
    const capabilities = await (await fetch(`${server.url}/api/v1/get_server_capabilities`)).json();
    expect(capabilities).toEqual({
      supported_models: [{ model_name: "tiny", max_context_length: 4096 }],
      sqlm: {
        loss_functions: ["cross_entropy", "importance_sampling", "ppo", "cispo"],
        top_p: false,
        top_k: false,
        lora_alpha: null,
        lora_rank: null,
        coarse_sampling: false,
      },
    });
    await expect(serveTinker({ ...options, port: server.port })).rejects.toThrow("is taken");
    const held = fetch(`${server.url}/api/v1/retrieve_futures`, { method: "POST", body: "{}" }).catch(() => null);
    await held;
    await server[Symbol.asyncDispose]();
    await expect(fetch(`${server.url}/api/v1/healthz`)).rejects.toThrow();
  });
});

describe("bad requests", () => {
  test.each<[string, string, string | Uint8Array, string, number, string]>([
    ["no JSON", "create_session", "{", "application/json", 400, "no JSON"],
    ["an empty body", "create_model", "", "application/json", 400, "the body is empty"],
    ["a field of another type", "optim_step", '{"model_id": 3}', "application/json", 400, "model_id"],
    [
      "no protobuf",
      "forward_backward",
      new Uint8Array([255, 255, 255]),
      "application/x-protobuf",
      400,
      "no such message",
    ],
    ["an unknown route", "no_such_thing", "{}", "application/json", 404, "There is nothing at POST"],
    ["a route beside the protocol", "/v1/models", "{}", "application/json", 404, "The base URL ends before /api/v1/"],
  ])("%s", async (_, path, body, type, status, says) => {
    const server = served();
    const response = await server.send("POST", path, body, { "content-type": type });
    expect(response.status).toBe(status);
    expect(((await response.json()) as { detail: string }).detail).toContain(says);
    expect(server.reported).toEqual([]);
  });

  test("a body that is packed, or too long, is refused before it is read", async () => {
    const server = served();
    const packed = { "content-type": "application/x-protobuf", "content-encoding": "zstd" };
    const response = await server.send("POST", "forward_backward", new Uint8Array(3), packed);
    expect(response.status).toBe(415);
    const long = { "content-type": "application/json", "content-length": String(2 ** 27) };
    expect((await server.send("POST", "asample", "{}", long)).status).toBe(413);
  });

  test("a defect of the engine is told to whoever runs the server, and not to clients", async () => {
    const engine = createScriptedEngine({
      reply: () => {
        throw new TypeError("secret of the machine");
      },
    });
    const server = served({ engine });
    const sampler = await server.sampler();
    const message = {
      sampling_session_id: sampler,
      seq_id: 0,
      prompt: { chunks: [{ tokens: [1] }] },
      sampling_params: {},
    };
    expect(await server.done("asample", message)).toEqual({
      error: "The server has failed; its own output says how.",
      category: "server",
    });
    expect(server.reported).toEqual([expect.any(TypeError)]);
  });
});
