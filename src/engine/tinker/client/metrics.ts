// A server's own metrics of a pass that went out in several requests, merged as the official SDK does it: a name says how,
// `name:reduction`. They are recorded beside what this package computes itself, and nothing depends on them.
import type { TrainingResult } from "../wire/training-result.ts";

type Metrics = TrainingResult["metrics"];
type Part = Pick<TrainingResult, "metrics"> & { readonly outputs: readonly unknown[] };

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Mean weighted by the number of data in each request; plain where none has any. */
function mean(values: readonly number[], weights: readonly number[]): number {
  const total = sum(weights);
  return total === 0 ? sum(values) / values.length : sum(values.map((value, i) => value * weights[i])) / total;
}

const mask = 2n ** 64n - 1n;

const reductions: Readonly<Record<string, (values: readonly number[], weights: readonly number[]) => number>> = {
  mean,
  sum,
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
  /** How far the largest is above the mean. */
  slack: (values, weights) => Math.max(...values) - mean(values, weights),
  /** Hashes that do not depend on order: their sum modulo 2⁶⁴, in whole numbers. */
  hash2: (values) =>
    values.every(Number.isFinite)
      ? Number(values.reduce((total, value) => (total + BigInt(Math.trunc(value))) & mask, 0n))
      : Number.NaN,
};

/**
 * One set of metrics for the results of all requests of a pass. Those of which a request lacks one, and those whose reduction is not
 * known, are left out where there are several; `unique` keeps every value, the second as `name:unique_1`.
 */
export function mergeMetrics(parts: readonly Part[]): Metrics {
  const [first] = parts;
  if (first === undefined) return {};
  const weights = parts.map(({ outputs }) => outputs.length);
  const merged: Record<string, number> = {};
  for (const key of Object.keys(first.metrics)) {
    const reduction = /^[^:]*:([^:]*)$/.exec(key)?.[1] ?? "";
    const values = parts.flatMap(({ metrics }) => (Object.hasOwn(metrics, key) ? [metrics[key]] : []));
    if (values.length < parts.length) continue;
    if (reduction === "unique" || parts.length === 1) {
      for (const [i, value] of values.entries()) merged[i === 0 ? key : `${key}_${i}`] = value;
    } else if (Object.hasOwn(reductions, reduction)) merged[key] = reductions[reduction](values, weights);
  }
  return merged;
}

const mostMetrics = 32;

/** What of them is recorded: numbers under `server.NAME`, without those that only tell things apart. */
export function recordedMetrics(metrics: Metrics): Record<string, number> {
  const kept = Object.entries(metrics).flatMap(([key, value]) => {
    const [, name, reduction] = /^([\w./-]{1,60})(?::(mean|sum|min|max|slack))?$/.exec(key) ?? [];
    if (name === undefined || !Number.isFinite(value)) return [];
    return [[reduction === "slack" ? `server.${name}.slack` : `server.${name}`, value] as const];
  });
  return Object.fromEntries(kept.slice(0, mostMetrics));
}
