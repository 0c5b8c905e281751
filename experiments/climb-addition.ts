// What does the climb do? The shipped model was taught answers of up to three digits; the same run with the levels that probes find,
// with levels up to three only, with a frozen proposer, and with a plain vote over one form:
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/climb-addition.ts --seeds 31,32,33 --jobs 1
//   npx sqlm experiment experiments/climb-addition.ts --seeds 31,32,33
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "climb-addition",
  config: { topic: "addition", evalEvery: 0, evalQuestions: 100, guard: "off" },
  variants: [
    { name: "climb", config: {} },
    { name: "no climb", config: { climb: "off" } },
    { name: "climb, frozen proposer", config: { proposerEvery: 0 } },
    { name: "climb, plain vote", config: { consistentVote: false } },
  ],
});
