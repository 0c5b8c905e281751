// The models of one worker: policies and the players frozen from them. All have one layout, so they share sessions and the
// weights that do not train; what trains each owns alone. What only training needs (gradients, moments) is made when a policy
// first trains.

import type { EngineProgress, Piece } from "../../engine.ts";
import { createSampler } from "../generate/sampler.ts";
import { float32Data, float32Tensor, type Tensor } from "../runtime/runtime.ts";
import { SessionCache } from "../runtime/session-cache.ts";
import { PackedRuns } from "../train/packed-runs.ts";
import { createScorer } from "../train/scorer.ts";
import { Trainer } from "../train/trainer.ts";
import { type FrozenWeights, loadFrozenWeights } from "../transformer/frozen-weights.ts";
import { openCheckpoints, type TrainedWeights } from "./checkpoints.ts";
import { watchOf } from "./follow.ts";
import type { OpenedModel } from "./open-model.ts";
import type { PlayerId, WorkerCalls } from "./protocol.ts";

/** Shapes that are kept ready: more than the batches of one call usually have, so that calls do not build them again. */
const sessionLimit = 12;
/** With an adapter: graphs of a layer for each number of levels, there and back, kept or not, and those of the head. */
const layerSessionLimit = 16;

/** A policy where it can train; null for a frozen player. */
interface Seat {
  readonly weights: TrainedWeights;
  readonly trainer: (() => Trainer) | null;
}

export interface Players extends WorkerCalls {
  /** Gives all sessions back: for whoever opens models one after another. */
  dispose(): Promise<void>;
}

export interface PlayersListeners {
  readonly onProgress?: (progress: EngineProgress) => void;
  /** Told what calls of `sample` that are followed have drawn. */
  readonly onPieces?: (call: number, pieces: readonly Piece[]) => void;
}

/**
 * The calls that the worker answers. `threads` is at least 1. Reads the weights at once, so that a folder that holds none
 * fails here. Throws FileFormatError or UnsupportedError.
 */
export function createPlayers(
  model: OpenedModel,
  threads: number,
  { onProgress = () => undefined, onPieces = () => undefined }: PlayersListeners = {},
): Players {
  const { layout, adapter, activationBytes } = model;
  const checkpoints = openCheckpoints(model);
  const frozen = adapter === null ? null : loadFrozen(model, onProgress);
  // Sessions of large models give their memory back after each run.
  const sessionOptions = { threads, keepMemory: frozen === null };
  const report = (stage: EngineProgress["stage"]) => (done: number, total: number, tokens: number, mostLeft?: number) =>
    onProgress({ stage, done, total, tokens, ...(mostLeft !== undefined && { mostLeft }) });
  const sampler = createSampler(layout, { threads, frozen, onProgress: report("sampling") });
  const trainingSessions = new SessionCache(sessionOptions, frozen === null ? sessionLimit : layerSessionLimit);
  // One for all policies and for scoring, whose memory it lends to whoever is at work.
  const packed = frozen === null ? null : new PackedRuns(layout, trainingSessions, activationBytes);
  const scoringSessions = new SessionCache(sessionOptions, sessionLimit);
  const scorer = createScorer(layout, scoringSessions, { packed, onProgress: report("scoring") });
  // The first policy takes these; another one reads the folder again, so that no copy lies idle.
  let first: TrainedWeights | null = adapter === null ? checkpoints.start() : null;
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
  const withFrozen = (id: PlayerId) => new Map([...(frozen ?? []), ...seatOf(id).weights]);

  return {
    async dispose() {
      for (const owner of [sampler, scoringSessions, trainingSessions]) await owner.dispose();
    },
    async openPolicy(seed) {
      const weights = first ?? checkpoints.start(seed);
      first = null;
      let trainer: Trainer | null = null;
      const options = { frozen: frozen ?? new Map(), packed, onProgress: report("training") };
      return add({
        weights,
        trainer: () => {
          trainer ??= new Trainer(layout, weights, trainingSessions, options);
          return trainer;
        },
      });
    },
    freeze: async (policy) => add({ weights: copyOf(seatOf(policy).weights), trainer: null }),
    async close(player) {
      seats.delete(player);
    },
    sample: async (player, asks, options, followed) => {
      // Keys and values take the place of what training keeps.
      packed?.release();
      const watch = followed === null ? undefined : watchOf(followed, asks, onPieces);
      return sampler.sample(seatOf(player).weights, asks, options, watch);
    },
    score: async (player, sequences, first) => scorer.score(withFrozen(player), sequences, first),
    forwardBackward: async (policy, data, lossFn, lossConfig) =>
      trainerOf(policy).forwardBackward(data, lossFn, lossConfig),
    optimStep: async (policy, adam) => trainerOf(policy).optimStep(adam),
    save: async (policy, into, { optimizer }) =>
      checkpoints.save(into, seatOf(policy).weights, optimizer ? trainerOf(policy).optimizerState : null),
    async load(policy, from, { optimizer }) {
      const state = checkpoints.load(from, seatOf(policy).weights, optimizer);
      trainerOf(policy).restoreOptimizer(state);
    },
  };
}

function loadFrozen(model: OpenedModel, onProgress: (progress: EngineProgress) => void): FrozenWeights {
  using source = model.openWeights();
  return loadFrozenWeights(model.layout, source, (done, total) =>
    onProgress({ stage: "loading", done, total, tokens: 0 }),
  );
}

function copyOf(weights: TrainedWeights): TrainedWeights {
  return new Map(
    [...weights].map(([name, tensor]): [string, Tensor] => [
      name,
      float32Tensor(tensor.dims, Float32Array.from(float32Data(tensor))),
    ]),
  );
}
