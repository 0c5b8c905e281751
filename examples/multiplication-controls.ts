// What is self-play worth on multiplication? The topic's own recipe beside two controls:
//
//   npx sqlm experiment examples/multiplication-controls.ts --seeds 1,2,3 --parallel 2
//
// docs/results.md has the table that it gave.
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "multiplication-controls",
  // A guard would keep a control from what it shows.
  config: { topic: "multiplication", guard: "off" },
  variants: [
    { name: "default" },
    // Questions come from the starting proposer throughout.
    { name: "frozen proposer", config: { proposerEvery: 0 } },
    // Every readable answer is rewarded alike.
    { name: "format reward only", config: { solverReward: "format" } },
  ],
});
