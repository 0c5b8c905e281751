// One step's optimizer updates: samples with an advantage become data, data become gradients. The engine computes; the
// formulas are in datum.ts and losses.ts.

import type { Cast } from "../cast.ts";
import type { LearningSettings, OptimizerSettings, RewardSettings } from "../config/learn.ts";
import { notFiniteHint, RunStoppedError } from "../errors.ts";
import { randomStream } from "../random.ts";
import type { Judgement } from "../types.ts";
import {
  aggregateLoss,
  buildDatum,
  mergeRepeated,
  scaleLoss,
  splitBatch,
  type TrainingSample,
  withReference,
} from "./datum.ts";

/** What decides the updates; `seed` and `steps` are the run's. */
export type UpdateSettings = LearningSettings &
  OptimizerSettings &
  Pick<RewardSettings, "proposerLossWeight"> & { readonly seed: number; readonly steps: number };

/** Policy-gradient updates on everything with an advantage; returns the metrics of the updates, averaged. */
export async function updateModel(
  { solver, reference }: Pick<Cast, "solver" | "reference">,
  { step, proposals, groups }: Judgement,
  config: UpdateSettings,
): Promise<Record<string, number>> {
  const informative = ({ advantage }: TrainingSample): boolean => advantage !== 0;
  const scaled = groups.flatMap(({ answers }) =>
    answers.map((answer) =>
      answer.advantage < 0 ? { ...answer, advantage: answer.advantage * config.negativeAdvantageScale } : answer,
    ),
  );
  const random = randomStream(config.seed, "learn", step);
  const solverParts = splitBatch(scaled.filter(informative), config.numSubsteps, random);
  const proposerParts = splitBatch(proposals.filter(informative), config.numSubsteps, random);
  const learningRate = learningRateAt(step, config);
  const { lossFn, clipLow, clipHigh, klPenaltyCoef, lossAggregation, beta1, beta2, eps, weightDecay, gradClipNorm } =
    config;

  const totals: Record<string, number> = {};
  const parts = Math.max(solverParts.length, proposerParts.length);
  for (let part = 0; part < parts; part++) {
    const aggregate = (samples: readonly TrainingSample[] = []) =>
      aggregateLoss(samples.map(buildDatum), lossAggregation);
    let data = mergeRepeated([
      ...aggregate(solverParts[part]),
      ...scaleLoss(aggregate(proposerParts[part]), config.proposerLossWeight),
    ]);
    if (reference !== null) data = withReference(data, await reference.score(data.map(({ tokens }) => tokens)));
    const forward = await solver.forwardBackward(data, lossFn, { clipLow, clipHigh, klPenaltyCoef });
    if (!Number.isFinite(forward.metrics["loss"])) {
      throw new RunStoppedError(`The loss of step ${step} is ${forward.metrics["loss"]}.`, notFiniteHint);
    }
    const update = await solver.optimStep({ learningRate, beta1, beta2, eps, weightDecay, gradClipNorm });
    for (const [name, value] of Object.entries({ ...forward.metrics, gradNorm: update.metrics["gradNorm"] })) {
      totals[name] = (totals[name] ?? 0) + value / parts;
    }
  }
  return { ...totals, updates: parts, learningRate };
}

/** Learning rate of a step, counted from 1: a linear rise over `warmupSteps`, then the schedule. */
export function learningRateAt(
  step: number,
  config: Pick<UpdateSettings, "learningRate" | "learningRateSchedule" | "warmupSteps" | "steps">,
): number {
  const rise = Math.min(1, step / Math.max(1, config.warmupSteps));
  const fall = config.learningRateSchedule === "linear" ? 1 - (step - 1) / config.steps : 1;
  return config.learningRate * Math.min(rise, fall);
}
