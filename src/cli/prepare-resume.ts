// What is looked at, and said, before a recorded run goes on: whether it is made of the same files, which checkpoint it
// goes on from, and what is lost or done again. Nothing slow has been opened yet and nothing of the record is superseded.
import { UsageError } from "../errors.ts";
import type { RunEvent } from "../events.ts";
import { openReader, runOverview } from "../store/queries.ts";
import type { RunAmendment, RunInfo, RunSources, RunStore, SavedCheckpoint } from "../store/store.ts";
import { changesOf } from "./run-sources.ts";

export interface ResumeOptions {
  /** Go on with other files than those that the run was made from. */
  readonly changed?: boolean;
  /** Begin again where no checkpoint is left. */
  readonly fromStart?: boolean;
  /** Steps that the run is to have in all, in place of those in its record. */
  readonly steps?: number;
}

/** What goes on otherwise than recorded, to be noted with the step that the run goes on from. */
export type Change = Omit<RunAmendment, "step">;

/**
 * Compares what a run was made from with what is there. Throws UsageError where it differs, unless `changed` is given: then
 * the record says so. A run without checksums is gone on with as it is.
 */
export function acceptSources(info: RunInfo, now: RunSources, { changed }: ResumeOptions): Change | null {
  const changes = info.sources === null ? [] : changesOf(info.sources, now);
  if (changes.length === 0) return null;
  const [first] = changes;
  const more = changes.length === 1 ? "" : ` (and ${changes.length - 1} more)`;
  if (changed !== true) {
    throw new UsageError(
      `Run ${info.run} would not go on as the run that it was: ${first} since it was made${more}.`,
      `Put it back as it was, or go on all the same, which its record will say: sqlm resume ${info.run} --changed.`,
    );
  }
  const note = `Gone on with although ${changes.join("; ")}.`;
  return { sources: now, kind: "changed-source", note };
}

/** Gives a run more steps than it was made for. Throws UsageError for no more than it has done. */
export function extendRun(info: RunInfo, { steps }: ResumeOptions): Change | null {
  const { config, lastStep, run } = info;
  if (steps === undefined || (steps === config.steps && info.status !== "finished")) return null;
  if (steps <= lastStep) {
    throw new UsageError(
      `Run ${run} has ${lastStep} steps already; --steps ${steps} adds none.`,
      `Give the number of steps in all, such as --steps ${lastStep + 100}.`,
    );
  }
  const schedule =
    config.learningRateSchedule === "linear" ? "; the learning rate now falls to 0 at the new last step" : "";
  const note = `The run was made for ${config.steps} steps and goes on to ${steps}${schedule}.`;
  return { steps, kind: "other-steps", note };
}

/**
 * Finds the checkpoint to go on from and says, as events, what is broken or done again. Throws UsageError where checkpoints
 * were written and none is left, unless `fromStart` is given.
 */
export async function findStart(
  info: RunInfo,
  store: RunStore,
  workspace: string,
  { fromStart }: ResumeOptions,
  say: (event: Extract<RunEvent, { type: "anomaly" }>) => void,
): Promise<SavedCheckpoint | null> {
  const recorded = checkpointsOf(workspace, info.run);
  const problems: string[] = [];
  const checkpoint = await store.latestCheckpoint((problem) => problems.push(problem));
  const step = checkpoint?.step ?? 0;
  for (const message of problems) say({ type: "anomaly", step, kind: "broken-checkpoint", message });
  const lost = recorded.filter((one) => one > step);
  if (checkpoint === null && (lost.length > 0 || problems.length > 0) && fromStart !== true) {
    throw new UsageError(
      `Run ${info.run} has no checkpoint left that is whole: its ${info.lastStep} steps cannot be gone on from.`,
      `Put the folder of a checkpoint back, or play it again from the start: sqlm resume ${info.run} --from-start.`,
    );
  }
  const again = info.lastStep - step;
  if (again > 0) {
    const cause =
      lost.length > 0 || problems.length > 0
        ? `the newest checkpoint (step ${Math.max(...lost, step)}) is lost`
        : "they were played after the newest checkpoint";
    const from = checkpoint === null ? "from the start" : `from step ${step}`;
    const message = `Going on ${from}: ${again === 1 ? `step ${info.lastStep} is` : `steps ${step + 1} to ${info.lastStep} are`} played again, since ${cause}.`;
    say({ type: "anomaly", step, kind: "played-again", message });
  }
  return checkpoint;
}

function checkpointsOf(workspace: string, run: string): number[] {
  using reader = openReader(workspace);
  return runOverview(reader, run).checkpoints.map(({ step }) => step);
}
