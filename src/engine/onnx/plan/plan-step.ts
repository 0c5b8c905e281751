// What a step would take of this engine: memory from the model's shape, time from a short measurement. No weights are read.
import { readAdapter } from "../../../model/adapter.ts";
import type { Companions } from "../../../model/companions.ts";
import { parameterCount } from "../../../model/model-config.ts";
import { completionsOf, type EnginePlan, type SampledWork, type StageTime, type StepWork } from "../../work.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { chooseThreads } from "../worker/choose-threads.ts";
import { type ChosenModel, chooseModel, describeLayout, type ModelOptions } from "../worker/open-model.ts";
import { availableMemory } from "./available-memory.ts";
import { type MeasuredRates, measureRates } from "./measure.ts";
import { replyLengths } from "./planned-sequences.ts";
import { samplingWork } from "./sampling-work.ts";
import { partOfUpdate, sampledRows, stepMemory } from "./step-memory.ts";
import { planPackedTraining, planWholeTraining, type TrainingPlan } from "./training-plan.ts";

export interface PlanOptions extends ModelOptions {
  /** Threads of the engine; 0 measures and chooses. */
  readonly threads?: number;
  /** Times the engine for some seconds; without it there is no time in the plan. */
  readonly measure: boolean;
  /** What stands beside the weights, where it is read already. */
  readonly companions?: Companions | undefined;
}

/** Throws UsageError, FileFormatError or UnsupportedError where the model cannot be opened. */
export async function planOnnxStep(
  work: StepWork,
  { threads = 1, measure, companions, ...options }: PlanOptions,
): Promise<EnginePlan> {
  const chosen = chooseModel(options, companions);
  const { layout, adapterFolder } = chosen;
  // Read for its shapes: an adapter of another model is refused here too.
  if (adapterFolder !== null && layout.lora !== null) readAdapter(adapterFolder, layout.config, layout.lora);
  const available = availableMemory();
  const { parts, activationBytes } = stepMemory(layout, work, available, (options.activationMemory ?? 0) * 1e6);
  const rates = measure ? await measureStep(chosen, work, threads) : null;
  const timeOf = (share: number): Promise<StageTime[]> | null =>
    rates === null ? null : stageTimes(layout, work, rates, { activationBytes, share });
  return {
    parameters: parameterCount(layout.config),
    maxSequenceTokens: layout.config.maxPositions,
    weights: describeLayout(layout),
    memory: parts,
    availableBytes: available,
    activationBytes,
    time: await timeOf(1),
    timeAtHalf: await timeOf(0.5),
  };
}

/** Rates at the size of what takes longest. */
async function measureStep(chosen: ChosenModel, work: StepWork, threads: number): Promise<MeasuredRates> {
  const { layout } = chosen;
  const tokensOf = (one: SampledWork): number => completionsOf(one) * one.maxTokens;
  const longest = (works: readonly SampledWork[]): SampledWork =>
    [...works].sort((a, b) => tokensOf(b) - tokensOf(a))[0];
  const trained = longest(work.trained);
  return measureRates(chosen, {
    rows: sampledRows(layout, longest(work.sampled)),
    promptTokens: trained.promptTokens,
    replyTokens: trained.maxTokens,
    threads: threads === 0 ? await chooseThreads(layout.config) : threads,
  });
}

export interface StepSize {
  /** What a micro-batch of training may take. */
  readonly activationBytes: number;
  /** How long replies are on average, of the longest that they may be. */
  readonly share: number;
}

/** Seconds of each stage at these rates. */
export async function stageTimes(
  layout: WeightLayout,
  work: StepWork,
  rates: MeasuredRates,
  { activationBytes, share }: StepSize,
): Promise<StageTime[]> {
  const sampled: StageTime[] = [];
  for (const one of work.sampled) {
    const { steps, rows, places, promptPositions } = await samplingWork(layout, one, share);
    const drawing = steps * rates.step + rows * rates.stepOfRow + places * rates.stepOfPlace;
    const seconds = drawing + promptPositions * rates.promptPosition;
    sampled.push({ stage: one.stage, tokens: tokensOf(one, share), seconds });
  }
  const passes = work.referencePasses + correctionPasses(layout, work);
  let [scored, trained, tokens] = [0, 0, 0];
  for (const one of work.trained) {
    const part = partOfUpdate(one, work.updates);
    const plan: TrainingPlan =
      layout.lora === null
        ? planWholeTraining(layout, part, share)
        : planPackedTraining(layout, part, activationBytes, share);
    const own = tokensOf(part, share);
    const times = work.updates * one.share;
    trained += times * (plan.trainingRows * rates.trainRow + own * rates.trainToken);
    scored += times * passes * (plan.scoringRows * rates.scoreRow + own * rates.scoreToken);
    tokens += times * own;
  }
  return [
    ...sampled,
    ...(passes > 0 ? [{ stage: "score", tokens: passes * tokens, seconds: scored } as const] : []),
    { stage: "learn", tokens, seconds: trained },
  ];
}

const tokensOf = (work: SampledWork, share: number): number =>
  replyLengths(work, share).reduce((sum, length) => sum + length, 0);

/** Passes that compare sampler and trainer. With an adapter the first update's own pass does, and only later ones need theirs. */
function correctionPasses({ lora, blocks }: WeightLayout, { correction, updates }: StepWork): number {
  if (correction === "never" || (correction === "coarse" && !blocks)) return 0;
  return lora === null ? 1 : (updates - 1) / updates;
}
