// One step's optimizer updates: samples with an advantage become data, data become gradients. The engine computes; the
// formulas are in datum.ts and losses.ts.

import type { Cast } from "../cast.ts";
import type { LearningSettings, OptimizerSettings, RewardSettings } from "../config/learn.ts";
import type { Player, Policy } from "../engine/engine.ts";
import { notFiniteHint, RunStoppedError } from "../errors.ts";
import { randomStream } from "../random.ts";
import type { Datum, Judgement } from "../types.ts";
import {
  aggregateLoss,
  buildDatum,
  mergeRepeated,
  samplerGap,
  scaleLoss,
  splitBatch,
  type TrainingSample,
  withImportance,
  withReference,
} from "./datum.ts";

/** What decides the updates; `seed` and `steps` are the run's. */
export type UpdateSettings = LearningSettings &
  OptimizerSettings &
  Pick<RewardSettings, "proposerLossWeight"> & { readonly seed: number; readonly steps: number };

/**
 * Policy-gradient updates on everything with an advantage; returns the metrics of the updates, averaged. A proposer with
 * weights of its own learns from its proposals and nothing else: its metrics are named `proposer.…`.
 */
export async function updateModel(
  { solver, ownProposer, reference }: Pick<Cast, "solver" | "ownProposer" | "reference">,
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
  const aggregate = (samples: readonly TrainingSample[] = []) =>
    aggregateLoss(samples.map(buildDatum), config.lossAggregation);
  const train = (policy: Policy, batches: Datum[][]) =>
    trainOn(policy, batches.map(mergeRepeated), { reference, config, step, learningRate });

  if (ownProposer === null) {
    const batches = Array.from({ length: Math.max(solverParts.length, proposerParts.length) }, (_, part) => [
      ...aggregate(solverParts[part]),
      ...scaleLoss(aggregate(proposerParts[part]), config.proposerLossWeight),
    ]);
    return { ...(await train(solver, batches)), learningRate };
  }
  const ofSolver = await train(solver, solverParts.map(aggregate));
  const ofProposer = await train(ownProposer, proposerParts.map(aggregate));
  const named = Object.entries(ofProposer).map(([name, value]) => [`proposer.${name}`, value] as const);
  return { ...ofSolver, ...Object.fromEntries(named), learningRate };
}

/** An update for each batch. */
async function trainOn(
  policy: Policy,
  batches: Datum[][],
  {
    reference,
    config,
    step,
    learningRate,
  }: Pick<Cast, "reference"> & {
    readonly config: UpdateSettings;
    readonly step: number;
    readonly learningRate: number;
  },
): Promise<Record<string, number>> {
  const { lossFn, clipLow, clipHigh, klPenaltyCoef, beta1, beta2, eps, weightDecay, gradClipNorm } = config;
  const cap = config.importanceCap < 0 ? (policy.capabilities.coarseSampling ? coarseCap : 0) : config.importanceCap;
  // Under the policy before the first update: later ones move it on purpose. The first update's own pass may do it by itself.
  const inPass = cap > 0 && policy.capabilities.correctsForSampler === true;
  const gaps = cap > 0 ? await correctBatches(policy, batches, cap, inPass ? 1 : 0) : [];

  const totals: Record<string, number> = {};
  for (const [part, batch] of batches.entries()) {
    let data = batch;
    if (reference !== null) data = withReference(data, await scoreTrained(reference, data));
    // Both are asked for at once: a server far away then loses no time between them.
    const [forward, update] = await bothOf(
      policy.forwardBackward(data, lossFn, {
        clipLow,
        clipHigh,
        klPenaltyCoef,
        ...(inPass && part === 0 ? { importanceCap: cap } : {}),
      }),
      policy.optimStep({ learningRate, beta1, beta2, eps, weightDecay, gradClipNorm }),
      ({ metrics: { loss } }) => {
        if (!Number.isFinite(loss)) throw new RunStoppedError(`The loss of step ${step} is ${loss}.`, notFiniteHint);
      },
    );
    const { largestLogprobGap, ...gap } = samplerGap(data, forward.logprobs);
    const { gradNorm } = update.metrics;
    const before = inPass && part === 0 ? { largestLogprobGap } : gaps[part];
    const measured = { ...gap, ...forward.metrics, ...before, ...(gradNorm === undefined ? {} : { gradNorm }) };
    for (const [name, value] of Object.entries(measured)) {
      totals[name] = (totals[name] ?? 0) + value / batches.length;
    }
  }
  return { ...totals, updates: batches.length };
}

/** What two calls in turn give, when both have ended. What is wrong with the first is thrown before what is wrong with the second. */
async function bothOf<First, Second>(
  first: Promise<First>,
  second: Promise<Second>,
  check: (value: First) => void,
): Promise<[First, Second]> {
  await Promise.allSettled([first, second]);
  const value = await first;
  check(value);
  return [value, await second];
}

/** Cap of importance weights where the sampler is coarser than the trainer and nothing else is asked for. */
const coarseCap = 2;

/** Replaces each batch from `first` on by the corrected one; returns how far sampler and trainer were apart in it. */
async function correctBatches(
  policy: Pick<Policy, "score">,
  batches: Datum[][],
  cap: number,
  first: number,
): Promise<Record<string, number>[]> {
  const gaps: Record<string, number>[] = batches.slice(0, first).map(() => ({}));
  for (const [part, batch] of batches.entries()) {
    if (part < first) continue;
    const logprobs = await scoreTrained(policy, batch);
    gaps.push({ ...samplerGap(batch, logprobs) });
    batches[part] = withImportance(batch, logprobs, cap);
  }
  return gaps;
}

/** Log-probabilities from the first token on that trains. */
function scoreTrained(player: Pick<Player, "score">, data: readonly Datum[]): Promise<number[][]> {
  const first = data.map(({ weights }) => {
    const at = weights.findIndex((weight) => weight !== 0);
    return at < 0 ? weights.length : at;
  });
  return player.score(
    data.map(({ tokens }) => tokens),
    first,
  );
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
