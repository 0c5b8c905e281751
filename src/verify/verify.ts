// The one choice between the ways to verify: a topic's groups are voted on, or their programs run on the proposer's tests.
import type { LabelRule } from "../config/play.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Topic } from "../topics/topic.ts";
import type { Answer, Group, Tried, Verdict, VerifiedGroup, VoteVerdict } from "../types.ts";
import { afterTrying } from "./inverse.ts";
import { verifyByTests } from "./unit-tests.ts";
import { vote, votesFor } from "./vote.ts";

export interface VerifyOptions {
  /** Runs programs; needed by topics that verify by tests. */
  readonly sandbox?: Sandbox | undefined;
  /** Only trusted tests count. */
  readonly consistentVote: boolean;
  /** Which winner is a label, and which tests are trusted; what every form, or the programs' own vote, elects where left out. */
  readonly labelRule?: LabelRule | undefined;
  /** Groups of a teacher, in the same order: their votes decide, the answers of the groups are judged by them. */
  readonly teacher?: readonly Group[] | undefined;
  /** For each group the values of the deciding vote that were tried the other way round. */
  readonly tried?: readonly Tried[] | undefined;
  /** Replaces the verdict of a group; only controls of experiments do. */
  readonly changeVerdict?: ((group: VerifiedGroup) => Promise<Verdict>) | undefined;
}

/** Adds its verdict to each group, one after the other. */
export async function verify(
  topic: Topic,
  groups: readonly Group[],
  { sandbox, consistentVote, labelRule, teacher, tried, changeVerdict }: VerifyOptions,
): Promise<VerifiedGroup[]> {
  const verdictOf = async ({ question, answers }: Group, index: number): Promise<Verdict> => {
    if (topic.verification === "vote" || sandbox === undefined) {
      const deciding = teacher?.[index].answers ?? answers;
      const verdict = afterTrying(vote(deciding, labelRule), deciding, tried?.[index] ?? new Map());
      return teacher === undefined ? verdict : taughtVote(verdict, answers);
    }
    const programs = answers.map(({ value }) => value);
    const options = { trustedOnly: consistentVote, labelRule };
    return (await verifyByTests(sandbox, topic.language ?? "python", question, programs, options)).verdict;
  };
  const verified: VerifiedGroup[] = [];
  for (const [index, group] of groups.entries()) {
    const verdict = await verdictOf(group, index);
    const changed = await changeVerdict?.({ ...group, verdict });
    verified.push({ ...group, verdict: changed ?? verdict });
  }
  return verified;
}

/** The teacher's vote: what it elects, how far it agrees; and of `answers`, which gave the winner and how many. */
function taughtVote(verdict: VoteVerdict, answers: readonly Answer[]): Verdict {
  const scores = votesFor(verdict.winner, answers);
  const right = scores.filter((score) => score === 1).length;
  return {
    ...verdict,
    scores,
    successRate: right / answers.length,
    disputed: right > 0 && right < answers.length,
    taught: true,
  };
}
