// The in-process engine: a transformer in Hugging Face layout, sampled and trained through ONNX Runtime in a worker
// thread. This file is the main thread's side: it checks what is asked for, posts calls and waits for answers.
import { totalmem } from "node:os";
import { SqlmError, UnsupportedError } from "../../errors.ts";
import { type ModelConfig, parameterCount } from "../../model/model-config.ts";
import { openModelFolder } from "../../model/model-folder.ts";
import { openTokenizer } from "../../model/tokenizer.ts";
import { lossFunctions, type Tokenizer } from "../../types.ts";
import { checkAdam, checkSampling, checkSequences, checkTraining } from "../checks.ts";
import type { Engine, EngineCapabilities, Player, Policy } from "../engine.ts";
import { openWorker, WorkerConnection } from "./worker/connection.ts";
import type { PlayerId } from "./worker/protocol.ts";

export interface OnnxEngineOptions {
  /** Folder of the model in Hugging Face layout, or GGUF file. */
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
  const { config, companions } = openModelFolder(model);
  checkMemory(model, config);
  const tokenizer = openTokenizer(model, companions);
  const connection = new WorkerConnection(openWorker({ model, threads }));
  const { maxPositions, parameters, threads: chosen } = await connection.ready;
  const capabilities: EngineCapabilities = {
    name: "onnx",
    lossFunctions,
    maxSequenceTokens: maxPositions,
    topP: true,
    topK: true,
    klPenalty: true,
    threads: chosen,
  };
  return {
    tokenizer,
    capabilities,
    parameters,
    openPolicy: async () => new OnnxPolicy(tokenizer, capabilities, connection, await connection.call("openPolicy")),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

/** Weights that do not fit into the machine's memory are refused before they are read. What else a run needs depends on the run. */
function checkMemory(model: string, config: ModelConfig): void {
  const needed = 4 * parameterCount(config);
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  if (needed < memory) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new UnsupportedError(
    `The weights of ${model} need ${gigabytes(needed)}, and this machine has ${gigabytes(memory)} of memory.`,
    "Use a smaller model.",
  );
}

/** One player of the worker, named by its number in every call. */
class OnnxPlayer implements Player {
  readonly tokenizer: Tokenizer;
  readonly capabilities: EngineCapabilities;
  protected readonly connection: WorkerConnection;
  readonly #id: PlayerId;
  #closed = false;

  constructor(tokenizer: Tokenizer, capabilities: EngineCapabilities, connection: WorkerConnection, id: PlayerId) {
    this.tokenizer = tokenizer;
    this.capabilities = capabilities;
    this.connection = connection;
    this.#id = id;
  }

  /** The number for a call. Throws SqlmError once the player is closed. */
  protected get id(): PlayerId {
    if (this.#closed) throw new SqlmError("This player of the onnx engine is closed.", "Open or freeze another one.");
    return this.#id;
  }

  sample: Player["sample"] = async (asks, options) => {
    checkSampling(this.capabilities, asks, options);
    return this.connection.call("sample", this.id, asks, options);
  };

  score: Player["score"] = async (sequences) => {
    checkSequences(this.capabilities, sequences);
    return this.connection.call("score", this.id, sequences);
  };

  [Symbol.asyncDispose] = async (): Promise<void> => {
    if (this.#closed) return;
    this.#closed = true;
    // A worker that has ended holds nothing to give back; whoever still calls it is told why.
    await this.connection.call("close", this.#id).catch(() => undefined);
  };
}

class OnnxPolicy extends OnnxPlayer implements Policy {
  forwardBackward: Policy["forwardBackward"] = async (data, loss, lossConfig = {}) => {
    checkTraining(this.capabilities, data, loss, lossConfig);
    return this.connection.call("forwardBackward", this.id, data, loss, lossConfig);
  };

  optimStep: Policy["optimStep"] = async (adam) => {
    checkAdam(this.capabilities, adam);
    return this.connection.call("optimStep", this.id, adam);
  };

  save: Policy["save"] = async (folder, options) => this.connection.call("save", this.id, folder, options);
  load: Policy["load"] = async (folder, options) => this.connection.call("load", this.id, folder, options);

  freeze: Policy["freeze"] = async () => {
    const id = await this.connection.call("freeze", this.id);
    return new OnnxPlayer(this.tokenizer, this.capabilities, this.connection, id);
  };
}
