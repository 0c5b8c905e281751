// One schema for a run: defaults, validation, command-line flags, help text, the editor schema and the stored JSON all
// come from here. How layers of values are put together is in config-layers.ts.
import { z } from "zod";
import { lossFunctions } from "../types.ts";

export const proposerRewards = ["sqlm", "band", "variance", "r-zero", "learnability"] as const;
export const advantageEstimators = ["grpo", "dr_grpo", "rloo", "reinforce_plus_plus"] as const;
export const learningRateSchedules = ["constant", "linear"] as const;
export const lossAggregations = ["token-mean", "sequence-mean", "token-sum"] as const;

const fraction = z.number().min(0).max(1);
const decay = z.number().min(0).lt(1);
const count = z.number().int().min(0);
const positiveCount = z.number().int().min(1);

const what = {
  topic: z.string().default("arithmetic").describe("Topic to learn: a built-in name or a path to a topic file."),
  model: z
    .string()
    .default("seed")
    .describe("Model to start from: a folder in Hugging Face layout, or `seed` for the one shipped for the topic."),
  engine: z.enum(["onnx"]).default("onnx").describe("What samples and trains the model."),
  preset: z
    .enum(["default", "quick", "paper"])
    .default("default")
    .describe("Named set of values below the ones you give."),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(1)
    .describe("Seed of all randomness; the same seed gives the same run."),
  steps: positiveCount.default(300).describe("Steps of self-play."),
};

const sampling = {
  groupsPerBatch: positiveCount.default(128).describe("Questions solved in a step."),
  groupSize: z.number().int().min(2).default(16).describe("Answers sampled to each question."),
  proposalsPerQuestion: z.number().min(1).default(2).describe("Proposals sampled for each question that is solved."),
  temperature: z.number().positive().default(1).describe("Sampling temperature in training."),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe("Sample from the smallest set of tokens with this probability; 1 is off."),
  topK: count.default(0).describe("Sample from this many most likely tokens; 0 is off."),
};

const rewards = {
  proposerReward: z
    .enum(proposerRewards)
    .default("band")
    .describe("Formula that rewards a question from its group's verdict."),
  bandLow: fraction.default(0.5).describe("Lowest agreement that `band` rewards."),
  bandHigh: fraction.default(0.9).describe("Highest agreement that `band` rewards."),
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
  proposerEvery: count.default(5).describe("Train the proposer every so many steps; 0 freezes it."),
  proposerLossWeight: z.number().min(0).default(0.05).describe("Weight of the proposer's loss beside the solver's."),

  solverReward: z
    .enum(["majority", "format"])
    .default("majority")
    .describe("`majority` rewards the voted answer; `format` any readable one."),
  minAgreement: fraction.default(0.5).describe("Groups that agree less than this teach nothing."),
  consistentVote: z
    .boolean()
    .default(true)
    .describe(
      "Split each group over restatements; teach only where their winners agree. With tests: count those that the programs' own vote confirms.",
    ),
};

const learning = {
  advantageEstimator: z.enum(advantageEstimators).default("grpo").describe("How rewards of a group become advantages."),
  negativeAdvantageScale: fraction
    .default(0.2)
    .describe("Factor on the solver's negative advantages; 0 learns from rewarded answers only."),
  lossFn: z.enum(lossFunctions).default("importance_sampling").describe("Policy-gradient loss."),
  clipLow: z.number().min(0).max(1).default(0.2).describe("Lower clip of the probability ratio (`ppo`, `cispo`)."),
  clipHigh: z.number().min(0).default(0.2).describe("Upper clip of the probability ratio (`ppo`, `cispo`)."),
  lossAggregation: z.enum(lossAggregations).default("token-mean").describe("How token losses are summed into one."),
  klPenaltyCoef: z.number().min(0).default(0).describe("Weight of the KL penalty to the starting model."),
  numSubsteps: positiveCount.default(1).describe("Optimizer updates that a step's batch is split over."),
};

const optimizer = {
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

const record = {
  evalEvery: count.default(100).describe("Evaluate every so many steps; 0 only before and after."),
  evalQuestions: positiveCount.default(200).describe("Held-out questions a difficulty level in evaluation."),
  saveEvery: positiveCount.default(50).describe("Write a checkpoint every so many steps."),
  keepCheckpoints: positiveCount.default(2).describe("Newest checkpoints to keep, beside the best one."),
  threads: count
    .default(1)
    .describe("Threads of the engine; 0 measures and chooses. Another count changes the last digits of results."),
};

/** The keys by what they are about, in the order in which help shows them. */
export const configGroups = {
  "What to run": what,
  Sampling: sampling,
  Rewards: rewards,
  Learning: learning,
  Optimizer: optimizer,
  "Evaluation and checkpoints": record,
};

export const runConfigSchema = z.strictObject({
  ...what,
  ...sampling,
  ...rewards,
  ...learning,
  ...optimizer,
  ...record,
});

/** Everything that decides a run. */
export type RunConfig = z.output<typeof runConfigSchema>;
/** A config with any subset of keys given. */
export type RunConfigInput = z.input<typeof runConfigSchema>;
export type ConfigKey = keyof RunConfig;

/** All keys of the schema, in order. */
export const configKeys = Object.keys(runConfigSchema.shape) as readonly ConfigKey[];

/** Gives a config file its types: `export default defineConfig({ steps: 40 })`. Checked when the run starts. */
export function defineConfig(config: RunConfigInput): RunConfigInput {
  return config;
}

/**
 * `quick` takes minutes on any topic. `paper` has the published hyper-parameters (arXiv 2508.03682, Table of
 * hyper-parameters); docs/decisions/ says where it departs.
 */
export const presets: Readonly<Record<"default" | "quick" | "paper", RunConfigInput>> = {
  default: {},
  quick: { steps: 40, groupsPerBatch: 64, evalQuestions: 100 },
  paper: {
    groupsPerBatch: 64,
    groupSize: 4,
    steps: 100,
    proposerReward: "sqlm",
    proposerEvery: 5,
    proposerLossWeight: 1,
    minAgreement: 0,
    consistentVote: false,
    negativeAdvantageScale: 1,
    lossFn: "ppo",
    numSubsteps: 2,
    learningRate: 1e-6,
    warmupSteps: 0,
    learningRateSchedule: "constant",
    beta2: 0.999,
    weightDecay: 0.01,
    klPenaltyCoef: 0.001,
    malformedReward: 0,
    duplicateReward: 0,
  },
};
