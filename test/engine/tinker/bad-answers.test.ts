// What a server answers in the middle of a run, kind by kind, for each thing that it is asked: either an end in one sentence, or a
// line that says what is waited for and why. No test waits for a real clock.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ServerError } from "../../../src/engine/tinker/client/connection.ts";
import type { HeartbeatNews } from "../../../src/engine/tinker/client/heartbeat/heartbeat.ts";
import { rowTensor } from "../../../src/engine/tinker/wire/training.ts";
import { encodeTrainingResult } from "../../../src/engine/tinker/wire/training-result.ts";
import { RunStoppedError } from "../../../src/errors.ts";
import { adam, datum, type Opened, open, refusal, reply, sampleOf } from "./bad-server.ts";
import type { TestServerOptions } from "./test-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-answers-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the thread of the heartbeats tells is told here by the tests. */
const heart = vi.hoisted(() => ({ tell: (_: HeartbeatNews): void => undefined }));
vi.mock("../../../src/engine/tinker/client/heartbeat/heartbeat.ts", () => ({
  startHeartbeat: (_: unknown, onNews: (news: HeartbeatNews) => void) => {
    heart.tell = onNews;
    return { useToken: () => undefined, stop: async () => undefined };
  },
}));

type Instead = NonNullable<TestServerOptions["instead"]>;
type Policy = Awaited<ReturnType<Opened["engine"]["openPolicy"]>>;

/** What a run asks for, by the endpoint that it needs. */
const calls: Readonly<Record<string, (policy: Policy, opened: Opened) => Promise<unknown>>> = {
  create_model: (_, { engine }) => engine.openPolicy({ seed: 9 }),
  create_sampling_session: async (_, { engine }) => sampleOf(await engine.openPolicy({ seed: 8 })),
  asample: sampleOf,
  forward_backward: (policy) => policy.forwardBackward([datum], "ppo"),
  optim_step: (policy) => policy.optimStep(adam),
  save_weights: (policy) => policy.save(mkdtempSync(join(folder, "s-")), { optimizer: true }),
  save_weights_for_sampler: async (policy) => {
    await policy.optimStep(adam);
    return sampleOf(policy);
  },
  load_weights: (policy) => policy.load(join(folder, "saved"), { optimizer: true }),
};
const said = "no room on the disk";

