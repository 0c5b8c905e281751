// Scalars that describe a step without knowing any truth: what people and guards watch to see whether self-play is
// healthy. Pure numbers over what was judged; docs/metrics.md explains each one.
import { countVotes, strictWinner } from "../plurality.ts";
import { groupSignals, type JudgedGroup, type Judgement, type Refusal } from "../types.ts";

/** Metrics of proposals and groups; shares are 0 to 1 and absent where there is nothing to take a share of. */
export function health({ proposals, groups }: Omit<Judgement, "step">): Record<string, number> {
  const answers = groups.flatMap(({ answers }) => answers);
  const share = (kind: Refusal["kind"]): number =>
    ratio(proposals.filter(({ refusal }) => refusal?.kind === kind).length, proposals.length);
  const metrics: Record<string, number> = {
    questions: groups.length,
    malformedShare: share("malformed"),
    duplicateShare: share("duplicate"),
    heldOutShare: share("held-out"),
  };
  if (proposals.length > 0) {
    metrics["proposerReward"] = average(proposals.map(({ reward }) => reward));
    metrics["proposalEntropy"] = -ratio(sum(proposals.flatMap(({ logprobs }) => logprobs)), proposals.length);
  }
  if (groups.length === 0) return metrics;

  metrics["difficulty"] = average(groups.map(({ question }) => question.difficulty));
  metrics["hardestDifficulty"] = Math.max(...groups.map(({ question }) => question.difficulty));
  metrics["agreement"] = average(groups.map(({ verdict }) => verdict.agreement));
  metrics["solverReward"] = average(answers.map(({ reward }) => reward));
  metrics["unreadableShare"] = ratio(answers.filter(({ value }) => value === null).length, answers.length);
  metrics["truncatedShare"] = ratio(answers.filter(({ stopReason }) => stopReason === "length").length, answers.length);
  const askedFor = answers.filter((answer) => answer.askedFor).length;
  // Only topics that conclude answers have such, and not in every step.
  if (askedFor > 0) metrics["concludedShare"] = ratio(askedFor, answers.length);
  metrics["answerTokens"] = average(answers.map(({ tokens }) => tokens.length));
  metrics["tokenEntropy"] = -ratio(
    sum(answers.flatMap(({ logprobs }) => logprobs)),
    sum(answers.map(({ tokens }) => tokens.length)),
  );
  metrics["answerEntropy"] = average(groups.map(answerEntropy));
  metrics["topAnswerShare"] = topAnswerShare(groups);
  const split = groups.filter(({ verdict }) => verdict.kind === "vote" && verdict.formWinners.length > 1);
  if (split.length > 0) {
    metrics["restatementAgreement"] = ratio(split.filter(({ verdict }) => verdict.consistent).length, split.length);
  }
  for (const signal of groupSignals) {
    const count = groups.filter((group) => group.signal === signal).length;
    // Nothing is withheld but by a guard.
    if (count > 0 || signal !== "withheld") metrics[`groups.${signal}`] = count;
  }
  Object.assign(metrics, testShares(groups), triedShares(groups));
  return metrics;
}

/** Of the groups of which answers were tried the other way round, how many have a label by it, and how many another than the vote's. */
function triedShares(groups: readonly JudgedGroup[]): Record<string, number> {
  const verdicts = groups.flatMap(({ verdict }) =>
    verdict.kind === "vote" && verdict.tried !== undefined ? [verdict] : [],
  );
  if (verdicts.length === 0) return {};
  const confirmed = verdicts.filter(({ consistent }) => consistent);
  return {
    triedConfirmedShare: confirmed.length / verdicts.length,
    triedAgainstVoteShare:
      confirmed.filter(({ winner, counts }) => winner !== strictWinner(counts)).length / verdicts.length,
  };
}

/** Shares of the proposer's tests by what became of them, where there are tests. */
function testShares(groups: readonly JudgedGroup[]): Record<string, number> {
  const verdicts = groups.flatMap(({ verdict }) => (verdict.kind === "tests" ? [verdict] : []));
  const tests = sum(verdicts.map(({ passed }) => passed[0]?.length ?? 0));
  if (tests === 0) return {};
  const share = (kind: "trustedTests" | "unagreedTests" | "contradictoryTests"): number =>
    sum(verdicts.map((verdict) => verdict[kind].length)) / tests;
  return {
    trustedTestShare: share("trustedTests"),
    unagreedTestShare: share("unagreedTests"),
    contradictoryTestShare: share("contradictoryTests"),
  };
}

/** Entropy, in nats, of the distribution of distinct readable answers in a group. */
function answerEntropy({ answers }: JudgedGroup): number {
  // Terms are summed in the order in which values first appeared: another order would change the last digit.
  const votes = new Map(countVotes(answers.map(({ value }) => value)));
  const counts = [...new Set(answers.map(({ value }) => value))].flatMap((value) =>
    value === null ? [] : [votes.get(value) ?? 0],
  );
  const total = sum(counts);
  return -sum(counts.map((count) => (count / total) * Math.log(count / total)));
}

/** Share of questions that elected the most common winner: near 1 when the model answers everything alike. */
function topAnswerShare(groups: readonly JudgedGroup[]): number {
  const [leader] = countVotes(groups.map(({ verdict }) => verdict.winner));
  return leader === undefined ? 0 : leader[1] / groups.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function average(values: readonly number[]): number {
  return ratio(sum(values), values.length);
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
