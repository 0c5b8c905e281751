// What would make more of coding: tests that one program in many passes, replay, more steps?
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/curiosity-coding.ts --seeds 31,32,33 --jobs 2
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "curiosity-coding",
  config: { topic: "coding", evalEvery: 0, evalQuestions: 100, threads: 1 },
  variants: [
    { name: "trained" },
    { name: "frozen", config: { proposerEvery: 0 } },
    { name: "quorum", config: { labelRule: "quorum" } },
    { name: "replay", config: { replayShare: 0.25 } },
    { name: "120 steps", config: { steps: 120 } },
    { name: "120 steps and replay", config: { steps: 120, replayShare: 0.25 } },
  ],
});
