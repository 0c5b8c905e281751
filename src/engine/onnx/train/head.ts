// Log-probabilities of chosen tokens from the states behind the last layer, and the way back.
import { float32Data, float32Tensor, type Tensor } from "../runtime/runtime.ts";
import type { SessionCache } from "../runtime/session-cache.ts";
import { Workspace } from "../runtime/workspace.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { readRow, rowsOfWeight } from "../transformer/weight-rows.ts";
import { headName, lastNorm, normGraph, vocabularySliceGraph } from "./head-graphs.ts";
import type { AllWeights } from "./layer-stack.ts";
import { vocabularySlice } from "./memory.ts";

export interface HeadResult {
  /** In nats, one for each chosen row. */
  readonly logprobs: Float32Array;
  /**
   * Gradient [picks, hiddenSize] of the chosen rows, from that of each log-probability; null where it was not asked for. Once: it
   * takes the memory of the result.
   */
  readonly backward: ((dLogprobs: Float32Array) => Promise<Float32Array>) | null;
}

/** Calls may not overlap; what one returns is good until the next. */
export class Head {
  readonly #layout: WeightLayout;
  readonly #sessions: SessionCache;
  readonly #workspace = new Workspace();

  constructor(layout: WeightLayout, sessions: SessionCache) {
    this.#layout = layout;
    this.#sessions = sessions;
  }

  /** Gives memory back that only the next call needs again. */
  release(): void {
    this.#workspace.release();
  }

  /** Row i of `hidden` [picks, hiddenSize] predicts `targets[i]`. */
  async logprobs(weights: AllWeights, hidden: Tensor, targets: Int32Array, train: boolean): Promise<HeadResult> {
    const { config } = this.#layout;
    const norm = { [lastNorm]: weights.get(lastNorm)! };
    // The states, twice the means, and the gradient.
    this.#workspace.reset(Array.from({ length: train ? 4 : 1 }, () => hidden.dims));
    const normed = this.#workspace.take(hidden.dims);
    const forward = await this.#sessions.get("norm", () => normGraph(config, false));
    await forward.run({ hidden, ...norm }, { normed });
    const { largest, sum, mean } = await this.#overVocabulary(weights, normed, train);
    const width = config.hiddenSize;
    const row = new Float32Array(width);
    const logprobs = new Float32Array(targets.length);
    const [x, peaks, sums, means] = [normed, largest, sum, mean ?? normed].map(float32Data);
    for (const [i, target] of targets.entries()) {
      readRow(weights, headName(config), target, row);
      let logit = 0;
      for (let j = 0; j < width; j++) logit += x[i * width + j] * row[j];
      logprobs[i] = logit - peaks[i] - Math.log(sums[i]);
      // From here on the mean is the direction in which the log-probability grows.
      if (train) for (let j = 0; j < width; j++) means[i * width + j] = row[j] - means[i * width + j] / sums[i];
    }
    if (!train) return { logprobs, backward: null };
    const backward = async (dLogprobs: Float32Array): Promise<Float32Array> => {
      for (const [i, d] of dLogprobs.entries()) {
        for (let j = 0; j < width; j++) means[i * width + j] *= d;
      }
      const session = await this.#sessions.get("norm gradient", () => normGraph(config, true));
      const gradient = this.#workspace.take(hidden.dims);
      await session.run({ hidden, ...norm, next_gradient: mean! }, { gradient });
      return float32Data(gradient);
    };
    return { logprobs, backward };
  }

  async #overVocabulary(
    weights: AllWeights,
    normed: Tensor,
    means: boolean,
  ): Promise<{ largest: Tensor; sum: Tensor; mean: Tensor | null }> {
    const { config } = this.#layout;
    const picks = normed.dims[0];
    const slice = vocabularySlice(config, picks);
    const session = await this.#sessions.get(`vocabulary${means ? " with means" : ""}`, () =>
      vocabularySliceGraph(this.#layout, means),
    );
    // A slice reads what the one before it wrote, so there are two of each.
    const states = Array.from({ length: 2 }, () => ({
      largest: float32Tensor([picks, 1], new Float32Array(picks).fill(lowest)),
      sum: float32Tensor([picks, 1]),
      mean: means ? this.#workspace.take(normed.dims) : null,
    }));
    let [now, next] = states;
    if (now.mean !== null) float32Data(now.mean).fill(0);
    for (let from = 0; from < config.vocabSize; from += slice) {
      const rows = rowsOfWeight(weights, headName(config), from, Math.min(config.vocabSize, from + slice));
      const meanFeeds = now.mean === null ? {} : { mean: now.mean };
      const meanOutputs = next.mean === null ? {} : { next_mean: next.mean };
      await session.run(
        { normed, ...rows, largest: now.largest, sum: now.sum, ...meanFeeds },
        { next_largest: next.largest, next_sum: next.sum, ...meanOutputs },
      );
      [now, next] = [next, now];
    }
    return now;
  }
}

/** Below every logit, and finite, so that differences are numbers. */
const lowest = -1e30;
