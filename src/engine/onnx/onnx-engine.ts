// The in-process engine: a transformer in Hugging Face layout, sampled and trained through ONNX Runtime in a worker
// thread. This file is the main thread's side: it checks what is asked for, posts calls and waits for answers.
import { SqlmError } from "../../errors.ts";
import { type ModelFiles, openModelFiles } from "../../model/model-files.ts";
import { lossFunctions, type Tokenizer } from "../../types.ts";
import { checkAdam, checkSampling, checkSequences, checkTraining } from "../checks.ts";
import type { Engine, EngineCapabilities, EngineProgress, Player, Policy } from "../engine.ts";
import { openWorker, WorkerConnection } from "./worker/connection.ts";
import type { ModelOptions } from "./worker/open-model.ts";
import type { PlayerId } from "./worker/protocol.ts";

export interface OnnxEngineOptions extends ModelOptions {
  /** Threads that share one operator's work; 0 (the default) measures and chooses. */
  readonly threads?: number;
  /** Called while the model loads and while long calls are under way. */
  readonly onProgress?: (progress: EngineProgress) => void;
  /** The model's files, where they are open already. */
  readonly files?: ModelFiles;
}

export interface OnnxEngine extends Engine {
  readonly parameters: number;
}

/**
 * Opens a model. Throws UsageError, FileFormatError or UnsupportedError before any work when the folder, its weights or
 * its architecture cannot be used.
 */
export async function openOnnxEngine({
  threads = 0,
  onProgress,
  files,
  ...options
}: OnnxEngineOptions): Promise<OnnxEngine> {
  const {
    folder: { companions },
    tokenizer,
  } = files ?? openModelFiles(options.model);
  const connection = new WorkerConnection(
    openWorker({ ...options, threads, companions: new Map(companions) }),
    onProgress,
  );
  const {
    maxPositions,
    parameters,
    threads: chosen,
    coarseSampling,
    tellsTokens,
    correctsForSampler,
    adapter,
    weights,
  } = await connection.ready;
  const capabilities: EngineCapabilities = {
    name: "onnx",
    lossFunctions,
    maxSequenceTokens: maxPositions,
    topP: true,
    topK: true,
    klPenalty: true,
    coarseSampling,
    tellsTokens,
    correctsForSampler,
    ...(adapter === null ? {} : { adapter }),
    weights,
    threads: chosen,
  };
  return {
    tokenizer,
    capabilities,
    parameters,
    openPolicy: async ({ seed } = {}) =>
      new OnnxPolicy(tokenizer, capabilities, connection, await connection.call("openPolicy", seed)),
    [Symbol.asyncDispose]: () => connection.close(),
  };
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

  sample: Player["sample"] = async (asks, options, listener) => {
    checkSampling(this.capabilities, asks, options);
    // What a caller keeps beside its asks need not survive the way to the worker, and a function does not.
    const own = asks.map(({ promptTokens, numSamples, seed, first }) => ({ promptTokens, numSamples, seed, first }));
    return this.connection.sample(this.id, own, options, listener);
  };

  score: Player["score"] = async (sequences, first) => {
    checkSequences(this.capabilities, sequences);
    return this.connection.call("score", this.id, sequences, first);
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
