// The in-process engine: a transformer in Hugging Face layout, sampled and trained through ONNX Runtime in a worker
// thread. This file is the main thread's side: it checks what is asked for, posts calls and waits for answers.

import { openModelFolder } from "../../model/model-folder.ts";
import { openTokenizer } from "../../model/tokenizer.ts";
import { type LossFn, lossFunctions, type Tokenizer } from "../../types.ts";
import { checkAdam, checkSampling, checkSequences, checkTraining } from "../checks.ts";
import type { Engine, EngineCapabilities, LossConfig } from "../engine.ts";
import { openWorker, type ReadyReply, WorkerConnection } from "./worker/connection.ts";

export interface OnnxEngineOptions {
  /** Folder of the model in Hugging Face layout. */
  readonly model: string;
  /** Threads that share one operator's work; 0 (the default) measures and chooses. */
  readonly threads?: number;
}

export interface OnnxEngine extends Engine {
  readonly parameters: number;
}

/**
 * Opens a model. Throws UsageError, FileFormatError or UnsupportedError before any work when the folder, its weights or
 * its architecture cannot be used.
 */
export async function openOnnxEngine({ model, threads = 0 }: OnnxEngineOptions): Promise<OnnxEngine> {
  const { companions } = openModelFolder(model);
  const tokenizer = openTokenizer(model, companions);
  const connection = new WorkerConnection(openWorker({ model, threads }));
  const ready = await connection.ready;
  return new OnnxWorkerEngine(tokenizer, connection, ready);
}

class OnnxWorkerEngine implements OnnxEngine {
  readonly tokenizer: Tokenizer;
  readonly capabilities: EngineCapabilities;
  readonly parameters: number;
  readonly #connection: WorkerConnection;

  constructor(tokenizer: Tokenizer, connection: WorkerConnection, ready: ReadyReply) {
    this.tokenizer = tokenizer;
    this.#connection = connection;
    this.parameters = ready.parameters;
    this.capabilities = {
      name: "onnx",
      lossFunctions,
      maxSequenceTokens: ready.maxPositions,
      topP: true,
      topK: true,
      klPenalty: true,
      threads: ready.threads,
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
