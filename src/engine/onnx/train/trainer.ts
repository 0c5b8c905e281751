// The training half of a policy: accumulates gradients over micro-batches, updates with AdamW. Runs on the worker thread
// and blocks it; calls are checked before (src/engine/checks.ts). Weights are tensors that sampling and scoring read too;
// updates happen in place.
import { notFiniteHint, RunStoppedError } from "../../../errors.ts";
import { type ModelConfig, type ParameterSpec, parameterSpecs } from "../../../model/model-config.ts";
import type { NamedTensor } from "../../../model/safetensors.ts";
import type { Datum, LossFn } from "../../../types.ts";
import type { AdamParams, ForwardBackwardResult, LossConfig, OptimStepResult } from "../../engine.ts";
import { batchLoss, lossDefaults } from "../../losses.ts";
import { float32Data, float32Tensor, type Tensor } from "../runtime/runtime.ts";
import type { SessionCache } from "../runtime/session-cache.ts";
import { lossFeeds, microBatches, tokenFeeds, unpackRows } from "./batch-feeds.ts";
import { adamGraph, gradientName, newGradientName, trainingGraph } from "./training-graph.ts";

export interface OptimizerState {
  readonly updates: number;
  /** First and second moments under `m:name` and `v:name`. */
  readonly moments: ReadonlyMap<string, NamedTensor>;
}

/** Owns the gradient and the moments of one policy, three times the memory of its weights. Calls may not overlap. */
export class Trainer {
  readonly #config: ModelConfig;
  readonly #specs: readonly ParameterSpec[];
  readonly #weights: ReadonlyMap<string, Tensor>;
  readonly #sessions: SessionCache;
  readonly #moments: ReadonlyMap<string, Tensor>;
  readonly #gradient: ReadonlyMap<string, Tensor>;
  #updates = 0;

  /** `weights` are changed in place. The cache may be shared by trainers of models of one shape. */
  constructor(config: ModelConfig, weights: ReadonlyMap<string, Tensor>, sessions: SessionCache) {
    this.#config = config;
    this.#specs = parameterSpecs(config);
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
    const withKl = settings.klPenaltyCoef > 0;
    const sequences = data.map(({ tokens }) => tokens);
    const logprobs: number[][] = sequences.map(() => []);
    const parameters = { ...Object.fromEntries(this.#weights), ...tensorsNamed(this.#gradient, gradientName) };
    const gradientOutputs = tensorsNamed(this.#gradient, newGradientName);
    let loss = 0;
    for (const batch of microBatches(this.#config, sequences)) {
      const key = `${lossFn}${withKl ? "+kl" : ""} ${batch.batch}x${batch.time}`;
      const { run } = await this.#sessions.get(key, () => trainingGraph(this.#config, batch, lossFn, withKl));
      const feeds = { ...parameters, ...tokenFeeds(batch, sequences), ...lossFeeds(batch, data, lossFn, settings) };
      const outputs = { loss: float32Tensor([]), logprobs: float32Tensor([batch.batch * batch.time]) };
      await run(feeds, { ...outputs, ...gradientOutputs });
      loss += float32Data(outputs.loss)[0];
      unpackRows(batch, sequences, float32Data(outputs.logprobs), logprobs);
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
    const { run } = await this.#sessions.get("adam", () => adamGraph(this.#specs));
    const step = this.#updates + 1;
    const clip = adam.gradClipNorm > 0 ? Math.min(1, adam.gradClipNorm / (gradNorm + 1e-6)) : 1;
    const state = [...this.#weights, ...this.#moments];
    const feeds = {
      ...Object.fromEntries(state),
      ...tensorsNamed(this.#gradient, gradientName),
      ...adamScalars(adam, step, clip),
    };
    await run(feeds, Object.fromEntries(state.map(([name, tensor]) => [`new:${name}`, tensor])));
    this.#updates = step;
    this.#clearGradient();
    return { metrics: { gradNorm, step } };
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
