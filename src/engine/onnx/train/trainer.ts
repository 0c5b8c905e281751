// The training half of the engine: scores sequences, accumulates gradients over micro-batches, updates with AdamW.
// Runs on the worker thread and blocks it; calls are checked before (src/engine/checks.ts). Weights are tensors that the
// sampler shares; updates happen in place.
import { notFiniteHint, RunStoppedError } from "../../../errors.ts";
import { type ModelConfig, parameterSpecs } from "../../../model/model-config.ts";
import type { NamedTensor } from "../../../model/safetensors.ts";
import type { Datum, LossFn } from "../../../types.ts";
import type { AdamParams, ForwardBackwardResult, LossConfig, OptimStepResult } from "../../engine.ts";
import { batchLoss, lossDefaults } from "../../losses.ts";
import { checkTokens } from "../check-request.ts";
import { float32Data, float32Tensor, int64Tensor, type Tensor } from "../runtime/runtime.ts";
import { SessionCache } from "../runtime/session-cache.ts";
import { type MicroBatch, planBatches } from "./batches.ts";
import { adamGraph, gradientName, newGradientName, scoreGraph, trainingGraph } from "./training-graph.ts";

/** Large enough for efficient matrix products (1024 is a tenth slower); memory grows with it. */
const tokensPerMicroBatch = 2048;
/** Shapes that are kept ready: more than the batches of one call usually have, so that calls do not build them again. */
const sessionLimit = 12;

export interface OptimizerState {
  readonly updates: number;
  /** First and second moments under `m:name` and `v:name`. */
  readonly moments: ReadonlyMap<string, NamedTensor>;
}

export interface Trainer {
  score(sequences: readonly (readonly number[])[]): Promise<number[][]>;
  forwardBackward(data: readonly Datum[], lossFn: LossFn, lossConfig: LossConfig): Promise<ForwardBackwardResult>;
  optimStep(adam: AdamParams): Promise<OptimStepResult>;
  readonly optimizerState: OptimizerState;
  /** Restores what `optimizerState` gave; null starts the optimizer afresh. Pending gradients are dropped. */
  restoreOptimizer(state: OptimizerState | null): void;
}

export function createTrainer(config: ModelConfig, weights: ReadonlyMap<string, Tensor>, threads: number): Trainer {
  const specs = parameterSpecs(config);
  const weightFeeds = Object.fromEntries(weights);
  const sessions = new SessionCache({ threads }, sessionLimit);
  const moments = new Map(
    specs.flatMap(({ name, shape }) => [
      [`m:${name}`, float32Tensor(shape)] as const,
      [`v:${name}`, float32Tensor(shape)] as const,
    ]),
  );
  const accumulated = new Map(specs.map(({ name, shape }) => [name, float32Tensor(shape)]));
  const gradientFeeds = Object.fromEntries([...accumulated].map(([name, tensor]) => [gradientName(name), tensor]));
  const gradientOutputs = Object.fromEntries([...accumulated].map(([name, tensor]) => [newGradientName(name), tensor]));
  let updates = 0;

  const plan = (sequences: readonly (readonly number[])[]): MicroBatch[] => {
    checkTokens(config, sequences);
    return planBatches(
      sequences.map((tokens) => tokens.length),
      tokensPerMicroBatch,
    );
  };

  const clearGradients = (): void => {
    for (const tensor of accumulated.values()) float32Data(tensor).fill(0);
  };

  return {
    async score(sequences) {
      const logprobs: number[][] = sequences.map(() => []);
      for (const batch of plan(sequences)) {
        const { run } = await sessions.get(`score ${batch.batch}x${batch.time}`, () => scoreGraph(config, batch));
        const result = await run({ ...weightFeeds, ...tokenFeeds(batch, sequences) });
        unpackRows(batch, sequences, float32Data(result["logprobs"]), logprobs);
      }
      return logprobs;
    },

    async forwardBackward(data, lossFn, lossConfig) {
      const settings = { ...lossDefaults, ...lossConfig };
      const withKl = settings.klPenaltyCoef > 0;
      const sequences = data.map(({ tokens }) => tokens);
      const logprobs: number[][] = sequences.map(() => []);
      let loss = 0;
      for (const batch of plan(sequences)) {
        const key = `${lossFn}${withKl ? "+kl" : ""} ${batch.batch}x${batch.time}`;
        const { run } = await sessions.get(key, () => trainingGraph(config, batch, lossFn, withKl));
        const feeds = {
          ...weightFeeds,
          ...gradientFeeds,
          ...tokenFeeds(batch, sequences),
          ...lossFeeds(batch, data, lossFn, settings),
        };
        const outputs = { loss: float32Tensor([]), logprobs: float32Tensor([batch.batch * batch.time]) };
        await run(feeds, { ...outputs, ...gradientOutputs });
        loss += float32Data(outputs.loss)[0];
        unpackRows(batch, sequences, float32Data(outputs.logprobs), logprobs);
      }
      return { logprobs, metrics: { loss, ...lossMetrics(data, logprobs, lossFn, settings) } };
    },

    async optimStep(adam) {
      const gradNorm = Math.sqrt(
        [...accumulated.values()].reduce((sum, tensor) => sum + squaredNorm(float32Data(tensor)), 0),
      );
      if (!Number.isFinite(gradNorm)) {
        clearGradients();
        throw new RunStoppedError(`The gradient is ${gradNorm}: the update was not applied.`, notFiniteHint);
      }
      const { run } = await sessions.get("adam", () => adamGraph(specs));
      updates++;
      const clip = adam.gradClipNorm > 0 ? Math.min(1, adam.gradClipNorm / (gradNorm + 1e-6)) : 1;
      const feeds: Record<string, Tensor> = {
        ...weightFeeds,
        ...gradientFeeds,
        ...Object.fromEntries(moments),
        ...adamScalars(adam, updates, clip),
      };
      const outputs: Record<string, Tensor> = {};
      for (const [name, tensor] of [...weights, ...moments]) outputs[`new:${name}`] = tensor;
      await run(feeds, outputs);
      clearGradients();
      return { metrics: { gradNorm, step: updates } };
    },

    get optimizerState() {
      const named = [...moments].map(
        ([name, tensor]) => [name, { shape: tensor.dims, data: float32Data(tensor) }] as const,
      );
      return { updates, moments: new Map(named) };
    },

    restoreOptimizer(state) {
      clearGradients();
      updates = state?.updates ?? 0;
      for (const [name, tensor] of moments) {
        const saved = state?.moments.get(name);
        if (saved === undefined) float32Data(tensor).fill(0);
        else float32Data(tensor).set(saved.data);
      }
    },
  };
}

