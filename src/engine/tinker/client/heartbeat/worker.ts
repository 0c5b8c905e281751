// The thread of the heartbeat: a server unloads the models of a session that it has not heard of, and the main thread may be
// busy with other things for longer than that.
import { randomUUID } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { request } from "undici";
import { mediaTypes } from "../../wire/body.ts";
import { apiRoot, endpoints } from "../../wire/messages.ts";
import { openDispatcher } from "../address.ts";
import type { HeartbeatData, HeartbeatNews } from "./heartbeat.ts";

const { address, sessionId, everySeconds } = workerData as HeartbeatData;
const port = parentPort!;
const dispatcher = openDispatcher(address, 1, Math.max(1, everySeconds));
const body = JSON.stringify({ session_id: sessionId, type: "session_heartbeat" });
let key = address.key;
let last = performance.now();

const tell = (news: HeartbeatNews): void => port.postMessage(news);

async function beat(): Promise<"go on" | "stop"> {
  try {
    const response = await request(`${address.baseUrl}${apiRoot}${endpoints.heartbeat.path}`, {
      method: "POST",
      dispatcher,
      body,
      headers: {
        "content-type": mediaTypes.json,
        accept: mediaTypes.json,
        "x-api-key": key,
        "x-idempotency-key": randomUUID(),
      },
    });
    // Whatever it says, however much.
    await response.body.dump();
    const { statusCode } = response;
    if (statusCode === 404 || statusCode === 410) {
      tell({ kind: "lost", status: statusCode });
      return "stop";
    }
    if (statusCode < 300) last = performance.now();
    else tell({ kind: "missed", seconds: silence(), reason: `the server answered ${statusCode}` });
  } catch (error) {
    tell({ kind: "missed", seconds: silence(), reason: error instanceof Error ? error.message : String(error) });
  }
  return "go on";
}

const silence = (): number => (performance.now() - last) / 1000;

// A chain of timers, which do not follow the clock on the wall: no two beats are under way at once.
let timer: NodeJS.Timeout | undefined;
let stopped = false;
const next = (): void => {
  // Also where a beat was under way when it was stopped: the thread would never end.
  if (stopped) return;
  timer = setTimeout(async () => {
    if ((await beat()) === "go on") next();
  }, everySeconds * 1000);
};
next();

port.on("message", (message: { readonly key?: string }) => {
  if (message.key !== undefined) {
    key = message.key;
    return;
  }
  stopped = true;
  clearTimeout(timer);
  void dispatcher.destroy();
  port.close();
});
