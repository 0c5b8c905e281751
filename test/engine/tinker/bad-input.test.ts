// What is wrong with server, key, model, answers, and the world between: one sentence that says what to do, and nothing hangs
// without saying why. What goes wrong in the middle of a run is in bad-answers.test.ts.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { afterAll, describe, expect, it, vi } from "vitest";
import { RunStoppedError, UnsupportedError, UsageError } from "../../../src/errors.ts";
import { adam, connect, datum, key, open, refusal, reply, sampleOf } from "./bad-server.ts";
import type { TestServerOptions } from "./test-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-bad-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("before any work", () => {
  it("an address that is none, or nothing there, or something else", async () => {
    expect(await refusal(() => connect("localhost:8000"))).toBeInstanceOf(UsageError);
    expect(await refusal(() => connect("http://user:pass@127.0.0.1:1"))).toMatchObject({
      message: expect.stringContaining("user name or password"),
    });
    const nobody = await refusal(() => connect("http://127.0.0.1:9"));
    expect(nobody).toBeInstanceOf(UsageError);
    expect(nobody.message).toMatch(/No server answers at http:\/\/127.0.0.1:9/);
    const page = createServer((_, response) => response.end("<html>It works!</html>"));
    await new Promise<void>((listening) => page.listen(0, "127.0.0.1", listening));
    const other = await refusal(() => connect(`http://127.0.0.1:${(page.address() as AddressInfo).port}`));
    page.close();
    expect(other.message).toMatch(/no Tinker server|JSON/);
    const missing = await refusal(() => open({ instead: () => reply(404, { detail: "Not Found" }) }));
    expect(missing).toMatchObject({
      message: expect.stringContaining("there is no Tinker server"),
      hint: expect.stringContaining("--base-url"),
    });
  });

  it("a redirect, a server that fails, one that asks to wait, and a page where messages should be", async () => {
    const location = "https://elsewhere.example/api/v1/client/config?secret=1";
    const moved = await refusal(() => open({ instead: () => ({ ...reply(308, {}), headers: { location } }) }));
    expect(moved.message).toMatch(/redirects to https:\/\/elsewhere\.example\/api\/v1\/client\/config \(308\)/);
    expect(moved.hint).toContain("--base-url");
    const failing = await refusal(() => open({ instead: () => reply(500, { detail: "no disk" }) }));
    expect(failing.message).toMatch(/does not work now: the server answered 500: no disk/);
    const full = { ...reply(429, {}), headers: { "retry-after": "1" } };
    const busy = await refusal(() => open({ instead: () => full }));
    expect(busy.message).toContain("the server asks to wait (429)");
    let asked = 0;
    await using waited = await open({ instead: () => (asked++ < 5 ? full : undefined) }, { patienceSeconds: 60 });
    expect(waited.engine.capabilities.name).toBe("tinker");
    for (const where of ["client/config", "get_server_capabilities", "create_session"]) {
      const page = { status: 200, headers: { "content-type": "text/html" }, body: "<html>Log in</html>" };
      const error = await refusal(() => open({ instead: (path) => (path === where ? page : undefined) }));
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toMatch(/there is something, but no Tinker server \(.*<html>/);
    }
  });

  it("https where there is no TLS, and something that hangs up", async () => {
    const plain = createServer((_, response) => response.end("{}"));
    await new Promise<void>((listening) => plain.listen(0, "127.0.0.1", listening));
    const { port } = plain.address() as AddressInfo;
    const tls = await refusal(() => connect(`https://127.0.0.1:${port}`));
    plain.close();
    expect(tls).toMatchObject({
      message: expect.stringContaining("speaks no TLS"),
      hint: expect.stringContaining("http://"),
    });
    const rude = createServer((request) => request.socket.destroy());
    await new Promise<void>((listening) => rude.listen(0, "127.0.0.1", listening));
    const broken = await refusal(() => connect(`http://127.0.0.1:${(rude.address() as AddressInfo).port}`));
    rude.close();
    expect(broken.message).toContain("takes connections and does not answer as a Tinker server");
    expect(broken.hint).toContain("https://");
  });

  it("a wrong key, a missing one, and one that can be none", async () => {
    const wrong = await refusal(() => open({ instead: () => reply(401, { detail: "Invalid key" }) }));
    expect(wrong).toMatchObject({
      message: expect.stringContaining("does not accept the key (401: Invalid key)"),
      hint: expect.stringContaining("TINKER_API_KEY"),
    });
    const none = await refusal(() => connect("https://tinker.example", { environment: {} }));
    expect(none.message).toContain("TINKER_API_KEY is not set");
    const broken = await refusal(() =>
      connect("https://tinker.example", { environment: { TINKER_API_KEY: `${key}\n` } }),
    );
    expect(broken.message).toContain("characters that no key has");
  });

  it("a model that the server does not serve, and a loss or an option that it lacks", async () => {
    const other = await refusal(() => open({}, { model: "huge" }));
    expect(other).toMatchObject({
      message: expect.stringContaining('does not serve the model "huge"'),
      hint: expect.stringContaining("tiny"),
    });
    const own = { sqlm: { loss_functions: ["cross_entropy"], top_p: false, top_k: false } };
    await using opened = await open({ introduction: own });
    await using policy = await opened.engine.openPolicy();
    expect(await refusal(() => policy.forwardBackward([datum], "cispo"))).toBeInstanceOf(UnsupportedError);
    expect(opened.server.done).toEqual([]);
  });

  it("tries the losses of a server that it does not know", async () => {
    const picky: TestServerOptions["instead"] = (path, _, body) =>
      path === "forward_backward" && /ppo|cispo/.test(body.toString("latin1"))
        ? reply(422, { detail: "no such loss" })
        : undefined;
    await using opened = await open({ introduction: {}, instead: picky });
    expect(opened.engine.capabilities.lossFunctions).toEqual(["cross_entropy", "importance_sampling"]);
    await using policy = await opened.engine.openPolicy();
    // On the model that they were tried on, whose gradient is still zero.
    expect((await policy.optimStep(adam)).metrics).toEqual({ gradNorm: 0, step: 1 });
  });
});

