// Settings of what is asked for: levels above what the model knows, and kinds that it no longer asks by itself.
import { z } from "zod";
import { fraction } from "./numbers.ts";

export const exploring = {
  replayShare: fraction
    .default(0)
    .describe(
      "Share of a step's proposals that begin as a solved question did whose kind is now rarely asked, so that no kind dies out; 0 is off.",
    ),
  chooseQuestions: z
    .enum(["first", "teaching"])
    .default("first")
    .describe(
      "Which of a step's good questions are solved where there are more than `groupsPerBatch`: the `first`, or those of sorts of which labels lately corrected most answers (`teaching`); `proposalsPerQuestion` says how many there are to choose from.",
    ),
  climb: z
    .enum(["off", "on"])
    .default("off")
    .describe(
      "Ask for questions by level, around the hardest that probes find solved, one level above it among them; needs a topic that can be asked for levels.",
    ),
};
