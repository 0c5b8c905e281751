// The in-process engine: a transformer in Hugging Face layout, sampled and trained through ONNX Runtime in a worker
// thread. This file is the main thread's side: it checks what is asked for, posts calls and waits for answers.
import { Worker } from "node:worker_threads";
import { checkAdam, checkSampling, checkSequences, checkTraining } from "../checks.ts";
import {
  type Engine,
  type EngineCapabilities,
  type LossConfig,
  type LossFn,
  lossFunctions,
  type Tokenizer,
} from "../engine.ts";
import { openTokenizer } from "../tokenizer.ts";
import { openModelFolder } from "./model-folder.ts";
import { errorFromData, type WorkerCalls, type WorkerOptions, type WorkerReply } from "./worker-protocol.ts";

export interface OnnxEngineOptions {
  /** Folder of the model in Hugging Face layout. */
  readonly model: string;
  /** Threads that share one operator's work; 0 (the default) measures and chooses. */
  readonly threads?: number;
}

export interface OnnxEngine extends Engine {
  readonly parameters: number;
  readonly threads: number;
}

/**
 * Opens a model. Throws UsageError, FileFormatError or UnsupportedError before any work when the folder, its weights or
 * its architecture cannot be used.
 */
export async function openOnnxEngine({ model, threads = 0 }: OnnxEngineOptions): Promise<OnnxEngine> {
  openModelFolder(model);
  const tokenizer = openTokenizer(model);
  const connection = new WorkerConnection({ model, threads });
  const ready = await connection.ready;
  return new OnnxWorkerEngine(tokenizer, connection, ready);
}

class OnnxWorkerEngine implements OnnxEngine {
  readonly tokenizer: Tokenizer;
  readonly capabilities: EngineCapabilities;
  readonly parameters: number;
  readonly threads: number;
  readonly #connection: WorkerConnection;

  constructor(tokenizer: Tokenizer, connection: WorkerConnection, ready: ReadyReply) {
    this.tokenizer = tokenizer;
    this.#connection = connection;
    this.parameters = ready.parameters;
    this.threads = ready.threads;
    this.capabilities = {
      name: "onnx",
      lossFunctions,
      maxSequenceTokens: ready.maxPositions,
      topP: true,
      topK: true,
      klPenalty: true,
      checkpoints: true,
    };
  }

  sample: Engine["sample"] = async (prompts, options) => {
    checkSampling(this.capabilities, prompts, options);
    return this.#connection.call("sample", prompts, options);
  };

  score: Engine["score"] = async (sequences) => {
    checkSequences(this.capabilities, sequences);
    return this.#connection.call("score", sequences);
  };

  forwardBackward: Engine["forwardBackward"] = async (data, loss: LossFn, lossConfig: LossConfig = {}) => {
    checkTraining(this.capabilities, data, loss, lossConfig);
    return this.#connection.call("forwardBackward", data, loss, lossConfig);
  };

  optimStep: Engine["optimStep"] = async (adam) => {
    checkAdam(this.capabilities, adam);
    return this.#connection.call("optimStep", adam);
  };

  save: Engine["save"] = (folder, options) => this.#connection.call("save", folder, options);
  load: Engine["load"] = (folder, options) => this.#connection.call("load", folder, options);

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}

type ReadyReply = Extract<WorkerReply, { type: "ready" }>;

/** Owns the worker thread; every call is answered or rejected, also when the thread dies. */
class WorkerConnection {
  readonly ready: Promise<ReadyReply>;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #nextId = 0;
  #closed: Error | null = null;

  constructor(options: WorkerOptions) {
    // The same file extension as this one: .ts in a checkout, .js when built.
    const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
    this.#worker = new Worker(new URL(`./worker${extension}`, import.meta.url), { workerData: options });
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on("message", (message: WorkerReply) => {
        if (message.type === "ready") resolve(message);
        else if (message.type === "failed") {
          reject(errorFromData(message.error));
          void this.#worker.terminate();
        } else this.#settle(message);
      });
      const fail = (error: Error): void => {
        this.#closed ??= error;
        reject(error);
        for (const { reject: rejectCall } of this.#waiting.values()) rejectCall(error);
        this.#waiting.clear();
      };
      this.#worker.on("error", fail);
      this.#worker.on("exit", () => fail(new Error("The onnx engine is closed.")));
    });
  }

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
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, args });
    });
    return answer as ReturnType<WorkerCalls[Method]>;
  }

  #settle(message: Extract<WorkerReply, { type: "result" | "error" }>): void {
    const call = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.type === "result") call?.resolve(message.value as never);
    else call?.reject(errorFromData(message.error));
  }

  async close(): Promise<void> {
    this.#closed ??= new Error("The onnx engine is closed.");
    await this.#worker.terminate();
  }
}
