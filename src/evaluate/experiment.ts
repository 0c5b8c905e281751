// Experiments: variants of one run, each over several seeds, in one table. An experiment is a file that a user can write
// in a few lines (examples/arithmetic-controls.ts); how one run is played is passed in, so that this file stays a plan
// and a summary.
import type { RunConfigInput } from "../config/config.ts";
import { didYouMean, UsageError } from "../errors.ts";
import type { RunSummary } from "../events.ts";
import { type ControlName, controlNames } from "./controls.ts";
import { errorRemoved, mean, standardDeviation } from "./statistics.ts";

export interface Variant {
  readonly name: string;
  /** What differs from the experiment's config. */
  readonly config?: RunConfigInput;
  /** A control that changes what the loop is told, see controls.ts. */
  readonly control?: ControlName;
}

export interface Experiment {
  readonly name: string;
  /** What all variants share. */
  readonly config: RunConfigInput;
  readonly variants: readonly Variant[];
}

/** One run of one variant with one seed. */
export interface Trial {
  readonly variant: Variant;
  readonly seed: number;
  readonly config: RunConfigInput;
}

interface SeedResult extends Omit<RunSummary, "run"> {
  readonly seed: number;
  readonly run: string;
  /** Share of the frontier's errors that the last checkpoint no longer makes; negative when it makes more. */
  readonly errorRemoved: number | null;
}

export interface VariantResult {
  readonly name: string;
  readonly seeds: readonly SeedResult[];
  /** Over seeds, of the last checkpoint at the frontier; sd has divisor n − 1. */
  readonly errorRemoved: { readonly mean: number; readonly sd: number };
}

/**
 * Checks an experiment: that it has names, variants and configs, and nothing else. Throws UsageError.
 *
 * @example
 * import { defineExperiment } from "self-questioning";
 *
 * export const experiment = defineExperiment({
 *   name: "group-sizes",
 *   config: { topic: "arithmetic", steps: 40 },
 *   variants: [{ name: "8 answers", config: { groupSize: 8 } }, { name: "16 answers" }],
 * });
 */
export function defineExperiment(experiment: Experiment): Experiment {
  checkShape("The experiment", experiment, ["name", "config", "variants"]);
  if (!Array.isArray(experiment.variants)) {
    throw new UsageError(
      `The variants of the experiment ${experiment.name} are no list.`,
      'Write: variants: [{ name: "default" }, { name: "another", config: { groupSize: 8 } }].',
    );
  }
  for (const variant of experiment.variants) checkShape("The variant", variant, ["name", "config", "control"]);
  const names = experiment.variants.map(({ name }) => name);
  if (names.length === 0)
    throw new UsageError(`The experiment ${experiment.name} has no variants.`, "List at least one.");
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined)
    throw new UsageError(`Two variants are named "${repeated}".`, "Give each a name of its own.");
  for (const { name, control } of experiment.variants) {
    if (control !== undefined && !controlNames.includes(control)) {
      throw new UsageError(
        `The variant ${name} names an unknown control "${control}".${didYouMean(control, controlNames)}`,
        `Controls are ${controlNames.join(", ")}.`,
      );
    }
  }
  return experiment;
}

/** Throws UsageError where it is no object, has no name, a part that nobody knows, or a config that is no object. */
function checkShape(what: string, given: unknown, parts: readonly string[]): void {
  const object = typeof given === "object" && given !== null ? (given as Readonly<Record<string, unknown>>) : null;
  const { name, config } = object ?? {};
  if (object === null) throw new UsageError(`${what} is no object.`, "Write { name, config }.");
  if (typeof name !== "string" || name === "") {
    throw new UsageError(`${what} has no name.`, "Its runs are found again by the names of experiment and variant.");
  }
  if ("control" in object && typeof object["control"] !== "string" && object["control"] !== undefined) {
    throw new UsageError(`The control of the variant ${name} is no name.`, `Controls are ${controlNames.join(", ")}.`);
  }
  const unknown = Object.keys(object).find((key) => !parts.includes(key));
  if (unknown !== undefined) {
    throw new UsageError(
      `${what} ${name} has an unknown part "${unknown}".${didYouMean(unknown, parts)}`,
      `Its parts are ${parts.join(", ")}.`,
    );
  }
  if (config !== undefined && (typeof config !== "object" || config === null || Array.isArray(config))) {
    throw new UsageError(
      `The config of ${what.toLowerCase()} ${name} is no object.`,
      "Write { steps: 40 }, for example.",
    );
  }
}

/** Every run that the experiment takes: all variants with the first seed, then with the second, and so on. */
export function trialsOf(experiment: Experiment, seeds: readonly number[]): Trial[] {
  return seeds.flatMap((seed) =>
    experiment.variants.map((variant) => ({
      variant,
      seed,
      config: { ...experiment.config, ...variant.config, seed },
    })),
  );
}

export interface ExperimentOptions {
  readonly seeds: readonly number[];
  /** Runs that are played at the same time; each takes a core and its own memory. */
  readonly parallel: number;
  /** Plays one run to its end; the signal fires when another has failed, and the experiment with it. */
  readonly play: (trial: Trial, signal: AbortSignal) => Promise<RunSummary>;
  /** Called after each run. */
  readonly onTrial?: (trial: Trial, summary: RunSummary, done: number, total: number) => void;
}

/**
 * Plays every trial and summarises each variant, in the experiment's order. The first failure stops it: no other trial
 * begins, those that are being played are told so, and it is thrown when they have ended.
 */
export async function runExperiment(
  experiment: Experiment,
  { seeds, parallel, play, onTrial }: ExperimentOptions,
): Promise<VariantResult[]> {
  const trials = trialsOf(experiment, seeds);
  const summaries = new Map<Trial, RunSummary>();
  const waiting = [...trials];
  const stop = new AbortController();
  const playNext = async (): Promise<void> => {
    for (let trial = waiting.shift(); trial !== undefined && !stop.signal.aborted; trial = waiting.shift()) {
      try {
        const summary = await play(trial, stop.signal);
        summaries.set(trial, summary);
        onTrial?.(trial, summary, summaries.size, trials.length);
      } catch (error) {
        // Later failures follow from the first, which stays the reason.
        stop.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, trials.length) }, playNext));
  stop.signal.throwIfAborted();
  return experiment.variants.map((variant) => {
    const results = trials
      .filter((trial) => trial.variant === variant)
      .map((trial) => seedResult(trial, summaries.get(trial)!));
    const removed = results.flatMap(({ errorRemoved }) => (errorRemoved === null ? [] : [errorRemoved]));
    return {
      name: variant.name,
      seeds: results,
      errorRemoved: { mean: mean(removed), sd: standardDeviation(removed) },
    };
  });
}

function seedResult({ seed }: Trial, summary: RunSummary): SeedResult {
  const before = frontierPassAt1(summary, summary.before);
  const after = frontierPassAt1(summary, summary.after);
  return { seed, ...summary, errorRemoved: before === null || after === null ? null : errorRemoved(before, after) };
}

function frontierPassAt1({ frontier }: RunSummary, evaluation: RunSummary["before"]): number | null {
  return evaluation?.levels.find(({ difficulty }) => difficulty === frontier)?.passAt1 ?? null;
}
