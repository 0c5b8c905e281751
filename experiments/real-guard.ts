// Does what keeps the vote honest, and what makes a proposer curious, harm or help a real model of half a billion parameters? Both on
// beside both off, with the recipe `real`:
//
//   npx sqlm experiment experiments/real-guard.ts --seeds 21,22,23 --model MODEL
//   npx sqlm evaluate RUN --compare start --levels 5,6,7 --questions 32
//
// MODEL is Qwen2.5-Coder-0.5B-Instruct; docs/results.md has the table that it gave.
import { defineExperiment } from "self-questioning";

export const experiment = defineExperiment({
  name: "real-guard",
  config: { topic: "multiplication", steps: 16, evalEvery: 0, evalQuestions: 8, threads: 1 },
  variants: [
    { name: "off" },
    {
      name: "guard and curiosity",
      config: {
        // A look of 144 answers every fourth step; a step has 256.
        guard: "act",
        probeQuestions: 24,
        probeAnswers: 6,
        probeEvery: 4,
        replayShare: 0.25,
        rareCellBonus: 0.5,
      },
    },
  ],
});
