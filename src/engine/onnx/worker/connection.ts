// The main thread's end of the line to the worker: posts calls, hands back answers, and notices when the worker dies.
import { Worker } from "node:worker_threads";
import { RunStoppedError, SqlmError } from "../../../errors.ts";
import type { Completion } from "../../../types.ts";
import type { Ask, EngineProgress, SampleListener, SampleOptions } from "../../engine.ts";
import { Follower } from "./follow.ts";
import {
  errorFromData,
  type PlayerId,
  type ReadyReply,
  type WorkerCalls,
  type WorkerOptions,
  type WorkerReply,
} from "./protocol.ts";

/** Starts the thread of worker.ts. */
export function openWorker(options: WorkerOptions): Worker {
  // The same file extension as this one: .ts in a checkout, .js when built.
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
  return new Worker(new URL(`./worker${extension}`, import.meta.url), { workerData: options });
}

/** Owns the worker thread; every call is answered or rejected, also when the thread dies. */
export class WorkerConnection {
  readonly ready: Promise<ReadyReply>;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  readonly #followers = new Map<number, Follower>();
  #nextId = 0;
  #closed: Error | null = null;

  constructor(worker: Worker, onProgress: (progress: EngineProgress) => void = () => undefined) {
    this.#worker = worker;
    this.ready = new Promise((resolve, reject) => {
      worker.on("message", (message: WorkerReply) => {
        if (message.type === "ready") resolve(message);
        else if (message.type === "progress") onProgress(message.progress);
        else if (message.type === "pieces") this.#followers.get(message.call)?.tell(message.pieces);
        else if (message.type === "failed") {
          reject(errorFromData(message.error));
          void worker.terminate();
        } else this.#settle(message);
      });
      const fail = (reason: string, cause?: Error): void => {
        this.#closed ??= new RunStoppedError(
          `The thread of the onnx engine ended: ${reason}.`,
          "Go on from the last checkpoint with `sqlm resume RUN`; if memory ran out, start a new run with a lower --groups-per-batch.",
          { cause },
        );
        reject(this.#closed);
        for (const call of this.#waiting.values()) call.reject(this.#closed);
        this.#waiting.clear();
      };
      worker.on("error", (error) => fail(error.message, error));
      worker.on("exit", (code) => fail(`exit code ${code}`));
    });
  }

  /** Rejects with RunStoppedError when the thread dies before it answers. */
  call<Method extends keyof WorkerCalls>(
    method: Method,
    ...args: Parameters<WorkerCalls[Method]>
  ): ReturnType<WorkerCalls[Method]> {
    const answer = new Promise<never>((resolve, reject) => {
      if (this.#closed !== null) {
        reject(this.#closed);
        return;
      }
      const id = this.#nextId++;
      this.#worker.postMessage({ id, method, args });
      this.#waiting.set(id, { resolve, reject });
    });
    return answer as ReturnType<WorkerCalls[Method]>;
  }

  /** `sample` of a player of the worker. */
  async sample(
    player: PlayerId,
    asks: readonly Ask[],
    options: SampleOptions,
    listener: SampleListener | undefined,
  ): Promise<Completion[][]> {
    if (listener === undefined) return this.call("sample", player, asks, options, null);
    const number = this.#nextId++;
    const follower = new Follower(number, asks, listener);
    this.#followers.set(number, follower);
    try {
      return follower.result(await this.call("sample", player, asks, options, follower.followed));
    } finally {
      this.#followers.delete(number);
    }
  }

  #settle(message: Extract<WorkerReply, { type: "result" | "error" }>): void {
    const call = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.type === "result") call?.resolve(message.value as never);
    else call?.reject(errorFromData(message.error));
  }

  /** Ends the thread; calls that wait are rejected. May be called again. */
  async close(): Promise<void> {
    this.#closed ??= new SqlmError("The onnx engine is closed.", "Open it again.");
    await this.#worker.terminate();
  }
}
