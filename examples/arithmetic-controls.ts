// What is self-play worth? The default recipe and the published one beside their controls, on arithmetic:
//
//   npx sqlm experiment examples/arithmetic-controls.ts --seeds 1,2,3 --parallel 2
//
// docs/results.md has the table that it gave.
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "arithmetic-controls",
  // Shorter than `npm start`, so that 21 runs end within the hour on two cores. The default is among them, equally short.
  // A guard would keep a control from what it shows.
  config: { topic: "arithmetic", steps: 120, evalEvery: 120, guard: "off" },
  variants: [
    { name: "default" },
    // The published formulas and hyper-parameters, as they are: made for a model of 3 billion parameters.
    { name: "paper", config: { preset: "paper" } },
    // Questions come from the starting proposer throughout.
    { name: "frozen proposer", config: { proposerEvery: 0 } },
    // Every readable answer is rewarded alike.
    { name: "format reward only", config: { solverReward: "format" } },
    // As many answers are rewarded as the vote would, but not the ones that it elected.
    { name: "shuffled vote", control: "shuffled-vote" },
    // The plain vote over one form of the question.
    { name: "no consistency", config: { consistentVote: false } },
    // The hidden truth in place of the vote: what perfect labels would reach.
    { name: "oracle reward", control: "oracle" },
  ],
});
