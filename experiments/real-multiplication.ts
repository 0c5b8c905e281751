// Does a real model of half a billion parameters learn to multiply from its own questions? Self-play beside three controls:
//
//   npx sqlm experiment experiments/real-multiplication.ts --seeds 1,2,3 --model MODEL
//
// MODEL is Qwen2.5-Coder-0.5B-Instruct; docs/results.md has the table that it gave.
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "real-multiplication",
  config: { topic: "multiplication", steps: 40, evalEvery: 0, threads: 1 },
  variants: [
    { name: "self-play" },
    // Questions come from the starting proposer throughout.
    { name: "frozen proposer", config: { proposerEvery: 0 } },
    // Every readable answer is rewarded alike.
    { name: "format reward only", config: { solverReward: "format" } },
    // The plurality of one form teaches, whatever other forms would elect.
    { name: "no consistency", config: { consistentVote: false } },
  ],
});
