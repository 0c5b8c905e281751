// What are parts of curiosity worth in algebra, which has many kinds of question? Half of the topic's default steps:
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/curiosity-algebra.ts --seeds 31,32,33 --jobs 2
import { defineExperiment, type RunConfigInput } from "self-questioning";

// Four proposals a question, and those are solved of whose kind labels lately corrected most.
const chosen: RunConfigInput = { chooseQuestions: "teaching", proposalsPerQuestion: 4 };

export const experiment = defineExperiment({
  name: "curiosity-algebra",
  config: {
    topic: "algebra",
    steps: 120,
    evalEvery: 0,
    evalQuestions: 100,
    saveEvery: 120,
    threads: 1,
    guard: "off",
  },
  variants: [
    { name: "trained" },
    { name: "frozen", config: { proposerEvery: 0 } },
    { name: "replay", config: { replayShare: 0.25 } },
    { name: "rare cells", config: { rareCellBonus: 0.5 } },
    { name: "replay and rare cells", config: { replayShare: 0.25, rareCellBonus: 0.5 } },
    { name: "chosen", config: chosen },
    { name: "frozen and chosen", config: { ...chosen, proposerEvery: 0 } },
  ],
});
