// Controls of the experiments: what a run is compared with to know what self-play itself is worth. A control changes what
// the loop is told of a group. `oracle` tells it the truth: that is what makes it a control, and why it can be reached
// from an experiment only, never from a run's config.
import { UnsupportedError, UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { DefinedTopic } from "../topics/define-topic.ts";
import type { Verdict, VerifiedGroup } from "../types.ts";
import { votesFor } from "../verify/vote.ts";

export interface Control {
  readonly name: string;
  /** Replaces the verdict of a group. */
  readonly verdict?: (group: VerifiedGroup) => Promise<Verdict>;
  /** Replaces the rewards of a group. */
  readonly rewards?: (rewards: readonly number[], random: Random) => readonly number[];
}

export const controlNames = ["shuffled-vote", "oracle"] as const;
export type ControlName = (typeof controlNames)[number];

/** The control of this name, as an experiment or the record of a run names it. Throws UsageError for an unknown one. */
export function makeControl(name: string, topic: DefinedTopic): Control {
  switch (name as ControlName) {
    case "oracle":
      return oracle(topic);
    case "shuffled-vote":
      return shuffledVote;
    default:
      throw new UsageError(
        `There is no control "${name}".`,
        `Controls are ${controlNames.join(", ")}. A run that names another was made by another version of sqlm.`,
      );
  }
}

/**
 * Gives each group's rewards to its answers in random order: as many answers are rewarded in the same groups, but which
 * ones says nothing. What such a run gains does not come from the vote.
 */
const shuffledVote: Control = {
  name: "shuffled-vote",
  rewards: (rewards, random) => random.shuffle(rewards),
};

/**
 * Takes the hidden checker for the winner of every vote: what self-play could reach with perfect labels. Throws
 * UnsupportedError for a topic that has no checker or no vote.
 */
function oracle({ topic, hidden }: DefinedTopic): Control {
  if (hidden === null || hidden.onlyKeys !== undefined || topic.verification !== "vote") {
    const reason =
      hidden === null
        ? "has no hidden checker"
        : hidden.onlyKeys === undefined
          ? "does not vote"
          : "knows the answers to its held-out questions only";
    throw new UnsupportedError(
      `The control "oracle" cannot be played on ${topic.name}, which ${reason}.`,
      "Leave the variant out, or give the topic a checker.",
    );
  }
  return {
    name: "oracle",
    async verdict({ question, answers, verdict }) {
      if (verdict.kind !== "vote") return verdict;
      let winner: string | null = null;
      for (const { value } of answers) {
        if (winner === null && value !== null && (await hidden.check(question, value))) winner = value;
      }
      const scores = votesFor(winner, answers);
      const agreement = scores.filter((score) => score === 1).length / verdict.groupSize;
      return {
        ...verdict,
        winner,
        tie: false,
        agreement,
        successRate: agreement,
        scores,
        problem: winner !== null ? null : verdict.counts.length === 0 ? "no-answer" : "tie",
        formWinners: verdict.formWinners.map(() => winner),
        consistent: winner !== null,
        confirmed: winner !== null,
      };
    },
  };
}
