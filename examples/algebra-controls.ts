// What is self-play worth on algebra? The topic's own recipe beside two controls:
//
//   npx sqlm experiment examples/algebra-controls.ts --seeds 1,2,3 --parallel 2
//
// docs/results.md has the table that it gave.
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "algebra-controls",
  // A guard would keep a control from what it shows.
  config: { topic: "algebra", guard: "off" },
  variants: [
    { name: "default" },
    // Questions come from the starting proposer throughout.
    { name: "frozen proposer", config: { proposerEvery: 0 } },
    // Every readable answer is rewarded alike.
    { name: "format reward only", config: { solverReward: "format" } },
  ],
});
