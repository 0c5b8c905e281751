// What makes a trained proposer worth more than a frozen one? The topic's own settings, each part of curiosity alone, and a frozen proposer:
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/curiosity-multiplication.ts --seeds 31,32,33 --jobs 2
//   npx sqlm experiment experiments/curiosity-multiplication.ts --seeds 31,32,33
import { defineExperiment, type RunConfigInput } from "self-questioning";

// Four proposals a question, and those are solved of whose kind labels lately corrected most.
const chosen: RunConfigInput = { chooseQuestions: "teaching", proposalsPerQuestion: 4 };

export const experiment = defineExperiment({
  name: "curiosity-multiplication",
  config: {
    topic: "multiplication",
    steps: 100,
    groupsPerBatch: 32,
    evalEvery: 0,
    evalQuestions: 100,
    saveEvery: 100,
    threads: 1,
    guard: "off",
  },
  variants: [
    { name: "trained" },
    { name: "frozen", config: { proposerEvery: 0 } },
    { name: "rare cells", config: { rareCellBonus: 0.5 } },
    { name: "compared within kinds", config: { proposerBaseline: "kind" } },
    // Errors are squares of rates, and a fall of .1 is a large one.
    { name: "error falls", config: { progressBonus: 5 } },
    { name: "counterforce", config: { splitReward: 0.1 } },
    { name: "replay", config: { replayShare: 0.25 } },
    { name: "frozen, replay", config: { proposerEvery: 0, replayShare: 0.25 } },
    { name: "chosen", config: chosen },
    { name: "frozen and chosen", config: { ...chosen, proposerEvery: 0 } },
  ],
});