describe.each([
  { polls: "one by one", config: {} },
  { polls: "all at once", config: { sample_use_retrieve_futures: true } },
])("asked for results $polls", ({ config }) => {
  let instead: Instead = () => undefined;
  let opened: Opened;
  let policy: Policy;
  beforeAll(async () => {
    // The lines about what is waited for come by an interval.
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    opened = await open({ instead: (...request) => instead(...request), config });
    policy = await opened.engine.openPolicy();
    mkdirSync(join(folder, "saved"), { recursive: true });
    await policy.save(join(folder, "saved"), { optimizer: true });
  }, 60_000);
  afterAll(async () => {
    instead = () => undefined;
    await policy[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
    vi.useRealTimers();
  }, 60_000);

  /** The error of a call while the server answers like this. */
  const failure = async (call: string, how: Instead): Promise<RunStoppedError> => {
    instead = how;
    try {
      const error = await refusal(() => calls[call]!(policy, opened));
      expect(error, call).toBeInstanceOf(RunStoppedError);
      expect(error.message.length).toBeLessThan(600);
      expect(error.hint).toMatch(/sqlm (resume|run)/);
      return error as RunStoppedError;
    } finally {
      instead = () => undefined;
    }
  };
  const only =
    (endpoint: string, answer: ReturnType<Instead>): Instead =>
    (path) =>
      path === endpoint ? answer : undefined;
  const isPoll = (path: string): boolean => path.startsWith("retrieve_future");

  it.each([400, 401, 402, 403, 404, 408, 409, 410, 413, 422, 429, 500, 503])(
    "%i for ever, from any endpoint",
    async (status) => {
      for (const call of Object.keys(calls)) {
        const error = await failure(call, only(call, reply(status, { detail: said })));
        expect(error.message).toMatch(new RegExp(`${status}`));
        if (![402, 429].includes(status)) expect(error.message).toContain(said);
        if (status === 401 || status === 403) expect(error.hint).toContain("TINKER_API_KEY");
        if (status === 402) expect(error.hint).toContain("Pay the account");
        if (status === 422 && call !== "load_weights") expect(error.hint).toContain("its words, or its log");
      }
    },
    60_000,
  );

  it.each([400, 401, 402, 403, 404, 409, 410, 413, 422, 429, 500, 503])(
    "%i for ever, when asked for the result",
    async (status) => {
      for (const call of ["asample", "forward_backward", "optim_step", "create_model", "load_weights"]) {
        const answer = reply(status, { detail: said });
        const error = await failure(call, (path) => (isPoll(path) ? answer : undefined));
        expect(error.message).toMatch(new RegExp(`${status}`));
        if (status === 401) expect(error.hint).toContain("TINKER_API_KEY");
        if (status === 410 && call !== "load_weights") expect(error.stateLost).toBe(true);
      }
    },
    60_000,
  );

  it("a failure that is told through a promise, with a traceback", async () => {
    for (const category of ["user", "server", "unknown"]) {
      const error = `ValueError: \u001b${said}\n  File "x.py", line 1\n${"x".repeat(10 ** 6)}`;
      for (const call of Object.keys(calls).filter((name) => name !== "create_sampling_session")) {
        const answer = reply(200, { error, category });
        const seen = await failure(call, (path) => (path === "retrieve_future" ? answer : undefined));
        expect(seen.message).toMatch(new RegExp(`failed on the server: ValueError: ·${said}\\.$`));
      }
    }
  });

  it("connections that break, whatever is asked", async () => {
    for (const call of Object.keys(calls)) {
      const error = await failure(call, (path, request) => {
        if (path === call) request.socket.destroy();
        return undefined;
      });
      expect(error.message).toMatch(/connection broke|does not give the weights/);
    }
    const error = await failure("optim_step", (path, request) => {
      if (isPoll(path)) request.socket.destroy();
      return undefined;
    });
    expect(error.message).toMatch(/updating the weights failed: the connection broke/);
  });

  it("an answer of 2 GB, with its length and without", async () => {
    const named = { status: 200, headers: { "content-length": String(2 ** 31) }, body: "" };
    for (const call of Object.keys(calls)) {
      expect((await failure(call, only(call, named))).message).toContain("larger than 256 MiB");
      if (call === "create_sampling_session") continue;
      const error = await failure(call, (path) => (isPoll(path) ? named : undefined));
      expect(error.message).toContain("larger than 256 MiB");
    }
    // The size of a result that is told and never sent.
    const sizes = reply(200, { status: "complete_metadata", response_payload_size: 2 ** 31 });
    await waitsFor("forward_backward", sizes, "tells the size of the result and does not send it");
  }, 60_000);

  it("what is no message: cut off, of another kind, or no JSON", async () => {
    const type = { "content-type": "application/x-protobuf" };
    const whole = encodeTrainingResult(
      { outputType: "x", outputs: [{ logprobs: rowTensor("float32", [-1, -1]) }], metrics: {} },
      "protobuf",
    );
    const bodies = [whole.subarray(0, whole.length - 7), new Uint8Array([255, 255, 1]), new Uint8Array()];
    for (const body of bodies) {
      for (const call of ["forward_backward", "asample"]) {
        const answer = { status: 200, headers: type, body };
        const error = await failure(call, (path) => (path === "retrieve_future" ? answer : undefined));
        expect(error.message).toMatch(/no message of the Tinker protocol/);
        expect(error.message).not.toMatch(/\p{C}/u);
      }
    }
    for (const body of ["<html>", "\u001b[2J", "", "[", "null", '"x"', "{}"]) {
      for (const call of Object.keys(calls)) {
        const error = await failure(call, only(call, { status: 200, body }));
        expect(error.message).toMatch(/no message of the Tinker protocol|does not give the weights/);
      }
    }
  });

  /** The call waits while the server answers so, says why and what can be done, and goes on when it is answered. */
  async function waitsFor(call: string, answer: NonNullable<ReturnType<Instead>>, why: string | RegExp): Promise<void> {
    let polls = 0;
    instead = (path) => {
      if (!isPoll(path)) return undefined;
      polls += 1;
      return answer;
    };
    const before = opened.waits.length;
    const going = calls[call]!(policy, opened);
    // So many rests of up to two seconds, on the clock that skips them, are more than a minute.
    while (polls < 100) await sleep(1);
    vi.advanceTimersByTime(2000);
    expect(opened.waits.length).toBeGreaterThan(before);
    instead = () => undefined;
    await going;
    const line = opened.waits.at(-1);
    expect(line).toMatch(
      /^waiting \d+ s for [^:]+: .+; Ctrl-C twice ends it here, and a run goes on with `sqlm resume`$/,
    );
    expect(line).toMatch(why);
  }

  it("408 for ever, and promises that are never kept: waits, and says what for, why, and what can be done", async () => {
    const queue = { queue_state: "paused_capacity", queue_state_reason: "2 ahead" };
    const paused = /: the server has no capacity free \(2 ahead\);/;
    for (const call of ["asample", "forward_backward", "optim_step"]) {
      await waitsFor(call, reply(408, {}), "the server answers that it is not done, without a reason");
      await waitsFor(call, { status: 408, body: "<html>" }, "not done, without a reason");
      await waitsFor(call, reply(408, queue), paused);
      if (call === "asample") continue;
      await waitsFor(call, reply(200, { type: "try_again", request_id: "1", ...queue }), paused);
    }
  }, 60_000);
});

it("a server that holds everything open: waits while its heart beats, then ends", async () => {
  let hangs = false;
  const instead: Instead = () => (hangs ? { status: 0 } : undefined);
  let time = 0;
  const clock = { now: () => time, wait: async () => undefined };
  await using opened = await open({ instead }, { clock });
  await using policy = await opened.engine.openPolicy();
  hangs = true;
  const going = refusal(() => policy.forwardBackward([datum], "ppo"));
  await vi.waitUntil(() => opened.server.seen.at(-1)?.path === "forward_backward", 30_000);
  const ended = vi.fn();
  void going.then(ended);
  time = 1e6;
  heart.tell({ kind: "missed", seconds: 30, reason: "Headers Timeout Error" });
  await sleep(20);
  expect(ended).not.toHaveBeenCalled();
  heart.tell({ kind: "missed", seconds: 601, reason: "Headers Timeout Error" });
  const error = await going;
  expect(error).toBeInstanceOf(ServerError);
  expect(error.message).toBe("The server has said nothing for 601 s, to heartbeats neither (Headers Timeout Error).");
  expect(error.hint).toMatch(/See that the server runs.*sqlm resume/);
});
