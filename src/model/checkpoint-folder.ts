// How a run's checkpoint folders are named and found. What they hold beside a model, and whether it is whole, is the
// store's to know (store/checkpoint-files.ts).
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

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

/** The workspace and the run that a checkpoint folder lies in; null for any other folder. */
export function runOfFolder(folder: string): { readonly workspace: string; readonly run: string } | null {
  const [, workspace, run] = /^(.*)[/\\]runs[/\\]([^/\\]+)[/\\]checkpoints[/\\]step-\d{6,}$/.exec(folder) ?? [];
  return workspace === undefined || !existsSync(join(workspace, "sqlm.db")) ? null : { workspace, run };
}
