// Do kinds that are replayed stay known? The topic's own settings with and without replay, beside a frozen proposer:
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/replay-multiplication.ts --seeds 31,32,33 --jobs 1
//   npx sqlm experiment experiments/replay-multiplication.ts --seeds 31,32,33
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "replay-multiplication",
  config: { topic: "multiplication", steps: 100, groupsPerBatch: 32, evalEvery: 0, evalQuestions: 100, saveEvery: 100 },
  variants: [
    { name: "trained", config: {} },
    { name: "trained, replay", config: { replayShare: 0.25 } },
    { name: "frozen", config: { proposerEvery: 0 } },
    { name: "frozen, replay", config: { proposerEvery: 0, replayShare: 0.25 } },
  ],
});
