// Does a real model of half a billion parameters learn to solve equations and stories from its own questions? Self-play beside its
// controls, with the recipe `real` and half of its questions a step, since answers have a working of some forty tokens. Of three
// proposals a question those are solved of whose kind labels lately corrected most, and the proposer trains at every fourth step:
//
//   npx sqlm experiment experiments/real-algebra.ts --seeds 1,2,3 --model MODEL
//   npx sqlm evaluate RUN --compare start --questions 32 --levels 2,3
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
    maxAnswerTokens: 80,
    evalEvery: 0,
    evalQuestions: 2,
    activationMemory: 3000,
    threads: 1,
    chooseQuestions: "teaching",
    proposalsPerQuestion: 3,
    proposerEvery: 4,
  },
  variants: [
    { name: "self-play" },
    // Two proposals a question, of which the first are solved, and a proposer that trains at every step: what the preset says.
    { name: "first questions", config: { chooseQuestions: "first", proposalsPerQuestion: 2, proposerEvery: 1 } },
    // Questions come from the starting proposer throughout.
    { name: "frozen proposer", config: { proposerEvery: 0 } },
    // Every readable answer is rewarded alike.
    { name: "format reward only", config: { solverReward: "format" } },
    // Advantages among all answers to a question, whatever their form.
    { name: "among all answers", config: { solverBaseline: "question" } },
    // The forms alone elect the label, and more than half of the answers must agree.
    { name: "nothing tried", config: { inverseAnswers: 0, minAgreement: 0.6 } },
    {
      name: "nothing tried, among all answers",
      config: { inverseAnswers: 0, minAgreement: 0.6, solverBaseline: "question" },
    },
    // What most answers say teaches, whatever the other forms elect.
    { name: "no consistency", config: { inverseAnswers: 0, consistentVote: false, minAgreement: 0.6 } },
  ],
});
