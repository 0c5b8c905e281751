// The trials of an experiment that a workspace has in its record: what an interrupted experiment need not play again.
// Says which run a trial has; playing it, or going on with it, is the experiment command's.
import type { RunConfig } from "../config/config.ts";
import { UsageError } from "../errors.ts";
import type { RunInfo, RunSources, RunTrial } from "../store/store.ts";
import { settingsOf } from "../store/workspace.ts";
import { oneLine } from "./format.ts";
import { changesOf } from "./run-sources.ts";

/** `arithmetic-controls: oracle (control oracle)`. */
export function describeTrial({ experiment, variant, control }: RunTrial): string {
  return oneLine(`${experiment}: ${variant}${control === null ? "" : ` (control ${control})`}`, 80);
}

/** What the record has of a trial: a run that is finished, or the newest that can be gone on with. */
export interface RecordedTrial {
  readonly run: string;
  readonly finished: boolean;
}

/**
 * Finds the run of a trial: one of the same experiment, variant, control and settings, seed included, made from
 * the same files where the record says from which. A finished one
 * comes before others, a newer one before an older one. Threads count only where the experiment sets them: chosen by the
 * machine, they are no part of what is compared. Throws UsageError where another process is playing it.
 * @param config the trial's, with absolute paths; `threads` is 0 where the machine chooses
 */
export function findTrial(
  runs: readonly RunInfo[],
  trial: RunTrial,
  config: RunConfig,
  sources: RunSources,
): RecordedTrial | null {
  const own = runs.filter(
    (info) =>
      equalTrials(info.trial, trial) &&
      equalConfigs(settingsOf(info), config) &&
      (info.sources === null || changesOf(info.sources, sources).length === 0),
  );
  const info = own.findLast(({ status }) => status === "finished") ?? own.at(-1);
  if (info === undefined) return null;
  if (info.status === "running") {
    throw new UsageError(
      `Run ${info.run}, a trial of this experiment, is open in another process.`,
      "Wait until that process ends, or stop it; then try again. --fresh plays every trial anew beside it.",
    );
  }
  return { run: info.run, finished: info.status === "finished" };
}

function equalTrials(a: RunTrial | null, b: RunTrial): boolean {
  return a !== null && a.experiment === b.experiment && a.variant === b.variant && a.control === b.control;
}

/** What another version recorded is another trial. */
function equalConfigs(recorded: RunConfig | null, config: RunConfig): boolean {
  if (recorded === null) return false;
  const [a, b] = [recorded, config].map((one) => new Map<string, unknown>(Object.entries(one)));
  if (config.threads === 0) for (const one of [a, b]) one.delete("threads");
  return a.size === b.size && [...a].every(([key, value]) => JSON.stringify(value) === JSON.stringify(b.get(key)));
}
