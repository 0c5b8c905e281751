// One AdamW update of one weight in plain numbers (Loshchilov & Hutter 2019), for adapters; training-graph.ts has the same for whole
// models, which are too large for this.
import type { AdamParams } from "../../engine.ts";

export interface AdamStep extends Omit<AdamParams, "gradClipNorm"> {
  /** Number of this update, from 1. */
  readonly step: number;
  /** What the gradient is scaled by first. */
  readonly clip: number;
  /** Whether weight decay applies. */
  readonly decays: boolean;
}

/** Changes `weights` and the moments in place. */
export function updateWeights(
  weights: Float32Array,
  gradient: Float32Array,
  { m, v }: { readonly m: Float32Array; readonly v: Float32Array },
  { learningRate, beta1, beta2, eps, weightDecay, step, clip, decays }: AdamStep,
): void {
  const correction1 = 1 / (1 - beta1 ** step);
  const correction2 = 1 / (1 - beta2 ** step);
  const keep = decays ? 1 - learningRate * weightDecay : 1;
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i] * clip;
    m[i] = beta1 * m[i] + (1 - beta1) * g;
    v[i] = beta2 * v[i] + (1 - beta2) * g * g;
    weights[i] = weights[i] * keep - (learningRate * m[i] * correction1) / (Math.sqrt(v[i] * correction2) + eps);
  }
}
