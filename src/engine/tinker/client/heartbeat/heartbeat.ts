// The main thread's side of the heartbeat.
import { Worker } from "node:worker_threads";
import type { Address } from "../address.ts";

export interface HeartbeatData {
  readonly address: Address;
  readonly sessionId: string;
  readonly everySeconds: number;
}

export type HeartbeatNews =
  /** The server knows the session no longer. */
  | { readonly kind: "lost"; readonly status: number }
  /** A beat did not arrive; `seconds` since one did. */
  | { readonly kind: "missed"; readonly seconds: number; readonly reason: string };

export interface Heartbeat {
  useToken(key: string): void;
  stop(): Promise<void>;
}

/** Begins to beat, in a thread of its own. */
export function startHeartbeat(data: HeartbeatData, onNews: (news: HeartbeatNews) => void): Heartbeat {
  // The same file extension as this one: .ts in a checkout, .js when built.
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
  const worker = new Worker(new URL(`./worker${extension}`, import.meta.url), { workerData: data });
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  worker.on("message", onNews);
  worker.on("error", (error) => onNews({ kind: "missed", seconds: 0, reason: error.message }));
  // It alone keeps no process alive.
  worker.unref();
  return {
    useToken: (key) => worker.postMessage({ key }),
    stop: async () => {
      // Whoever stops it waits for it.
      worker.ref();
      worker.postMessage({});
      await exited;
    },
  };
}
