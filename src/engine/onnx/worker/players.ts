// The models of one worker: policies and the players frozen from them. All have one shape, so they share sessions, and each
// owns its weights alone. What only training needs (gradients, moments) is made when a policy first trains.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { FileFormatError } from "../../../errors.ts";
import { type ModelConfig, parameterSpecs } from "../../../model/model-config.ts";
import { type ModelFolder, openWeights, writeModelFolder } from "../../../model/model-folder.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "../../../model/safetensors.ts";
import { createSampler } from "../generate/sampler.ts";
import { float32Data, float32Tensor, type Tensor } from "../runtime/runtime.ts";
import { SessionCache } from "../runtime/session-cache.ts";
import { createScorer } from "../train/scorer.ts";
import { type OptimizerState, Trainer } from "../train/trainer.ts";
import type { PlayerId, WorkerCalls } from "./protocol.ts";

const optimizerFile = "optimizer.safetensors";
/** Shapes that are kept ready: more than the batches of one call usually have, so that calls do not build them again. */
const sessionLimit = 12;

type Weights = ReadonlyMap<string, Tensor>;

/** A policy where it can train; null for a frozen player. */
interface Seat {
  readonly weights: Weights;
  readonly trainer: (() => Trainer) | null;
}

/**
 * The calls that the worker answers. `threads` is at least 1. Reads the weights at once, so that a folder that holds none
 * fails here. Throws FileFormatError or UnsupportedError.
 */
export function createPlayers(folder: ModelFolder, threads: number): WorkerCalls {
  const { config, companions } = folder;
  const sampler = createSampler(config, { threads });
  const scorer = createScorer(config, new SessionCache({ threads }, sessionLimit));
  const trainingSessions = new SessionCache({ threads }, sessionLimit);
  // The first policy takes these; another one reads the folder again, so that no copy lies idle.
  let base: Weights | null = loadWeights(folder);
  const seats = new Map<PlayerId, Seat>();
  let nextId = 0;

  const add = (seat: Seat): PlayerId => {
    seats.set(nextId, seat);
    return nextId++;
  };
  const seatOf = (id: PlayerId): Seat => {
    const seat = seats.get(id);
    if (seat === undefined) throw new Error(`The worker has no player ${id}.`);
    return seat;
  };
  const trainerOf = (id: PlayerId): Trainer => {
    const { trainer } = seatOf(id);
    if (trainer === null) throw new Error(`Player ${id} is frozen.`);
    return trainer();
  };

  return {
    async openPolicy() {
      const weights = base ?? loadWeights(folder);
      base = null;
      let trainer: Trainer | null = null;
      return add({
        weights,
        trainer: () => {
          trainer ??= new Trainer(config, weights, trainingSessions);
          return trainer;
        },
      });
    },
    freeze: async (policy) => add({ weights: copyOf(seatOf(policy).weights), trainer: null }),
    async close(player) {
      seats.delete(player);
    },
    sample: async (player, asks, options) => sampler.sample(seatOf(player).weights, asks, options),
    score: async (player, sequences) => scorer.score(seatOf(player).weights, sequences),
    forwardBackward: async (policy, data, lossFn, lossConfig) =>
      trainerOf(policy).forwardBackward(data, lossFn, lossConfig),
    optimStep: async (policy, adam) => trainerOf(policy).optimStep(adam),
    async save(policy, into, { optimizer }) {
      writeModelFolder(into, companions, asNamedTensors(seatOf(policy).weights));
      if (optimizer) writeOptimizer(into, trainerOf(policy).optimizerState);
    },
    async load(policy, from, { optimizer }) {
      // Everything is checked before the first weight changes, so that a bad folder leaves the model whole; then weights are
      // read over the old ones, for there may be no room for both.
      using source = openWeights({ folder: from, config });
      const state = optimizer ? readOptimizer(from, config) : null;
      for (const [name, tensor] of seatOf(policy).weights) source.readTensor(name, float32Data(tensor));
      trainerOf(policy).restoreOptimizer(state);
    },
  };
}

/** Reads the weights one by one: the model is never in memory twice. */
function loadWeights(folder: ModelFolder): Weights {
  using source = openWeights(folder);
  return new Map(
    parameterSpecs(folder.config).map(({ name, shape }) => [name, float32Tensor(shape, source.readTensor(name))]),
  );
}

function asNamedTensors(weights: Weights): Map<string, NamedTensor> {
  return new Map([...weights].map(([name, tensor]) => [name, { shape: tensor.dims, data: float32Data(tensor) }]));
}

function copyOf(weights: Weights): Weights {
  return new Map(
    [...weights].map(([name, tensor]) => [name, float32Tensor(tensor.dims, Float32Array.from(float32Data(tensor)))]),
  );
}

function writeOptimizer(folder: string, { updates, moments }: OptimizerState): void {
  writeSafetensors(join(folder, optimizerFile), moments, { updates: String(updates) });
}

function readOptimizer(folder: string, config: ModelConfig): OptimizerState {
  const path = join(folder, optimizerFile);
  const hint = "Resume from another checkpoint, or load the weights alone.";
  if (!existsSync(path)) throw new FileFormatError(path, "missing: this folder has no optimizer state", hint);
  const { tensors, metadata } = readSafetensors(path);
  const updates = Number(metadata["updates"]);
  const wrong = parameterSpecs(config)
    .flatMap(({ name, shape }) => [
      { name: `m:${name}`, shape },
      { name: `v:${name}`, shape },
    ])
    .find(({ name, shape }) => tensors.get(name)?.shape.join() !== shape.join());
  if (wrong !== undefined || !Number.isInteger(updates)) {
    throw new FileFormatError(path, `does not belong to this model (${wrong?.name ?? "update count"})`, hint);
  }
  return { updates, moments: tensors };
}
