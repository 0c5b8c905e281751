// One schema for a run: defaults, validation, command-line flags, help text, the editor schema and the stored JSON all
// come from here. How layers of values are put together is in layers.ts.
import { z } from "zod";
import { server, weights } from "./engine.ts";
import { exploring } from "./explore.ts";
import { guard } from "./guard.ts";
import { onlyWith } from "./in-force.ts";
import { learning, optimizer, rewards } from "./learn.ts";
import { count, positiveCount } from "./numbers.ts";
import { sampling } from "./play.ts";

const what = {
  topic: z.string().default("arithmetic").describe("Topic to learn: a built-in name or a path to a topic file."),
  model: z
    .string()
    .default("seed")
    .describe(
      "Model to start from: a folder in Hugging Face layout, a GGUF file, a hub id ORG/NAME[@REVISION], or `seed` for the one shipped for the topic.",
    ),
  evalFile: onlyWith(
    { topic: ["plain:*"] },
    z
      .string()
      .default("none")
      .describe(
        "JSON lines {question, answer} that a topic in words is evaluated on and training never sees, or none.",
      ),
  ),
  examples: onlyWith(
    { topic: ["plain:*"] },
    z
      .string()
      .default("none")
      .describe("JSON lines {question, answer} that a topic in words shows the model as examples, or none."),
  ),
  engine: z
    .enum(["onnx", "tinker"])
    .default("onnx")
    .describe("What samples and trains the model: onnx on this machine, tinker a server of the Tinker protocol."),
  preset: z
    .enum(["default", "quick", "paper", "real"])
    .default("default")
    .describe(
      "Named set of values below the ones you give; where you name none, `real` for models above 50 M parameters.",
    ),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(1)
    .describe("Seed of all randomness; the same seed gives the same run."),
  steps: positiveCount.default(300).describe("Steps of self-play."),
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
  "A model on a server": server,
  Weights: weights,
  Sampling: sampling,
  Rewards: rewards,
  Learning: learning,
  Optimizer: optimizer,
  Exploring: exploring,
  Guard: guard,
  "Evaluation and checkpoints": record,
};

export const runConfigSchema = z.strictObject({
  ...what,
  ...server,
  ...weights,
  ...sampling,
  ...rewards,
  ...learning,
  ...optimizer,
  ...exploring,
  ...guard,
  ...record,
});

/** Everything that decides a run. */
export type RunConfig = z.output<typeof runConfigSchema>;
/** A config with any subset of keys given. */
export type RunConfigInput = z.input<typeof runConfigSchema>;
export type ConfigKey = keyof RunConfig;

/** All keys of the schema, in order. */
export const configKeys = Object.keys(runConfigSchema.shape) as readonly ConfigKey[];

/**
 * Gives a config file its types: `export default defineConfig({ steps: 40 })`. Checked when the run starts.
 *
 * @example
 * import { defineConfig } from "self-questioning";
 *
 * export default defineConfig({ topic: "multiplication", steps: 40, learningRate: 1e-4 });
 */
export function defineConfig(config: RunConfigInput): RunConfigInput {
  return config;
}

/**
 * `quick` takes minutes on any topic. `real` is chosen by itself for models whose adapter trains (docs/decisions/0060). `paper` has the published hyper-parameters (arXiv 2508.03682, Table of
 * hyper-parameters); docs/decisions/ says where it departs.
 */
export const presets: Readonly<Record<"default" | "quick" | "paper" | "real", RunConfigInput>> = {
  default: {},
  real: {
    steps: 100,
    groupsPerBatch: 16,
    groupSize: 16,
    labelRule: "quorum",
    minAgreement: 0.5,
    proposalsPerQuestion: 2,
    proposerEvery: 1,
    proposerLossWeight: 0.1,
    bandLow: 0.3,
    bandHigh: 0.9,
    malformedReward: -0.5,
    duplicateReward: -0.5,
    proposerEntropyCoef: 0.1,
    negativeAdvantageScale: 1,
    learningRate: 1e-4,
    learningRateSchedule: "constant",
    warmupSteps: 3,
    evalEvery: 50,
    evalQuestions: 32,
    saveEvery: 10,
  },
  quick: { steps: 40, groupsPerBatch: 64, evalQuestions: 100 },
  paper: {
    guard: "off",
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
