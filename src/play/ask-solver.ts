// All that is asked about a step's questions: answers of the solver, of a teacher where one votes, and the trials of what they say most.
import type { RewardSettings } from "../config/learn.ts";
import type { PlaySettings } from "../config/play.ts";
import type { Player } from "../engine/engine.ts";
import { seedFrom } from "../random.ts";
import type { Topic } from "../topics/topic.ts";
import type { Group, Proposal, Tried } from "../types.ts";
import { type SolveOptions, solve } from "./solve.ts";
import { tryAnswers } from "./try-answers.ts";

interface Solvers {
  readonly solver: Player;
  /** Votes in place of the solver. */
  readonly teaching: Player | null;
}

interface AskedStep {
  readonly config: PlaySettings &
    Pick<RewardSettings, "solverReward" | "consistentVote" | "minAgreement"> & { readonly seed: number };
  readonly heldOutKeys: ReadonlySet<string>;
  readonly step: number;
}

/** A group for each question that was not refused. */
export async function askSolver(
  { solver, teaching }: Solvers,
  topic: Topic,
  proposals: readonly Proposal[],
  { config, heldOutKeys, step }: AskedStep,
): Promise<{
  readonly asked: readonly Group[];
  /** The teacher's, whose votes decide. */
  readonly taught: readonly Group[] | undefined;
  /** What of the deciding answers was tried the other way round. */
  readonly tried: readonly Tried[] | undefined;
  /** Votes stopped when they were decided; a teacher's do not. */
  readonly stopped: boolean;
}> {
  const { temperature, topP, topK, truncatedReplies, inverseAnswers } = config;
  const stopped = stopsVotes(config) && teaching === null;
  const sampling = { temperature, topP, topK, truncatedReplies };
  const answering = (purpose: string): SolveOptions => ({
    ...sampling,
    // A teacher's answers take the place of half of the others.
    groupSize: teaching === null ? config.groupSize : Math.ceil(config.groupSize / 2),
    consistentVote: config.consistentVote,
    stopVotes: stopped ? config : undefined,
    heldOutKeys,
    seed: seedFrom(config.seed, purpose, step),
  });
  const asked = await solve(solver, topic, proposals, answering("solve"));
  const taught = teaching === null ? undefined : await solve(teaching, topic, proposals, answering("teach"));
  // Only a label is worth trying: other rewards ask for none.
  const labels = config.solverReward !== "format";
  const trying = { ...sampling, inverseAnswers: labels ? inverseAnswers : 0, seed: seedFrom(config.seed, "try", step) };
  const tried = await tryAnswers(teaching ?? solver, topic, taught ?? asked, trying);
  return { asked, taught, tried, stopped };
}

/** Why answers are not tried although that is asked for; null where they are. */
export function idleTrying(topic: Topic, { inverseAnswers }: Pick<PlaySettings, "inverseAnswers">): string | null {
  if (inverseAnswers === 0 || topic.inverseCheck !== undefined) return null;
  return `inverseAnswers: the topic ${topic.name} has no questions that try an answer the other way round`;
}

/** Whether votes stop when they are decided. */
const stopsVotes = ({ voteStop, labelRule }: Pick<PlaySettings, "voteStop" | "labelRule">): boolean =>
  voteStop === "decided" && labelRule === "consistent";
