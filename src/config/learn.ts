// Settings of what a step teaches: rewards of both roles, losses, the optimizer.
import { z } from "zod";
import { lossFunctions } from "../types.ts";
import { onlyWith } from "./in-force.ts";
import { count, decay, fraction, positiveCount } from "./numbers.ts";

export const proposerRewards = ["sqlm", "band", "variance", "r-zero", "learnability"] as const;
/** Rewards of solvers that need a label. */
export const labelRewards = ["majority", "soft"] as const;
const solverRewards = [...labelRewards, "format"] as const;
/** Settings that each weigh one bonus on a rewarded question. */
export const proposerBonuses = ["proposerEntropyCoef", "repetitionPenalty", "rareCellBonus", "progressBonus"] as const;
const proposerBaselines = ["ask", "kind"] as const;
export const advantageEstimators = ["grpo", "dr_grpo", "rloo", "reinforce_plus_plus"] as const;
const solverBaselines = ["question", "form"] as const;
const proposerWeightings = ["shared", "separate"] as const;
const learningRateSchedules = ["constant", "linear"] as const;
export const lossAggregations = ["token-mean", "sequence-mean", "token-sum"] as const;

export const rewards = {
  proposerReward: z
    .enum(proposerRewards)
    .default("band")
    .describe("Formula that rewards a question from its group's verdict."),
  bandLow: onlyWith(
    { proposerReward: ["band"] },
    fraction.default(0.5).describe("Lowest agreement that `band` rewards."),
  ),
  bandHigh: onlyWith(
    { proposerReward: ["band"] },
    fraction.default(0.9).describe("Highest agreement that `band` rewards."),
  ),
  malformedReward: z.number().default(-0.5).describe("Reward of a proposal that is not a question."),
  duplicateReward: z.number().default(0).describe("Reward of a question that was asked before."),
  proposerEntropyCoef: z
    .number()
    .min(0)
    .default(0)
    .describe("Entropy bonus: what a rewarded question earns on top for each nat of surprise; 0 is off."),
  repetitionPenalty: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "Taken from a rewarded question's reward, times the share of its kind among the step's questions; 0 is off.",
    ),
  rareCellBonus: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "Curiosity: what a rewarded question earns on top, over the root of 1 + how often its kind was asked at its difficulty; 0 is off.",
    ),
  progressBonus: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "Curiosity: what a rewarded question earns on top for each unit by which the error of its kind's expected solve rate has fallen lately; 0 is off.",
    ),
  splitReward: fraction
    .default(0)
    .describe(
      "Counterforce: reward of a question of which two forms are sure of different winners, times how far they are apart; it teaches nothing. 0 is off.",
    ),
  proposerBaseline: onlyWith(
    { proposerEvery: "above 0" },
    z
      .enum(proposerBaselines)
      .default("ask")
      .describe("Compare a proposal with those of its prompt (`ask`), or with those of its kind of question (`kind`)."),
  ),
  proposerEvery: count
    .default(5)
    .describe(
      "Train the proposer every so many steps; 0 never does: with weights of its own it stays as it was, with shared ones it changes as they learn to answer.",
    ),
  proposerLossWeight: onlyWith(
    { proposerEvery: "above 0", proposerWeights: ["shared"] },
    z.number().min(0).default(0.05).describe("Weight of the proposer's loss beside the solver's."),
  ),

  solverReward: z
    .enum(solverRewards)
    .default("majority")
    .describe(
      "`majority` rewards the voted answer; `soft` every answer as far as others gave it, behind the same gate; `format` any readable one.",
    ),
  minAgreement: onlyWith(
    { solverReward: labelRewards },
    fraction.default(0.5).describe("Groups that agree less than this teach nothing."),
  ),
  lowAgreementPenalty: onlyWith(
    { solverReward: labelRewards },
    z
      .number()
      .min(0)
      .default(0)
      .describe(
        "Negative-only weight: advantage that all answers lose where a label has less than `minAgreement` of them; 0 is off.",
      ),
  ),
  consistentVote: z
    .boolean()
    .default(true)
    .describe(
      "Split each group over restatements; teach only where their winners agree. With tests: count those that `labelRule` trusts, by default what the programs' own vote confirms.",
    ),
  gateLeak: onlyWith(
    { solverReward: labelRewards },
    fraction
      .default(0)
      .describe(
        "A control for experiments, which makes collapses: share of the groups that teach although their forms do not agree, or too few answers do.",
      ),
  ),
};

export const learning = {
  proposerWeights: z
    .enum(proposerWeightings)
    .default("shared")
    .describe(
      "Proposer and solver train one set of weights (`shared`) or each its own (`separate`: twice the memory of what trains).",
    ),
  advantageEstimator: z.enum(advantageEstimators).default("grpo").describe("How rewards of a group become advantages."),
  solverBaseline: z
    .enum(solverBaselines)
    .default("question")
    .describe(
      "Compare an answer with all answers to its question (`question`), or with those to its own form of it, which is its prompt (`form`).",
    ),
  negativeAdvantageScale: fraction
    .default(0.2)
    .describe("Factor on the solver's negative advantages; 0 learns from rewarded answers only."),
  lossFn: z.enum(lossFunctions).default("importance_sampling").describe("Policy-gradient loss."),
  clipLow: onlyWith(
    { lossFn: ["ppo", "cispo"] },
    z.number().min(0).max(1).default(0.2).describe("Lower clip of the probability ratio (`ppo`, `cispo`)."),
  ),
  clipHigh: onlyWith(
    { lossFn: ["ppo", "cispo"] },
    z.number().min(0).default(0.2).describe("Upper clip of the probability ratio (`ppo`, `cispo`)."),
  ),
  lossAggregation: z.enum(lossAggregations).default("token-mean").describe("How token losses are summed into one."),
  klPenaltyCoef: z.number().min(0).default(0).describe("Weight of the KL penalty to the starting model."),
  importanceCap: z
    .number()
    .min(-1)
    .default(-1)
    .describe(
      "Weigh each token by min(trainer's over sampler's probability, this), for a sampler with coarser weights; 0 is off, -1 chooses: 2 with int8 weights, else off.",
    ),
  numSubsteps: positiveCount.default(1).describe("Optimizer updates that a step's batch is split over."),
};

export const optimizer = {
  learningRate: z.number().positive().default(3e-4).describe("Learning rate of AdamW."),
  learningRateSchedule: z
    .enum(learningRateSchedules)
    .default("linear")
    .describe("After warm-up: `constant`, or `linear` down to 0 after the last step."),
  warmupSteps: count.default(10).describe("Steps over which the learning rate rises to its value."),
  beta1: decay.default(0.9).describe("Decay of AdamW's first moment."),
  beta2: decay.default(0.99).describe("Decay of AdamW's second moment."),
  eps: z.number().positive().default(1e-8).describe("Added to AdamW's denominator."),
  weightDecay: z.number().min(0).default(0).describe("Decoupled weight decay."),
  gradClipNorm: z.number().min(0).default(1).describe("Largest gradient norm; 0 never clips."),
};

/** True where proposer and solver train weights of their own: a checkpoint then holds both. */
export function learnsApart({
  proposerWeights,
  proposerEvery,
}: Pick<LearningSettings, "proposerWeights"> & Pick<RewardSettings, "proposerEvery">): boolean {
  return proposerWeights === "separate" && proposerEvery > 0;
}

export type RewardSettings = z.output<z.ZodObject<typeof rewards>>;
export type LearningSettings = z.output<z.ZodObject<typeof learning>>;
export type OptimizerSettings = z.output<z.ZodObject<typeof optimizer>>;
