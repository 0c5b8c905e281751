// Does a real model of half a billion parameters write better programs after its own tasks and tests? Self-play beside a frozen proposer,
// with the recipe `real`; rewards are the proposer's own tests:
//
//   npx sqlm experiment experiments/real-coding.ts --seeds 1,2,3 --model MODEL
//   npx sqlm evaluate RUN --compare start --questions 32
//
// MODEL is Qwen2.5-Coder-0.5B-Instruct; docs/results.md has the table that it gave. The runs' own evaluations are short; `evaluate` leaves
// out what a run asked.
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "real-coding",
  config: {
    topic: "coding",
    steps: 16,
    groupSize: 8,
    evalEvery: 0,
    evalQuestions: 2,
    activationMemory: 3000,
    threads: 1,
  },
  variants: [
    { name: "self-play" },
    // Tasks come from the starting proposer throughout.
    { name: "frozen proposer", config: { proposerEvery: 0 } },
  ],
});
