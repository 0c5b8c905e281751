// Does a real model of half a billion parameters learn to solve equations and stories from its own questions? Self-play beside three
// controls, with the recipe `real` and half of its questions a step, since answers have a working of some forty tokens:
//
//   npx sqlm experiment experiments/real-algebra.ts --seeds 1,2,3 --model MODEL
//   npx sqlm evaluate RUN --compare start --questions 32 --max-answer-tokens 96
//
// MODEL is Qwen2.5-Coder-0.5B-Instruct; docs/results.md has the table that it gave. The runs' own evaluations are short; `evaluate` leaves
// out what a run asked.
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "real-algebra",
  config: {
    topic: "algebra",
    steps: 16,
    groupsPerBatch: 8,
    // Of 21 labels of a run with .5, four were wrong, all with less than .57 of the answers.
    minAgreement: 0.6,
    maxAnswerTokens: 64,
    evalEvery: 0,
    evalQuestions: 2,
    activationMemory: 3000,
    threads: 1,
  },
  variants: [
    { name: "self-play" },
    // Questions come from the starting proposer throughout.
    { name: "frozen proposer", config: { proposerEvery: 0 } },
    // Every readable answer is rewarded alike.
    { name: "format reward only", config: { solverReward: "format" } },
    // What most answers say teaches, whatever the other forms elect.
    { name: "no consistency", config: { consistentVote: false } },
  ],
});
