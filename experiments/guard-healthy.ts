// Does the guard leave healthy runs of the other topics alone? A run in which it says nothing is the run without it, token for token:
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/guard-healthy.ts --seeds 31..35 --jobs 2
//   node scripts/bootstrap.mjs scripts/guard-table.ts --experiment guard-healthy
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "guard-healthy",
  config: { guard: "act", probeEvery: 4, evalQuestions: 50, threads: 1 },
  variants: [
    { name: "algebra", config: { topic: "algebra", steps: 40, evalEvery: 10, saveEvery: 10 } },
    { name: "coding", config: { topic: "coding", steps: 24, evalEvery: 8, saveEvery: 8 } },
    { name: "addition", config: { topic: "addition", steps: 60, evalEvery: 20, saveEvery: 20 } },
  ],
});
