// Generation for many sequences: completions of prompts, sampled with the weights as they are at the time of the call. Small
// models run a whole call in one graph (looped/), large ones step by step (stepped/).

import type { Completion } from "../../../types.ts";
import type { Ask, Piece, SampleOptions } from "../../engine.ts";
import { checkModelShape, checkTokens } from "../check-request.ts";
import type { Tensor } from "../runtime/runtime.ts";
import type { FrozenWeights } from "../transformer/frozen-weights.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { createLoopedSampler } from "./looped/looped-sampler.ts";
import { createSteppedSampler } from "./stepped/stepped-sampler.ts";

/** Who follows a call while it is under way. */
export interface SampleWatch {
  /** Told of tokens as they are drawn; those of one completion in their order. */
  readonly tell: (pieces: readonly Piece[]) => void;
  /** Whether a completion need not go on. */
  readonly isEnough: (ask: number, sample: number) => boolean;
}

/** Samples from any weights of one shape, as they are at the time of the call. Calls may not overlap. */
export interface Sampler {
  /**
   * Completions as [ask][sample]. `weights`: what trains, float32 tensors by name, matrices [out, in]. Throws
   * UnsupportedError before any work for what cannot be honoured.
   */
  sample(
    weights: ReadonlyMap<string, Tensor>,
    asks: readonly Ask[],
    options: SampleOptions,
    watch?: SampleWatch,
  ): Promise<Completion[][]>;
  dispose(): Promise<void>;
}

export interface SamplerOptions {
  readonly threads: number;
  /** Sequences that are generated at the same time, at most; bounds memory. */
  readonly maxBatch?: number;
  /** Weights that never change, where an adapter trains beside them. */
  readonly frozen?: FrozenWeights | null;
  /** Called now and then with the completions so far, all of the call, the tokens so far, and how many may be still to come. */
  readonly onProgress?: (done: number, total: number, tokens: number, mostLeft?: number) => void;
}

/** Whether a sampler of these weights works step by step, and so tells tokens as they are drawn. */
export function tellsTokens({ sliced }: WeightLayout): boolean {
  return sliced;
}

/** Throws UnsupportedError for a model that generation cannot compute. */
export function createSampler(layout: WeightLayout, options: SamplerOptions): Sampler {
  const { config } = layout;
  checkModelShape(config);
  const sampler = tellsTokens(layout) ? createSteppedSampler(layout, options) : createLoopedSampler(layout, options);
  return {
    sample: async (weights, asks, settings, watch) => {
      const prompts = asks.map(({ promptTokens }) => promptTokens);
      checkTokens(config, prompts);
      return sampler.sample(weights, asks, settings, watch);
    },
    dispose: () => sampler.dispose(),
  };
}
