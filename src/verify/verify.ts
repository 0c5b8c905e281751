// The one choice between the ways to verify: a topic's groups are voted on, or their programs run on the proposer's tests.
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Topic } from "../topics/topic.ts";
import type { Group, Verdict, VerifiedGroup } from "../types.ts";
import { verifyByTests } from "./unit-tests.ts";
import { vote } from "./vote.ts";

export interface VerifyOptions {
  /** Runs programs; needed by topics that verify by tests. */
  readonly sandbox?: Sandbox | undefined;
  /** Tests count only where the programs' own vote confirms them. */
  readonly consistentVote: boolean;
  /** Replaces the verdict of a group; only controls of experiments do. */
  readonly changeVerdict?: ((group: VerifiedGroup) => Promise<Verdict>) | undefined;
}

/** Adds its verdict to each group, one after the other. */
export async function verify(
  topic: Topic,
  groups: readonly Group[],
  { sandbox, consistentVote, changeVerdict }: VerifyOptions,
): Promise<VerifiedGroup[]> {
  const verdictOf = async ({ question, answers }: Group): Promise<Verdict> => {
    if (topic.verification === "vote" || sandbox === undefined) return vote(answers);
    const programs = answers.map(({ value }) => value);
    const options = { trustedOnly: consistentVote };
    return (await verifyByTests(sandbox, topic.language ?? "python", question, programs, options)).verdict;
  };
  const verified: VerifiedGroup[] = [];
  for (const group of groups) {
    const verdict = await verdictOf(group);
    const changed = await changeVerdict?.({ ...group, verdict });
    verified.push({ ...group, verdict: changed ?? verdict });
  }
  return verified;
}