/** Column t of a row holds token t and, as its target, token t + 1. */
function tokenFeeds(
  { rows, batch, time }: MicroBatch,
  sequences: readonly (readonly number[])[],
): Record<string, Tensor> {
  const tokens = new BigInt64Array(batch * time);
  const targets = new BigInt64Array(batch * time);
  for (const [row, index] of rows.entries()) {
    const sequence = sequences[index];
    for (let t = 0; t + 1 < sequence.length; t++) {
      tokens[row * time + t] = BigInt(sequence[t]);
      targets[row * time + t] = BigInt(sequence[t + 1]);
    }
  }
  return { tokens: int64Tensor([batch * time], tokens), targets: int64Tensor([batch * time], targets) };
}

function lossFeeds(
  batch: MicroBatch,
  data: readonly Datum[],
  lossFn: LossFn,
  { clipLow, clipHigh, klPenaltyCoef }: Required<LossConfig>,
): Record<string, Tensor> {
  const column = (values: (datum: Datum) => readonly number[]): Tensor => {
    const packed = new Float32Array(batch.batch * batch.time);
    for (const [row, index] of batch.rows.entries()) packed.set(values(data[index]).slice(1), row * batch.time);
    return float32Tensor([packed.length], packed);
  };
  const scalar = (value: number): Tensor => float32Tensor([], Float32Array.of(value));
  const feeds: Record<string, Tensor> = { weights: column(({ weights }) => weights) };
  if (lossFn !== "cross_entropy") {
    feeds["advantages"] = column(({ advantages }) => advantages);
    feeds["oldLogprobs"] = column(({ logprobs }) => logprobs);
  }
  if (lossFn === "ppo" || lossFn === "cispo") {
    feeds["lowestRatio"] = scalar(1 - clipLow);
    feeds["highestRatio"] = scalar(1 + clipHigh);
  }
  if (klPenaltyCoef > 0) {
    feeds["referenceLogprobs"] = column(({ referenceLogprobs = [] }) => referenceLogprobs);
    feeds["klPenaltyCoef"] = scalar(klPenaltyCoef);
  }
  return feeds;
}

/** Takes the rows of a padded result apart again; entry 0 of each is 0, because nothing predicts the first token. */
function unpackRows(
  { rows, time }: MicroBatch,
  sequences: readonly (readonly number[])[],
  packed: Float32Array,
  into: number[][],
): void {
  for (const [row, index] of rows.entries()) {
    into[index] = [0, ...packed.subarray(row * time, row * time + sequences[index].length - 1)];
  }
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
