// The worker thread of the onnx engine. ONNX Runtime computes on the thread that calls it, so everything heavy lives
// here and the main thread stays free for the terminal and the dashboard.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { FileFormatError } from "../../../errors.ts";
import { type ModelConfig, parameterCount, parameterSpecs } from "../../../model/model-config.ts";
import { openModelFolder, openWeights, writeModelFolder } from "../../../model/model-folder.ts";
import { readSafetensors, writeSafetensors } from "../../../model/safetensors.ts";
import type { WeightSource } from "../../../model/weight-source.ts";
import { createSampler } from "../generate/sampler.ts";
import { float32Data, float32Tensor, type Tensor } from "../runtime/runtime.ts";
import { createTrainer, type OptimizerState } from "../train/trainer.ts";
import { chooseThreads } from "./choose-threads.ts";
import { errorToData, type WorkerCalls, type WorkerOptions, type WorkerReply, type WorkerRequest } from "./protocol.ts";

const optimizerFile = "optimizer.safetensors";

const reply = (message: WorkerReply): void => parentPort?.postMessage(message);

async function open({ model, threads: wanted }: WorkerOptions): Promise<WorkerCalls> {
  const { config, companions } = openModelFolder(model);
  const weights = loadWeights(openWeights({ folder: model, config }), config);
  const threads = wanted > 0 ? wanted : await chooseThreads(config);
  const sampler = createSampler(config, weights, { threads });
  const trainer = createTrainer(config, weights, threads);
  reply({ type: "ready", maxPositions: config.maxPositions, parameters: parameterCount(config), threads });
  return {
    sample: (prompts, options) => sampler.sample(prompts, options),
    score: (sequences) => trainer.score(sequences),
    forwardBackward: (data, lossFn, lossConfig) => trainer.forwardBackward(data, lossFn, lossConfig),
    optimStep: (adam) => trainer.optimStep(adam),
    async save(folder, { optimizer }) {
      const named = [...weights].map(
        ([name, tensor]) => [name, { shape: tensor.dims, data: float32Data(tensor) }] as const,
      );
      writeModelFolder(folder, companions, new Map(named));
      if (optimizer) {
        const { updates, moments } = trainer.optimizerState;
        writeSafetensors(join(folder, optimizerFile), moments, { updates: String(updates) });
      }
    },
    async load(folder, { optimizer }) {
      // Everything is checked before the first weight changes, so that a bad folder leaves the model whole; then weights are
      // read over the old ones, for there may be no room for both.
      using source = openWeights({ folder, config });
      const state = optimizer ? readOptimizer(folder, loadedSpecs()) : null;
      for (const [name, tensor] of weights) source.readTensor(name, float32Data(tensor));
      trainer.restoreOptimizer(state);
    },
  };

  function loadedSpecs() {
    return parameterSpecs(config).flatMap(({ name, shape }) => [
      { name: `m:${name}`, shape },
      { name: `v:${name}`, shape },
    ]);
  }
}

/** Reads the weights one by one: the model is never in memory twice. */
function loadWeights(source: WeightSource, config: ModelConfig): Map<string, Tensor> {
  using weights = source;
  return new Map(
    parameterSpecs(config).map(({ name, shape }) => [name, float32Tensor(shape, weights.readTensor(name))]),
  );
}

function readOptimizer(folder: string, specs: readonly { name: string; shape: readonly number[] }[]): OptimizerState {
  const path = join(folder, optimizerFile);
  const hint = "Resume from another checkpoint, or load the weights alone.";
  if (!existsSync(path)) throw new FileFormatError(path, "missing: this folder has no optimizer state", hint);
  const { tensors, metadata } = readSafetensors(path);
  const updates = Number(metadata["updates"]);
  const wrong = specs.find(({ name, shape }) => tensors.get(name)?.shape.join() !== shape.join());
  if (wrong !== undefined || !Number.isInteger(updates)) {
    throw new FileFormatError(path, `does not belong to this model (${wrong?.name ?? "update count"})`, hint);
  }
  return { updates, moments: tensors };
}

async function answer(calls: WorkerCalls, { id, method, args }: WorkerRequest): Promise<void> {
  try {
    // The engine that sends these messages is typed by the same interface, so the arguments fit the method.
    const call = calls[method] as (...args: readonly unknown[]) => Promise<unknown>;
    reply({ type: "result", id, value: await call(...args) });
  } catch (error) {
    reply({ type: "error", id, error: errorToData(error) });
  }
}

try {
  const calls = await open(workerData as WorkerOptions);
  parentPort?.on("message", (request: WorkerRequest) => void answer(calls, request));
} catch (error) {
  reply({ type: "failed", error: errorToData(error) });
}
