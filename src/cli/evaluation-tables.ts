// Tables of what an evaluation found: scores with their intervals, and what changed from one model to the other. Pure.
import type { ExamComparison } from "../evaluate/compare.ts";
import type { ExamScores, Score } from "../evaluate/exam.ts";
import type { PairedDifference } from "../evaluate/paired.ts";
import { formatShare, formatTable } from "./format.ts";

/** Scores of one exam, and what it is of: a level, a benchmark. */
export interface NamedScores {
  readonly name: string;
  readonly scores: ExamScores;
}

export interface NamedComparison {
  readonly name: string;
  readonly comparison: ExamComparison;
}

const interval = ([low, high]: Score["interval"]): string => `${formatShare(low)} to ${formatShare(high)}`;
const cells = (score: Score | null): string[] =>
  score === null ? ["-", "-"] : [formatShare(score.value), interval(score.interval)];

/**
 * A row a level: accuracy at temperature 1, of the most likely answer, and of the vote, each with its interval, as far as any row was
 * asked for it.
 */
export function scoreTable(of: string, rows: readonly NamedScores[], columns?: number): string {
  const samples = Math.max(0, ...rows.map(({ scores }) => scores.samples));
  const measures = [
    { title: "pass@1", scoreOf: ({ passAt1 }: ExamScores) => passAt1 },
    { title: "greedy", scoreOf: ({ greedy }: ExamScores) => greedy },
    { title: `maj@${samples}`, scoreOf: ({ vote }: ExamScores) => vote },
  ].filter(({ scoreOf }) => rows.length === 0 || rows.some(({ scores }) => scoreOf(scores) !== null));
  return formatTable(
    [of, ...measures.flatMap(({ title }) => [title, "95 % interval"]), "questions"],
    rows.map(({ name, scores }) => [
      name,
      ...measures.flatMap(({ scoreOf }) => cells(scoreOf(scores))),
      String(scores.questions),
    ]),
    columns,
  );
}

/** `pass@2 .41 (.36 to .46)`, for each k above 1; empty where there is none. */
export function passAtKLine({ passAtK }: ExamScores): string {
  return Object.entries(passAtK)
    .map(([k, score]) => `pass@${k} ${formatShare(score.value)} (${interval(score.interval)})`)
    .join(", ");
}

/** A row a level and measure: before, after, the difference, errors removed, and whether chance could have done it. */
export function comparisonTable(
  of: string,
  rows: readonly NamedComparison[],
  samples: number,
  columns?: number,
): string {
  const row = (name: string, measure: string, found: PairedDifference | null): string[][] =>
    found === null
      ? []
      : [
          [
            name,
            measure,
            `${formatShare(found.before)} → ${formatShare(found.after)}`,
            signed(found.difference),
            `${signed(found.interval[0])} to ${signed(found.interval[1])}`,
            percent(found.errorsRemoved),
            found.errorsRemovedInterval === null ? "-" : found.errorsRemovedInterval.map(percent).join(" to "),
            formatP(found.pValue),
            `${found.better} / ${found.worse}`,
          ],
        ];
  return formatTable(
    [of, "measure", "share", "difference", "95 % interval", "errors gone", "95 % interval", "p", "better / worse"],
    rows.flatMap(({ name, comparison }) => [
      ...row(name, "pass@1", comparison.passAt1),
      ...row(name, "greedy", comparison.greedy),
      ...row(name, `maj@${samples}`, comparison.vote),
    ]),
    columns,
  );
}

const signed = (value: number): string => `${value < 0 ? "−" : "+"}${formatShare(Math.abs(value))}`;
const percent = (share: number | null): string => (share === null ? "-" : `${Math.round(share * 100)} %`);
const formatP = (p: number): string => (p < 0.001 ? "<.001" : formatShare(p));

/** How the numbers of a comparison were made. */
export const comparisonNote =
  "By question: p of pass@1 by a paired permutation test, of greedy and the vote by McNemar's exact test; intervals hold in 95 of 100 cases. " +
  "Of many rows, one in twenty is below .05 by chance.";
