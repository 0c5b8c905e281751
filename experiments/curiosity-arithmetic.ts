// Can a trained proposer be worth more than a frozen one where its questions are hard enough from the start? The topic's own settings,
// a frozen proposer, one that is trained in every step as multiplication's is, and that with parts of curiosity:
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/curiosity-arithmetic.ts --seeds 31,32,33 --jobs 2
import { defineExperiment, type RunConfigInput } from "self-questioning";

const everyStep: RunConfigInput = { proposerEvery: 1, proposerLossWeight: 0.2, bandHigh: 0.95 };

// Four proposals a question, and those are solved of whose kind labels lately corrected most.
const chosen: RunConfigInput = { chooseQuestions: "teaching", proposalsPerQuestion: 4 };

export const experiment = defineExperiment({
  name: "curiosity-arithmetic",
  config: {
    topic: "arithmetic",
    steps: 120,
    groupsPerBatch: 32,
    evalEvery: 0,
    evalQuestions: 100,
    saveEvery: 120,
    threads: 1,
    guard: "off",
  },
  variants: [
    { name: "trained" },
    { name: "frozen", config: { proposerEvery: 0 } },
    { name: "every step", config: everyStep },
    { name: "every step and rare cells", config: { ...everyStep, rareCellBonus: 0.5 } },
    { name: "every step and replay", config: { ...everyStep, replayShare: 0.25 } },
    { name: "every step and within kinds", config: { ...everyStep, proposerBaseline: "kind" } },
    { name: "frozen and chosen", config: { ...chosen, proposerEvery: 0 } },
    { name: "every step and chosen", config: { ...everyStep, ...chosen } },
  ],
});
