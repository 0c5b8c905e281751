// The training half of a policy: accumulates gradients over micro-batches, updates with AdamW. Runs on the worker thread
// and blocks it; calls are checked before (src/engine/checks.ts). Weights are tensors that sampling and scoring read too;
// updates happen in place.
import { notFiniteHint, RunStoppedError } from "../../../errors.ts";
import type { ParameterSpec } from "../../../model/model-config.ts";
import type { NamedTensor } from "../../../model/safetensors.ts";
import type { Datum, LossFn } from "../../../types.ts";
import type { AdamParams, ForwardBackwardResult, LossConfig, OptimStepResult } from "../../engine.ts";
import { batchLoss, lossDefaults } from "../../losses.ts";
import { float32Data, float32Tensor, type Tensor } from "../runtime/runtime.ts";
import type { SessionCache } from "../runtime/session-cache.ts";
import { trainableSpecs, type WeightLayout } from "../transformer/linear.ts";
import { updateWeights } from "./adam.ts";
import { lossFeeds, microBatches, pickSlots, tokenFeeds, unpackRows } from "./batch-feeds.ts";
import { PackedRuns } from "./packed-runs.ts";
import { adamGraph, gradientName, newGradientName, trainingGraph } from "./training-graph.ts";

export interface OptimizerState {
  readonly updates: number;
  /** First and second moments under `m:name` and `v:name`. */
  readonly moments: ReadonlyMap<string, NamedTensor>;
}

export interface TrainerOptions {
  /** Weights that the layout does not train, by the names of their inputs; may be shared by many trainers. */
  readonly frozen?: ReadonlyMap<string, Tensor>;
  /** What runs micro-batches where an adapter trains; trainers of one layout may share it, and its memory. */
  readonly packed?: PackedRuns | null;
  /** Called after each micro-batch with the tokens trained so far, in all, and once more those so far. */
  readonly onProgress?: (done: number, total: number, tokens: number) => void;
}

/** Owns the gradient and the moments of one policy, three times the memory of what trains. Calls may not overlap. */
export class Trainer {
  readonly #layout: WeightLayout;
  readonly #specs: readonly ParameterSpec[];
  readonly #weights: ReadonlyMap<string, Tensor>;
  readonly #sessions: SessionCache;
  readonly #moments: ReadonlyMap<string, Tensor>;
  readonly #gradient: ReadonlyMap<string, Tensor>;
  #updates = 0;

  readonly #frozen: ReadonlyMap<string, Tensor>;
  /** Where an adapter trains; null where all weights do. */
  readonly #packed: PackedRuns | null;
  readonly #onProgress: (done: number, total: number, tokens: number) => void;

