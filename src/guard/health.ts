// Scalars that describe a step: what people watch to see whether self-play is healthy. Pure numbers over the record.
// docs/metrics.md explains each one.
import { type GroupRecord, groupSignals, type ProposalRecord } from "../events.ts";

/** Metrics of proposals and groups; shares are 0 to 1 and absent where there is nothing to take a share of. */
export function stepMetrics(step: {
  readonly proposals: readonly ProposalRecord[];
  readonly groups: readonly GroupRecord[];
}): Record<string, number> {
  const { proposals, groups } = step;
  const answers = groups.flatMap(({ answers }) => answers);
  const share = (name: string): number =>
    ratio(proposals.filter(({ reason }) => reason?.split(":")[0] === name).length, proposals.length);
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
  metrics["agreement"] = average(groups.map(agreement));
  metrics["solverReward"] = average(groups.flatMap(({ rewards }) => rewards));
  metrics["unreadableShare"] = ratio(answers.filter(({ value }) => value === null).length, answers.length);
  metrics["answerTokens"] = average(answers.map(({ tokens }) => tokens.length));
  metrics["tokenEntropy"] = -ratio(
    sum(answers.flatMap(({ logprobs }) => logprobs)),
    sum(answers.map(({ tokens }) => tokens.length)),
  );
  metrics["answerEntropy"] = average(groups.map(answerEntropy));
  metrics["topAnswerShare"] = topAnswerShare(groups);
  for (const signal of groupSignals) {
    metrics[`groups.${signal}`] = groups.filter((group) => group.signal === signal).length;
  }
  Object.assign(metrics, testShares(groups));
  const labels = groups.flatMap(({ truth }) =>
    truth === null || truth.labelRight === null ? [] : [Number(truth.labelRight)],
  );
  if (labels.length > 0) {
    metrics["labelAccuracy"] = average(labels);
    metrics["hackingGap"] = metrics["agreement"] - metrics["labelAccuracy"];
  }
  const taught = groups.flatMap(({ truth, signal }) =>
    signal === "trained" && truth !== null && truth.labelRight !== null ? [Number(truth.labelRight)] : [],
  );
  if (taught.length > 0) metrics["taughtLabelAccuracy"] = average(taught);
  const accuracies = groups.flatMap(({ truth }) => (truth === null ? [] : [truth.accuracy]));
  if (accuracies.length > 0) metrics["accuracy"] = average(accuracies);
  return metrics;
}

/** Shares of the proposer's tests by what became of them, where there are tests. */
function testShares(groups: readonly GroupRecord[]): Record<string, number> {
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

function agreement({ verdict }: GroupRecord): number {
  return verdict.kind === "vote" ? verdict.agreement : verdict.outputAgreement;
}

/** Entropy, in nats, of the distribution of distinct readable answers in a group. */
function answerEntropy({ answers }: GroupRecord): number {
  const counts = new Map<string, number>();
  for (const { value } of answers) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  const total = sum([...counts.values()]);
  return -sum([...counts.values()].map((count) => (count / total) * Math.log(count / total)));
}

/** Share of questions that elected the most common winner: near 1 when the model answers everything alike. */
function topAnswerShare(groups: readonly GroupRecord[]): number {
  const winners = new Map<string, number>();
  for (const { verdict } of groups) {
    if (verdict.kind === "vote" && verdict.winner !== null)
      winners.set(verdict.winner, (winners.get(verdict.winner) ?? 0) + 1);
  }
  return winners.size === 0 ? 0 : Math.max(...winners.values()) / groups.length;
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
