// The heartbeat's thread: it beats whatever the main thread does, and tells what comes of it.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterEach, expect, it, vi } from "vitest";
import { addressOf } from "../../../src/engine/tinker/client/address.ts";
import {
  type Heartbeat,
  type HeartbeatNews,
  startHeartbeat,
} from "../../../src/engine/tinker/client/heartbeat/heartbeat.ts";

/** A server in a thread of its own, which counts the beats where this thread can see them while it stands still. */
const server = `
  const { createServer } = require("node:http");
  const { parentPort, workerData } = require("node:worker_threads");
  const beats = new Int32Array(workerData.beats);
  createServer((request, response) => {
    request.resume().on("end", () => {
      Atomics.add(beats, 0, 1);
      Atomics.notify(beats, 0);
      const answer = workerData.answers[Math.min(beats[0], workerData.answers.length) - 1];
      if (answer === "hang up") return request.socket.destroy();
      response.writeHead(answer).end("{}");
    });
  }).listen(0, "127.0.0.1", function () { parentPort.postMessage(this.address().port); });
`;

const open: { worker: Worker; heartbeat: Heartbeat }[] = [];
afterEach(async () => {
  for (const { worker, heartbeat } of open.splice(0)) {
    await heartbeat.stop();
    await worker.terminate();
  }
});

async function beat(answers: readonly (number | "hang up")[]) {
  const shared = new SharedArrayBuffer(4);
  const worker = new Worker(server, { eval: true, workerData: { beats: shared, answers } });
  const [port] = (await once(worker, "message")) as [number];
  const news: HeartbeatNews[] = [];
  const data = { address: addressOf(`http://127.0.0.1:${port}`, {}), sessionId: "one", everySeconds: 0.02 };
  open.push({ worker, heartbeat: startHeartbeat(data, (item) => news.push(item)) });
  return { beats: new Int32Array(shared), news };
}

it("goes on while the main thread stands still", async () => {
  const { beats, news } = await beat([200]);
  // No timer and no answer gets through here: this is what a long computation does.
  for (let seen = 0; seen < 5; seen = Atomics.load(beats, 0)) {
    expect(Atomics.wait(beats, 0, seen, 30_000)).not.toBe("timed-out");
  }
  expect(news).toEqual([]);
});

it("tells of beats that were not answered well, with the time since one was, and goes on", async () => {
  const { news, beats } = await beat([503, "hang up", 200]);
  await vi.waitUntil(() => beats[0] >= 4, 30_000);
  expect(news).toHaveLength(2);
  expect(news[0]).toMatchObject({ kind: "missed", reason: "the server answered 503", seconds: expect.any(Number) });
  expect(news[1]).toMatchObject({ kind: "missed" });
});

it("tells of a session that the server does not know, once, and ends", async () => {
  const { news, beats } = await beat([200, 404]);
  await vi.waitUntil(() => news.length > 0, 30_000);
  expect(news).toEqual([{ kind: "lost", status: 404 }]);
  await sleep(100);
  expect(beats[0]).toBe(2);
});
