import type { SampledWork, StepWork } from "../../../../src/engine/work.ts";
import { projections } from "../../../../src/model/lora.ts";
import type { ModelConfig } from "../../../../src/model/model-config.ts";
import { modelVariants } from "../random-model.ts";

/** Shape of a real model; no weight of it is made. */
export const large: ModelConfig = {
  ...modelVariants["qwen2: biases, grouped heads, tied"],
  vocabSize: 151_936,
  hiddenSize: 896,
  intermediateSize: 4864,
  layers: 24,
  heads: 14,
  keyValueHeads: 2,
  headSize: 64,
  maxPositions: 32_768,
};
export const lora = { rank: 16, alpha: 32, targets: projections };
export const solve: SampledWork = {
  stage: "solve",
  prompts: 16,
  promptTokens: 150,
  sharedTokens: 100,
  samplesOfPrompt: 8,
  maxTokens: 256,
};
export const work: StepWork = {
  sampled: [solve],
  trained: [{ ...solve, share: 1 }],
  updates: 1,
  referencePasses: 0,
  correction: "coarse",
  policies: 1,
  frozenPlayers: 0,
};
export const withAnswers = (change: Partial<SampledWork>): StepWork => {
  const changed = { ...solve, ...change };
  return { ...work, sampled: [changed], trained: [{ ...changed, share: 1 }] };
};
