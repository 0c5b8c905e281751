// Finds the model that a user means: a folder, a shipped model, or the newest checkpoint of a recorded run.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { findModel } from "./model-folder.ts";
import type { Parts } from "./parts.ts";

/** Folder of the model. Throws UsageError when `given` is neither a model nor a run with a checkpoint. */
export async function modelOrRun(given: string, workspaceFolder: string, parts: Parts): Promise<string> {
  const folder = resolve(workspaceFolder);
  if (existsSync(folder)) {
    await using workspace = await parts.openWorkspace(folder);
    if (workspace.list().some(({ run }) => run === given)) {
      await using store = workspace.openRun(given);
      const checkpoint = await store.latestCheckpoint();
      if (checkpoint !== null) return checkpoint.folder;
      throw new UsageError(`Run ${given} has no whole checkpoint.`, `Go on with it first: sqlm resume ${given}.`);
    }
  }
  return findModel(given);
}
