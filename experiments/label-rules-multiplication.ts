// Which rule makes labels that teach? The same runs, another rule in each (`src/verify/label.ts`):
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/label-rules-multiplication.ts --seeds 31,32,33 --jobs 2
//   npx sqlm experiment experiments/label-rules-multiplication.ts --seeds 31,32,33
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "label-rules-multiplication",
  config: {
    topic: "multiplication",
    steps: 40,
    groupsPerBatch: 32,
    evalEvery: 0,
    evalQuestions: 100,
    saveEvery: 40,
    threads: 1,
    guard: "off",
  },
  variants: [
    { name: "consistent" },
    // A quorum may be a quarter of the answers, so the bar on agreement is lower; the other rule beside it with that bar.
    { name: "consistent, agreement .25", config: { minAgreement: 0.25 } },
    { name: "quorum, agreement .25", config: { labelRule: "quorum", minAgreement: 0.25 } },
    { name: "harmonic", config: { labelRule: "harmonic" } },
    { name: "margin", config: { labelRule: "margin" } },
    { name: "soft labels", config: { solverReward: "soft" } },
    { name: "low agreement loses", config: { lowAgreementPenalty: 0.1 } },
  ],
});
