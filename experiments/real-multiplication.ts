// Does a real model of half a billion parameters learn to multiply from its own questions? Self-play beside three controls, with the
// recipe `real`:
//
//   npx sqlm experiment experiments/real-multiplication.ts --seeds 1,2,3 --model MODEL
//   npx sqlm evaluate RUN --compare start --questions 32          # pass@1, greedy and the vote of 16, question by question
//
// MODEL is Qwen2.5-Coder-0.5B-Instruct; docs/results.md has the table that it gave. The runs' own evaluations are short.
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "real-multiplication",
  config: { topic: "multiplication", steps: 30, evalEvery: 0, evalQuestions: 8, threads: 1 },
  variants: [
    { name: "self-play" },
    // Questions come from the starting proposer throughout.
    { name: "frozen proposer", config: { proposerEvery: 0 } },
    // Every readable answer is rewarded alike.
    { name: "format reward only", config: { solverReward: "format" } },
    // What most answers say teaches, whatever the other form elects.
    { name: "no consistency", config: { consistentVote: false } },
  ],
});
