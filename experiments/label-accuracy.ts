// Do the labels stay right for long? The default recipe for 500 steps, half as many questions a step:
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/label-accuracy.ts --seeds 41..45 --jobs 2
//   npx sqlm show RUN --metrics taughtLabelAccuracy
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "label-accuracy",
  config: {
    steps: 500,
    groupsPerBatch: 32,
    evalEvery: 100,
    evalQuestions: 100,
    saveEvery: 250,
    threads: 1,
    guard: "off",
  },
  variants: [
    { name: "arithmetic", config: { topic: "arithmetic" } },
    { name: "multiplication", config: { topic: "multiplication" } },
  ],
});
