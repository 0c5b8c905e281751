// How a run's checkpoint folders are named and found. What they hold beside a model, and whether it is whole, is the
// store's to know (store/checkpoint-files.ts).
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { proposerFolder } from "../types.ts";

/** In a checkpoint whose weights are on a Tinker server: where they are (engine/tinker/client/checkpoint.ts). */
export const serverStateFile = "tinker.json";

const folderPattern = /^step-(\d{6,})$/;

export function checkpointName(step: number): string {
  return `step-${String(step).padStart(6, "0")}`;
}

/** The folder of a run's checkpoints. */
export function checkpointsOf(workspace: string, run: string): string {
  return join(workspace, "runs", run, "checkpoints");
}

/** Steps that have a checkpoint folder, newest first; whether they are whole is not said. */
export function checkpointSteps(parent: string): number[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .flatMap((name) => {
      const step = folderPattern.exec(name)?.[1];
      return step === undefined ? [] : [Number(step)];
    })
    .sort((a, b) => b - a);
}

/** A run, or with `RUN/proposer` the proposer of one that trains it apart. */
interface RunModel {
  readonly run: string;
  readonly proposer: boolean;
}

/** Reads the name that a user gives a run's model; whether there is such a run is not said. */
export function parseRunModel(name: string): RunModel {
  const suffix = `/${proposerFolder}`;
  const proposer = name.endsWith(suffix);
  return { run: proposer ? name.slice(0, -suffix.length) : name, proposer };
}

/** The part of a checkpoint that is meant. Throws UsageError where proposer and solver are one. */
export function modelOfCheckpoint(checkpoint: string, { run, proposer }: RunModel): string {
  if (!proposer) return checkpoint;
  const folder = join(checkpoint, proposerFolder);
  if (existsSync(folder)) return folder;
  throw new UsageError(
    `Run ${run} keeps no proposer of its own.`,
    `Only a run with --proposer-weights separate that trains it does; its solver is ${run}.`,
  );
}

/** The workspace and the run that the folder of a checkpoint, or of a proposer in it, lies in; null for any other folder. */
export function runOfFolder(folder: string): { readonly workspace: string; readonly run: string } | null {
  const [, workspace, run] =
    /^(.*)[/\\]runs[/\\]([^/\\]+)[/\\]checkpoints[/\\]step-\d{6,}(?:[/\\]proposer)?$/.exec(folder) ?? [];
  return workspace === undefined || !existsSync(join(workspace, "sqlm.db")) ? null : { workspace, run };
}