it.each([400, 415, 422, 500])("speaks JSON to an unknown server that answers protobuf with %i", async (status) => {
  const instead: TestServerOptions["instead"] = (path, { headers }) =>
    path === "forward_backward" && headers["content-type"]?.includes("protobuf") === true
      ? reply(status, { detail: "no JSON" })
      : undefined;
  await using opened = await open({ introduction: {}, instead });
  await using policy = await opened.engine.openPolicy();
  expect((await policy.forwardBackward([datum], "ppo")).logprobs).toHaveLength(1);
  const sent = opened.server.seen.filter(({ path }) => path === "forward_backward");
  expect(sent.map(({ headers }) => headers["content-type"]?.includes("protobuf"))).toEqual([
    true,
    ...sent.slice(1).map(() => false),
  ]);
});

describe("on the way", () => {
  it("an answer that is no message, or larger than is read", async () => {
    const garbage = {
      status: 200,
      headers: { "content-type": "application/x-protobuf" },
      body: new Uint8Array([255, 255, 1]),
    };
    let bad = false;
    const instead: TestServerOptions["instead"] = (path) => (bad && path === "retrieve_future" ? garbage : undefined);
    await using opened = await open({ instead }, { mostBytes: 5000 });
    await using policy = await opened.engine.openPolicy();
    bad = true;
    const unread = await refusal(() => sampleOf(policy));
    expect(unread).toBeInstanceOf(RunStoppedError);
    expect(unread.message).toMatch(/no message of the Tinker protocol \(SampleResponse: 3 bytes/);
    expect(unread.hint).toContain("sqlm resume");
    expect((await refusal(() => policy.forwardBackward([datum], "ppo"))).message).toMatch(
      /ForwardBackwardOutput: 3 bytes/,
    );
    garbage.body = new Uint8Array(6000);
    expect((await refusal(() => sampleOf(policy))).message).toMatch(/larger than/);
    // Without its length, read until it is too long.
    Object.assign(garbage.headers, { "transfer-encoding": "chunked" });
    expect((await refusal(() => sampleOf(policy))).message).toMatch(/larger than/);
    bad = false;
    expect(await sampleOf(policy)).toHaveLength(1);
  });

  it("gives up on a server that stays away, and says what was being done", async () => {
    let away = false;
    const instead: TestServerOptions["instead"] = () => (away ? reply(503, { detail: "restarting" }) : undefined);
    await using opened = await open({ instead });
    await using policy = await opened.engine.openPolicy();
    away = true;
    const error = await refusal(() => sampleOf(policy));
    expect(error).toBeInstanceOf(RunStoppedError);
    expect(error.message).toMatch(/(sampling|opening a sampler) failed: the server answered 503: restarting/);
    expect(error.hint).toContain("sqlm resume");
  });

  it("ends every call when the server no longer knows the session", async () => {
    let lost = false;
    const instead: TestServerOptions["instead"] = (path) =>
      lost && path === "session_heartbeat" ? reply(404, { detail: "Session not found" }) : undefined;
    await using opened = await open({ instead }, { heartbeatSeconds: 0.05 });
    await using policy = await opened.engine.openPolicy();
    lost = true;
    await vi.waitFor(async () => {
      const error = await refusal(() => sampleOf(policy));
      expect(error.message).toContain("no longer knows this session (404)");
    }, 30_000);
  });

  it("does not do an update twice that a server may have done, where the server does not number them", async () => {
    let armed = false;
    const instead: TestServerOptions["instead"] = (path, request) => {
      if (!armed || path !== "optim_step") return undefined;
      request.socket.destroy();
      return undefined;
    };
    await using opened = await open({ introduction: {}, instead });
    await using policy = await opened.engine.openPolicy();
    await policy.forwardBackward([datum], "ppo");
    armed = true;
    const error = await refusal(() => policy.optimStep(adam));
    expect(error).toBeInstanceOf(RunStoppedError);
    expect(error.message).toContain("It may have been carried out or not");
    expect(opened.server.done.filter(({ what }) => what === "optim_step")).toHaveLength(1);
  });

  it("cares for no clock on the wall", async () => {
    await using opened = await open();
    await using policy = await opened.engine.openPolicy();
    const clock = vi.spyOn(Date, "now");
    for (const jump of [0, 4e12, -4e12]) {
      clock.mockReturnValue(Math.max(0, 1.8e12 + jump));
      await sampleOf(policy);
      await policy.forwardBackward([datum], "ppo");
      expect((await policy.optimStep(adam)).metrics["step"]).toBeGreaterThan(0);
    }
    clock.mockRestore();
  });
});

describe("adapters that are downloaded", () => {
  const config = new TextEncoder().encode("{}");
  const header = JSON.stringify({ a: { dtype: "F32", shape: [2], data_offsets: [0, 8] } });
  const weights = Buffer.concat([Buffer.alloc(8), Buffer.from(header), Buffer.alloc(8)]);
  weights.writeBigUInt64LE(BigInt(header.length));
  const archive = async (name = "adapter_model.safetensors"): Promise<Buffer> =>
    gzipSync(
      await packTar([
        { header: { name: "adapter_config.json", size: config.length }, body: config },
        { header: { name, size: weights.length }, body: new Uint8Array(weights) },
        { header: { name: "../outside.txt", size: config.length }, body: config },
      ]),
    );

  async function save(bytes: Buffer): Promise<{ readonly files: string[]; readonly notes: string[] }> {
    const instead: TestServerOptions["instead"] = (path, { headers }) => {
      if (path.endsWith("/archive")) return { status: 302, headers: { location: `http://${headers.host}/download` } };
      return path === "/download" ? { status: 200, body: bytes } : undefined;
    };
    await using opened = await open({ instead });
    await using policy = await opened.engine.openPolicy();
    const at = mkdtempSync(join(folder, "save-"));
    await policy.save(at, { optimizer: true });
    await policy.load(at, { optimizer: true });
    return { files: readdirSync(at), notes: opened.notes };
  }

  it("lie in the checkpoint as a PEFT folder, and nothing outside of it", async () => {
    const { files, notes } = await save(await archive());
    expect(notes).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining(["adapter_config.json", "adapter_model.safetensors", "tinker.json", "tokenizer.json"]),
    );
    expect(readdirSync(folder)).not.toContain("outside.txt");
  });

  it("are left out, with a sentence that says why, where an archive is cut off or holds none", async () => {
    const whole = await archive();
    for (const bytes of [whole.subarray(0, whole.length - 30), Buffer.from("<html>"), await archive("model.bin")]) {
      const { files, notes } = await save(bytes);
      expect(files).toContain("tinker.json");
      expect(files.filter((name) => name.startsWith("adapter"))).toEqual([]);
      expect(notes).toHaveLength(1);
      expect(notes[0]).toMatch(/no copy of the adapter.*sqlm export adapter/);
    }
  });
});

it("keeps the key out of checkpoints, notes and what a player says of itself", async () => {
  await using opened = await open();
  await using policy = await opened.engine.openPolicy();
  const at = mkdtempSync(join(folder, "key-"));
  await policy.save(at, { optimizer: true });
  const texts = readdirSync(at).map((name) => readFileSync(join(at, name), "latin1"));
  const said = JSON.stringify([policy.capabilities, opened.notes, opened.waits]);
  expect([...texts, said].join("\n")).not.toContain("Secret");
  expect(opened.server.seen.every(({ headers }) => headers["x-api-key"] === key)).toBe(true);
});
