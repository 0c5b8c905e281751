// The worker thread of the onnx engine. ONNX Runtime computes on the thread that calls it, so everything heavy lives
// here and the main thread stays free for the terminal and the dashboard. This file is its end of the line; the models are in
// players.ts.
import { parentPort, workerData } from "node:worker_threads";
import { parameterCount } from "../../../model/model-config.ts";
import { CallQueue } from "../../call-queue.ts";
import type { EngineProgress } from "../../engine.ts";
import { tellsTokens } from "../generate/sampler.ts";
import { chooseThreads } from "./choose-threads.ts";
import { describeLayout, openModel } from "./open-model.ts";
import { createPlayers } from "./players.ts";
import { errorToData, type WorkerCalls, type WorkerOptions, type WorkerReply, type WorkerRequest } from "./protocol.ts";

const reply = (message: WorkerReply): void => parentPort?.postMessage(message);

async function open({ threads: wanted, companions, ...options }: WorkerOptions): Promise<WorkerCalls> {
  const onProgress = (progress: EngineProgress): void => reply({ type: "progress", progress });
  const model = openModel(options, companions);
  const { config } = model.layout;
  const threads = wanted > 0 ? wanted : await chooseThreads(config);
  const calls = createPlayers(model, threads, {
    onProgress,
    onPieces: (call, pieces) => reply({ type: "pieces", call, pieces }),
  });
  const { blocks } = model.layout;
  const parameters = parameterCount(config);
  reply({
    type: "ready",
    maxPositions: config.maxPositions,
    parameters,
    threads,
    coarseSampling: blocks,
    tellsTokens: tellsTokens(model.layout),
    correctsForSampler: model.layout.lora !== null,
    adapter: model.layout.lora,
    weights: describeLayout(model.layout),
  });
  return calls;
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
  const queue = new CallQueue();
  parentPort?.on("message", (request: WorkerRequest) => void queue.run(() => answer(calls, request)));
} catch (error) {
  reply({ type: "failed", error: errorToData(error) });
}
