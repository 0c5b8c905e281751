// What the terminal shows of a step: one line of numbers and one question with its vote. Pure.
import { labelsRight } from "../evaluate/diagnose.ts";
import type { GroupRecord, StepRecord } from "../events.ts";
import type { GroupSignal, LevelResult } from "../types.ts";
import { formatDuration, formatNumber, formatShare, formatTable, oneLine } from "./format.ts";

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

/** How many groups there were of each signal, most first, without those that taught. */
function signalFree(groups: readonly GroupRecord[]): readonly (readonly [GroupSignal, number])[] {
  const counts = new Map<GroupSignal, number>();
  for (const { signal } of groups) if (signal !== "trained") counts.set(signal, (counts.get(signal) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}

/** The step in one line, then an example. `secondsLeft` is null while there is no estimate. */
export function describeStep(
  record: StepRecord,
  steps: number,
  secondsLeft: number | null,
  columns: number,
): readonly string[] {
  const { groups, proposals, metrics } = record;
  const frontier = metrics["climbFrontier"];
  const accuracy = mean(labelsRight(groups));
  const difficulty = mean(groups.map(({ question }) => question.difficulty));
  const free = signalFree(groups);
  const taught = groups.length - free.reduce((sum, [, count]) => sum + count, 0);
  const unreadable = proposals.filter(({ question }) => question === null).length;
  const parts = [
    `step ${String(record.step).padStart(String(steps).length)}/${steps}`,
    `agreement ${formatShare(mean(groups.map(({ verdict }) => verdict.agreement)))}`,
    ...(accuracy === null ? [] : [`labels right ${formatShare(accuracy)}`]),
    `difficulty ${difficulty === null ? "-" : difficulty.toFixed(2)}`,
    ...(frontier === undefined ? [] : [frontier === 0 ? "no level solved" : `solved up to level ${frontier}`]),
    `taught ${taught}/${groups.length}${free.length === 0 ? "" : ` (${free.map(([signal, count]) => `${signal} ${count}`).join(", ")})`}`,
    ...(unreadable === 0 ? [] : [`${unreadable} malformed`]),
    `${record.seconds.toFixed(1)} s`,
    ...(secondsLeft === null ? [] : [`${formatDuration(secondsLeft)} left`]),
  ];
  // The example changes with the step so that a reader sees different parts of the batch.
  const example = groups[record.step % Math.max(1, groups.length)];
  return example === undefined ? [parts.join("  ")] : [parts.join("  "), `    ${describeGroup(example, columns - 6)}`];
}

/** `347+85= → 432 ×13, 422 ×2, 1 unreadable · label right`. */
function describeGroup(group: GroupRecord, width: number): string {
  const { verdict, truth } = group;
  const truthText = truth?.labelRight == null ? "" : truth.labelRight ? " · label right" : " · label wrong";
  const outcome =
    verdict.kind === "vote"
      ? [
          ...verdict.counts.slice(0, 3).map(([value, votes]) => `${oneLine(value, 24)} ×${votes}`),
          ...(verdict.counts.length > 3 ? [`${verdict.counts.length - 3} others`] : []),
          ...(verdict.unreadable > 0 ? [`${verdict.unreadable} unreadable`] : []),
        ].join(", ")
      : `${formatShare(verdict.meanPassFraction)} of ${verdict.passed[0]?.length ?? 0} tests passed`;
  const end = ` → ${outcome}${truthText}${group.signal === "trained" ? "" : ` · ${group.signal}`}`;
  return oneLine(oneLine(group.question.text, Math.max(20, width - end.length)) + end, width);
}

/** The levels of an evaluation on one line: `pass@1 by difficulty: 3 .791, 4 .262`. */
export function describeLevels(levels: readonly LevelResult[]): string {
  return `pass@1 by difficulty: ${levels.map(({ difficulty, passAt1 }) => `${difficulty} ${formatShare(passAt1)}`).join(", ")}`;
}

/** A table of two evaluations level by level, with the share of the errors of `before` that are gone. */
export function beforeAfterTable(
  before: readonly LevelResult[],
  after: readonly LevelResult[],
  columns?: number,
): string {
  const rows = after.map((level) => {
    const old = before.find(({ difficulty }) => difficulty === level.difficulty);
    const arrow = (of: (result: LevelResult) => number): string =>
      `${formatShare(old === undefined ? null : of(old))} → ${formatShare(of(level))}`;
    const removed = old === undefined || old.passAt1 >= 1 ? null : (level.passAt1 - old.passAt1) / (1 - old.passAt1);
    return [
      String(level.difficulty),
      arrow(({ passAt1 }) => passAt1),
      `${formatShare(level.passAt1Interval[0])} to ${formatShare(level.passAt1Interval[1])}`,
      arrow(({ greedy }) => greedy),
      arrow(({ majAt16 }) => majAt16),
      describeRemoved(removed),
    ];
  });
  return formatTable(["difficulty", "pass@1", "95 % interval", "greedy", "maj@16", "errors gone"], rows, columns);
}

/** `84 %`; where there are more than twice as many errors as before, how many times as many. */
export function describeRemoved(removed: number | null): string {
  if (removed === null) return "-";
  return removed < -1 ? `${formatNumber(Math.round(1 - removed))} × as many` : `${Math.round(removed * 100)} %`;
}

/** A table of one evaluation. */
export function levelTable(levels: readonly LevelResult[], columns?: number): string {
  return formatTable(
    ["difficulty", "pass@1", "95 % interval", "greedy", "maj@16", "questions"],
    levels.map((level) => [
      String(level.difficulty),
      formatShare(level.passAt1),
      `${formatShare(level.passAt1Interval[0])} to ${formatShare(level.passAt1Interval[1])}`,
      formatShare(level.greedy),
      formatShare(level.majAt16),
      String(level.questions),
    ]),
    columns,
  );
}
