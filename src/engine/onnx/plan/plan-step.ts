// What a step would take of this engine: memory from the model's shape, time from a short measurement. No weights are read.
import { readAdapter } from "../../../model/adapter.ts";
import type { Companions } from "../../../model/companions.ts";
import { parameterCount } from "../../../model/model-config.ts";
import { completionsOf, type EnginePlan, type SampledWork, type StageTime, type StepWork } from "../../work.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { chooseThreads } from "../worker/choose-threads.ts";
import { chooseModel, describeLayout, type ModelOptions } from "../worker/open-model.ts";
import { availableMemory } from "./available-memory.ts";
import { type MeasuredRates, measureRates } from "./measure.ts";
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
  let time: StageTime[] | null = null;
  if (measure) {
    const used = threads === 0 ? await chooseThreads(layout.config) : threads;
    const [longest] = [...work.sampled].sort((a, b) => tokensOf(b) - tokensOf(a));
    const rows = sampledRows(layout, longest);
    const context = longest.promptTokens + Math.ceil(longest.maxTokens / 2);
    const rates = await measureRates(chosen, { rows, context, threads: used });
    time = stageTimes(layout, work, rates, activationBytes);
  }
  return {
    parameters: parameterCount(layout.config),
    maxSequenceTokens: layout.config.maxPositions,
    weights: describeLayout(layout),
    memory: parts,
    availableBytes: available,
    activationBytes,
    time,
  };
}

const tokensOf = (work: SampledWork): number => completionsOf(work) * work.maxTokens;

/** Seconds of each stage at these rates. */
export function stageTimes(
  layout: WeightLayout,
  work: StepWork,
  rates: MeasuredRates,
  activationBytes: number,
): StageTime[] {
  const sampled = work.sampled.map((one): StageTime => {
    const rows = sampledRows(layout, one);
    const rounds = completionsOf(one) / rows;
    const steps = rounds * one.maxTokens * (rates.step + rows * rates.stepOfRow);
    return {
      stage: one.stage,
      tokens: tokensOf(one),
      seconds: steps + one.prompts * one.promptTokens * rates.scoreRow,
    };
  });
  const passes = work.referencePasses + correctionPasses(layout, work);
  let [scored, trained, tokens] = [0, 0, 0];
  for (const one of work.trained) {
    const part = partOfUpdate(one, work.updates);
    const plan: TrainingPlan =
      layout.lora === null ? planWholeTraining(layout, part) : planPackedTraining(layout, part, activationBytes);
    const own = tokensOf(part);
    const share = work.updates * one.share;
    trained += share * (plan.trainingRows * rates.trainRow + own * rates.trainToken);
    scored += share * passes * (plan.scoringRows * rates.scoreRow + own * rates.scoreToken);
    tokens += share * own;
  }
  return [
    ...sampled,
    ...(passes > 0 ? [{ stage: "score", tokens: passes * tokens, seconds: scored } as const] : []),
    { stage: "learn", tokens, seconds: trained },
  ];
}

/** Passes that compare sampler and trainer. With an adapter the first update's own pass does, and only later ones need theirs. */
function correctionPasses({ lora, blocks }: WeightLayout, { correction, updates }: StepWork): number {
  if (correction === "never" || (correction === "coarse" && !blocks)) return 0;
  return lora === null ? 1 : (updates - 1) / updates;
}
