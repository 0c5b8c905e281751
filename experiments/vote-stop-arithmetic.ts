// Do votes that stop when they are decided cost anything? The same run with all answers and without those that decide nothing:
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/vote-stop-arithmetic.ts --seeds 21,22,23 --jobs 2
//   node scripts/bootstrap.mjs scripts/vote-savings.ts
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "vote-stop-arithmetic",
  config: {
    topic: "arithmetic",
    steps: 100,
    groupsPerBatch: 64,
    evalEvery: 0,
    evalQuestions: 100,
    saveEvery: 100,
    threads: 1,
    guard: "off",
  },
  variants: [
    { name: "all answers", config: { voteStop: "full" } },
    { name: "decided votes stop", config: { voteStop: "decided" } },
  ],
});
