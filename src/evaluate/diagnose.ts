// What the hidden checker says of a step, for people to read. It runs after learning: nothing here can reach a gradient.
import type { GroupRecord } from "../events.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { HiddenTruth } from "../topics/define-topic.ts";
import type { JudgedGroup } from "../types.ts";
import { checkOnce } from "./check-once.ts";
import { mean } from "./statistics.ts";

/** Adds the truth to each group; null where the topic has no checker, or one that knows only questions that are never asked here. */
export async function diagnose(
  hidden: HiddenTruth | null,
  groups: readonly JudgedGroup[],
  sandbox: Sandbox | undefined,
): Promise<GroupRecord[]> {
  if (hidden === null || hidden.onlyKeys !== undefined) return groups.map((group) => ({ ...group, truth: null }));
  return Promise.all(
    groups.map(async (group) => {
      const isRight = checkOnce<{ readonly value: string | null }>(({ value }) =>
        hidden.check(group.question, value, sandbox),
      );
      const judged = await Promise.all(group.answers.map(isRight));
      const { winner } = group.verdict;
      const labelRight = winner === null ? null : await isRight({ value: winner });
      return { ...group, truth: { labelRight, accuracy: judged.filter(Boolean).length / Math.max(1, judged.length) } };
    }),
  );
}

/** Share of the labels that are right, as 0 or 1 each; of all groups, or of those that taught. */
export function labelsRight(groups: readonly Pick<GroupRecord, "truth">[]): number[] {
  return groups.flatMap(({ truth }) => (truth?.labelRight == null ? [] : [Number(truth.labelRight)]));
}

/** Metrics of a step that only the truth can give; absent where there is none. */
export function truthMetrics(groups: readonly GroupRecord[]): Record<string, number> {
  const metrics: Record<string, number> = {};
  const labels = labelsRight(groups);
  if (labels.length > 0) {
    metrics["labelAccuracy"] = mean(labels);
    metrics["hackingGap"] = mean(groups.map(({ verdict }) => verdict.agreement)) - metrics["labelAccuracy"];
  }
  const taught = labelsRight(groups.filter(({ signal }) => signal === "trained"));
  if (taught.length > 0) metrics["taughtLabelAccuracy"] = mean(taught);
  const accuracies = groups.flatMap(({ truth }) => (truth === null ? [] : [truth.accuracy]));
  if (accuracies.length > 0) metrics["accuracy"] = mean(accuracies);
  return metrics;
}
