// Two models on the same questions: how much better one is, between what bounds, and whether chance alone could have done
// it. Questions are drawn, answers to one belong together, so everything here counts questions. Pure numbers.
import { atMostByChance } from "../binomial.ts";
import { randomStream } from "../random.ts";
import { errorRemoved, mean, wilsonInterval } from "./statistics.ts";

/** One question as both models answered it: the share of right answers, 0 to 1, or 0 and 1 where each gave one answer. */
export interface Pair {
  readonly before: number;
  readonly after: number;
}

/** What a comparison says of one measure. Shares are 0 to 1, intervals 95 %. */
export interface PairedDifference {
  readonly before: number;
  readonly after: number;
  /** after − before. */
  readonly difference: number;
  readonly interval: readonly [low: number, high: number];
  /** Share of the errors before that are gone; negative where there are more. Null where there were none. */
  readonly errorsRemoved: number | null;
  readonly errorsRemovedInterval: readonly [low: number, high: number] | null;
  /** Two-sided, by `test`. */
  readonly pValue: number;
  readonly test: "exact McNemar" | "paired permutation";
  /** Questions that went better and worse than before. */
  readonly better: number;
  readonly worse: number;
}

/** Draws of the bootstrap and of the permutation test. */
const usualDraws = 10_000;

/**
 * Compares shares of right answers, as of several sampled answers to each question. Intervals are bootstrap percentiles
 * over questions (Efron and Tibshirani 1993, chapter 13); the test gives the differences random signs (Fisher's permutation of pairs), with
 * one added to both counts so that no p-value is 0 (Phipson and Smyth 2010). Equal pairs give equal numbers: the stream is named.
 */
export function compareShares(pairs: readonly Pair[], draws = usualDraws): PairedDifference {
  const { interval, errorsRemovedInterval } = bootstrap(pairs, draws);
  const pValue = signFlip(pairs, draws);
  return { ...summary(pairs), interval, errorsRemovedInterval, pValue, test: "paired permutation" };
}

/**
 * Compares single answers, each right or wrong (0 or 1). The interval is Newcombe's for paired shares (1998, method 10), which does not
 * shrink to nothing where no question differs; that of errors removed is the same over the share of errors before. The test is McNemar's (1947), exact: a sign test of the questions that differ.
 */
export function compareSingle(pairs: readonly Pair[]): PairedDifference {
  const found = summary(pairs);
  const interval = newcombe(pairs);
  const errors = 1 - found.before;
  const [low, high] = interval.map((end) => Math.min(1, end / errors));
  return {
    ...found,
    interval,
    errorsRemovedInterval: errors > 0 ? [low, high] : null,
    pValue: exactSignTest(found.better, found.worse),
    test: "exact McNemar",
  };
}

type Summary = Pick<PairedDifference, "before" | "after" | "difference" | "errorsRemoved" | "better" | "worse">;

function summary(pairs: readonly Pair[]): Summary {
  const [before, after] = [mean(pairs.map((pair) => pair.before)), mean(pairs.map((pair) => pair.after))];
  return {
    before,
    after,
    difference: after - before,
    errorsRemoved: before >= 1 ? null : errorRemoved(before, after),
    better: pairs.filter((pair) => pair.after > pair.before).length,
    worse: pairs.filter((pair) => pair.after < pair.before).length,
  };
}

/** Percentile intervals over questions drawn with replacement; draws without errors before say nothing of errors removed. */
function bootstrap(
  pairs: readonly Pair[],
  draws: number,
): Pick<PairedDifference, "interval" | "errorsRemovedInterval"> {
  const random = randomStream("paired bootstrap", pairs.length);
  const [differences, removed]: [number[], number[]] = [[], []];
  for (let i = 0; i < draws && pairs.length > 0; i++) {
    let [before, after] = [0, 0];
    for (let drawn = 0; drawn < pairs.length; drawn++) {
      const pair = pairs[Math.floor(random.next() * pairs.length)];
      before += pair.before;
      after += pair.after;
    }
    differences.push((after - before) / pairs.length);
    if (before < pairs.length) removed.push((after - before) / (pairs.length - before));
  }
  return {
    interval: percentiles(differences) ?? [-1, 1],
    errorsRemovedInterval: mean(pairs.map((pair) => pair.before)) >= 1 ? null : percentiles(removed),
  };
}

/** The middle 95 %; null for no values. */
function percentiles(values: readonly number[]): readonly [number, number] | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))];
  return [at(0.025), at(0.975)];
}

function signFlip(pairs: readonly Pair[], draws: number): number {
  const differences = pairs.map(({ before, after }) => after - before).filter((difference) => difference !== 0);
  const observed = Math.abs(differences.reduce((sum, difference) => sum + difference, 0));
  const random = randomStream("paired permutation", pairs.length);
  let asFar = 0;
  for (let i = 0; i < draws; i++) {
    let total = 0;
    for (const difference of differences) total += random.next() < 0.5 ? difference : -difference;
    // Sums in another order differ in the last digit.
    if (Math.abs(total) >= observed - 1e-9) asFar++;
  }
  return (asFar + 1) / (draws + 1);
}

/** Two-sided binomial test of `better` against `worse` at one half. */
export function exactSignTest(better: number, worse: number): number {
  return Math.min(1, 2 * atMostByChance(Math.min(better, worse), better + worse));
}

/** Newcombe 1998, Statistics in Medicine 17:2635–2650, method 10: score intervals of both shares, joined by their correlation φ. */
function newcombe(pairs: readonly Pair[]): readonly [number, number] {
  const count = (before: number, after: number): number =>
    pairs.filter((pair) => pair.before === before && pair.after === after).length;
  const [both, gained, lost, neither] = [count(1, 1), count(0, 1), count(1, 0), count(0, 0)];
  const total = pairs.length;
  if (total === 0) return [-1, 1];
  const [after, before] = [(both + gained) / total, (both + lost) / total];
  const product = (both + gained) * (lost + neither) * (both + lost) * (gained + neither);
  const cross = both * neither - gained * lost;
  const corrected = cross > 0 ? Math.max(0, cross - total / 2) : cross;
  const phi = product === 0 ? 0 : corrected / Math.sqrt(product);
  const [lowAfter, highAfter] = wilsonInterval(after, total);
  const [lowBefore, highBefore] = wilsonInterval(before, total);
  const width = (a: number, b: number): number => Math.sqrt(Math.max(0, a * a - 2 * phi * a * b + b * b));
  const difference = after - before;
  return [
    difference - width(after - lowAfter, highBefore - before),
    difference + width(highAfter - after, before - lowBefore),
  ];
}