  /** `weights`, those that train, are changed in place. The cache may be shared by trainers of models of one layout. */
  constructor(
    layout: WeightLayout,
    weights: ReadonlyMap<string, Tensor>,
    sessions: SessionCache,
    { frozen = new Map(), packed = null, onProgress = () => undefined }: TrainerOptions = {},
  ) {
    this.#layout = layout;
    this.#specs = trainableSpecs(layout);
    this.#frozen = frozen;
    this.#packed = layout.lora === null ? null : (packed ?? new PackedRuns(layout, sessions));
    this.#onProgress = onProgress;
    this.#weights = weights;
    this.#sessions = sessions;
    this.#moments = new Map(
      this.#specs.flatMap(({ name, shape }) => [
        [`m:${name}`, float32Tensor(shape)] as const,
        [`v:${name}`, float32Tensor(shape)] as const,
      ]),
    );
    this.#gradient = new Map(this.#specs.map(({ name, shape }) => [name, float32Tensor(shape)]));
  }

  /** See `Policy.forwardBackward`. */
  async forwardBackward(
    data: readonly Datum[],
    lossFn: LossFn,
    lossConfig: LossConfig = {},
  ): Promise<ForwardBackwardResult> {
    const settings = { ...lossDefaults, ...lossConfig };
    if (this.#packed !== null) {
      const weights = new Map([...this.#frozen, ...this.#weights]);
      const onTokens = (done: number, total: number): void => this.#onProgress(done, total, done);
      const { loss, logprobs } = await this.#packed.forwardBackward(
        weights,
        this.#gradient,
        data,
        { lossFn, settings },
        onTokens,
      );
      return { logprobs, metrics: { loss, ...lossMetrics(data, logprobs, lossFn, settings) } };
    }
    const withKl = settings.klPenaltyCoef > 0;
    const sequences = data.map(({ tokens }) => tokens);
    const logprobs: number[][] = sequences.map(() => []);
    const parameters = {
      ...Object.fromEntries(this.#weights),
      ...tensorsNamed(this.#gradient, gradientName),
    };
    const gradientOutputs = tensorsNamed(this.#gradient, newGradientName);
    let loss = 0;
    const layout = this.#layout;
    const batches = microBatches(layout, sequences, (index, token) => data[index].weights[token] !== 0);
    const total = sequences.reduce((sum, { length }) => sum + length, 0);
    let done = 0;
    for (const batch of batches) {
      const key = `${lossFn}${withKl ? "+kl" : ""} ${batch.batch}x${batch.time}`;
      const { run } = await this.#sessions.get(key, () => trainingGraph(layout, batch, lossFn, withKl));
      const feeds = {
        ...parameters,
        ...tokenFeeds(layout, batch, sequences),
        ...lossFeeds(layout, batch, data, lossFn, settings),
      };
      const columns = batch.picks === null ? batch.batch * batch.time : pickSlots(layout, batch.picks);
      const outputs = { loss: float32Tensor([]), logprobs: float32Tensor([columns]) };
      await run(feeds, { ...outputs, ...gradientOutputs });
      loss += float32Data(outputs.loss)[0];
      unpackRows(batch, sequences, float32Data(outputs.logprobs), logprobs);
      done += batch.rows.reduce((sum, index) => sum + sequences[index].length, 0);
      this.#onProgress(done, total, done);
    }
    return { logprobs, metrics: { loss, ...lossMetrics(data, logprobs, lossFn, settings) } };
  }

  /** See `Policy.optimStep`. */
  async optimStep(adam: AdamParams): Promise<OptimStepResult> {
    const squares = [...this.#gradient.values()].map((tensor) => squaredNorm(float32Data(tensor)));
    const gradNorm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
    if (!Number.isFinite(gradNorm)) {
      this.#clearGradient();
      throw new RunStoppedError(`The gradient is ${gradNorm}: the update was not applied.`, notFiniteHint);
    }
    const step = this.#updates + 1;
    const clip = adam.gradClipNorm > 0 ? Math.min(1, adam.gradClipNorm / (gradNorm + 1e-6)) : 1;
    if (this.#layout.lora === null) await this.#updateInGraph(adam, step, clip);
    else this.#updateHere(adam, step, clip);
    this.#updates = step;
    this.#clearGradient();
    return { metrics: { gradNorm, step } };
  }

  async #updateInGraph(adam: AdamParams, step: number, clip: number): Promise<void> {
    const { run } = await this.#sessions.get("adam", () => adamGraph(this.#specs));
    const state = [...this.#weights, ...this.#moments];
    const feeds = {
      ...Object.fromEntries(state),
      ...tensorsNamed(this.#gradient, gradientName),
      ...adamScalars(adam, step, clip),
    };
    await run(feeds, Object.fromEntries(state.map(([name, tensor]) => [`new:${name}`, tensor])));
  }

  /** For adapters: a graph of hundreds of small matrices takes seconds to build, and their numbers are few. */
  #updateHere(adam: AdamParams, step: number, clip: number): void {
    for (const { name, shape } of this.#specs) {
      const of = (tensors: ReadonlyMap<string, Tensor>, key: string): Float32Array => float32Data(tensors.get(key)!);
      const moments = { m: of(this.#moments, `m:${name}`), v: of(this.#moments, `v:${name}`) };
      updateWeights(of(this.#weights, name), of(this.#gradient, name), moments, {
        ...adam,
        step,
        clip,
        decays: shape.length > 1,
      });
    }
  }

  get optimizerState(): OptimizerState {
    const named = [...this.#moments].map(
      ([name, tensor]) => [name, { shape: tensor.dims, data: float32Data(tensor) }] as const,
    );
    return { updates: this.#updates, moments: new Map(named) };
  }

  /** Restores what `optimizerState` gave; null starts the optimizer afresh. The accumulated gradient is dropped. */
  restoreOptimizer(state: OptimizerState | null): void {
    this.#clearGradient();
    this.#updates = state?.updates ?? 0;
    for (const [name, tensor] of this.#moments) {
      const saved = state?.moments.get(name);
      if (saved === undefined) float32Data(tensor).fill(0);
      else float32Data(tensor).set(saved.data);
    }
  }

  #clearGradient(): void {
    for (const tensor of this.#gradient.values()) float32Data(tensor).fill(0);
  }
}

function tensorsNamed(tensors: ReadonlyMap<string, Tensor>, nameOf: (name: string) => string): Record<string, Tensor> {
  return Object.fromEntries([...tensors].map(([name, tensor]) => [nameOf(name), tensor]));
}

/**
 * What `forwardBackward` reports beside the loss, by the definitions of losses.ts on the log-probabilities that were
 * computed; each metric only where it says something.
 */
function lossMetrics(
  data: readonly Datum[],
  logprobs: readonly (readonly number[])[],
  lossFn: LossFn,
  lossConfig: Required<LossConfig>,
): Record<string, number> {
  const { tokens, clipFraction, kl } = batchLoss(data, logprobs, lossFn, lossConfig);
  const clips = lossFn === "ppo" || lossFn === "cispo";
  return {
    tokens,
    ...(lossFn === "cross_entropy" ? {} : { largestLogprobGap: largestLogprobGap(data, logprobs) }),
    ...(clips ? { clipFraction } : {}),
    ...(lossConfig.klPenaltyCoef > 0 ? { kl } : {}),
  };
}

/** Largest difference, over trained tokens, between the log-probability now and when the token was sampled. */
function largestLogprobGap(data: readonly Datum[], logprobs: readonly (readonly number[])[]): number {
  let largest = 0;
  for (const [row, datum] of data.entries()) {
    for (const [t, weight] of datum.weights.entries()) {
      if (weight !== 0) largest = Math.max(largest, Math.abs(logprobs[row][t] - datum.logprobs[t]));
    }
  }
  return largest;
}

/** Inputs of the update; `updates` counts it in. */
function adamScalars(adam: AdamParams, updates: number, gradientScale: number): Record<string, Tensor> {
  const scalars = {
    learningRate: adam.learningRate,
    gradientScale,
    beta1: adam.beta1,
    beta2: adam.beta2,
    eps: adam.eps,
    weightDecay: adam.weightDecay,
    correction1: 1 / (1 - adam.beta1 ** updates),
    correction2: 1 / (1 - adam.beta2 ** updates),
  };
  return Object.fromEntries(
    Object.entries(scalars).map(([name, value]) => [name, float32Tensor([], Float32Array.of(value))]),
  );
}

function squaredNorm(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return sum;
}
