// Settings of how both roles sample.
import { z } from "zod";
import { onlyWith } from "./in-force.ts";
import { labelRewards } from "./learn.ts";
import { count, positiveCount } from "./numbers.ts";

const truncatedReplies = ["refuse", "read"] as const;

const labelRuleNames = ["consistent", "quorum", "margin", "harmonic", "both"] as const;
export type LabelRule = (typeof labelRuleNames)[number];

export const sampling = {
  groupsPerBatch: positiveCount.default(128).describe("Questions solved in a step."),
  groupSize: z.number().int().min(2).default(16).describe("Answers sampled to each question."),
  // Another rule may take an answer for right that some form does not elect: what is decided is another question then.
  voteStop: onlyWith(
    { solverReward: labelRewards, labelRule: ["consistent"] },
    z
      .enum(["full", "decided"])
      .default("full")
      .describe(
        "Ask all answers (`full`), or stop a vote when its winner is `decided` and all agree, or when it can teach nothing any more or hardly will.",
      ),
  ),
  labelRule: onlyWith(
    { solverReward: labelRewards },
    z
      .enum(labelRuleNames)
      .default("consistent")
      .describe(
        "When a vote over several forms is a label: all forms elect it (`consistent`), more forms than elect any other and two at least (`quorum`), it leads by a `margin`, the `harmonic` mean of its shares is ½, or `both` forms and mean say so. Of tests `quorum` trusts those that one program passes, two at least.",
      ),
  ),
  inverseAnswers: onlyWith(
    { solverReward: labelRewards },
    count
      .default(0)
      .describe(
        "Answers to each question that tries one of a vote's leading answers the other way round; what it confirms is the label. 0 is off; needs a topic that has such questions.",
      ),
  ),
  proposalsPerQuestion: z.number().min(1).default(2).describe("Proposals sampled for each question that is solved."),
  maxQuestionTokens: count.default(0).describe("Longest proposal in tokens; 0 is the topic's own length."),
  maxAnswerTokens: count.default(0).describe("Longest answer in tokens; 0 is the topic's own length."),
  temperature: z.number().positive().default(1).describe("Sampling temperature in training."),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe("Sample from the smallest set of tokens with this probability; 1 is off."),
  truncatedReplies: z
    .enum(truncatedReplies)
    .default("refuse")
    .describe("A reply cut off at its longest length: `refuse` it as unreadable, or `read` what is there."),
  topK: count.default(0).describe("Sample from this many most likely tokens; 0 is off."),
};

export type PlaySettings = z.output<z.ZodObject<typeof sampling>>;
