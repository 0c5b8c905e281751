// What is self-play worth on coding? The topic's own recipe beside two controls:
//
//   npx sqlm experiment examples/coding-controls.ts --seeds 1,2,3 --parallel 2
//
// docs/results.md has the table that it gave.
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "coding-controls",
  config: { topic: "coding" },
  variants: [
    { name: "default" },
    // Questions come from the starting proposer throughout.
    { name: "frozen proposer", config: { proposerEvery: 0 } },
    // Every readable answer is rewarded alike.
    { name: "format reward only", config: { solverReward: "format" } },
  ],
});
