// How few sampled answers remove three quarters of multiplication's errors? As many answers spent on whole groups, and on groups that stop
// when they are decided:
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/few-answers-multiplication.ts --seeds 34,35,36 --jobs 2
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "few-answers-multiplication",
  config: {
    topic: "multiplication",
    groupsPerBatch: 32,
    replayShare: 0.25,
    evalEvery: 0,
    evalQuestions: 100,
    saveEvery: 125,
    threads: 1,
    guard: "off",
  },
  variants: [
    { name: "whole groups", config: { steps: 97 } },
    { name: "decided groups stop", config: { steps: 125, voteStop: "decided" } },
  ],
});
