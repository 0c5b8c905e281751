// Finds the checkpoint that a run goes on from: the newest that is whole, of this run and of its model.
import { join } from "node:path";
import { FileFormatError } from "../errors.ts";
import { checkpointName, checkpointSteps, type Manifest, readCheckpoint } from "./checkpoint-files.ts";
import type { SavedCheckpoint } from "./store.ts";

export interface FoundCheckpoint {
  readonly checkpoint: SavedCheckpoint;
  readonly manifest: Manifest;
}

/**
 * The newest whole checkpoint under `parent`, and a sentence for each newer one that is broken. Throws FileFormatError for
 * a whole one that is not this run's: it is not skipped like a broken one, since someone put it there.
 */
export async function findCheckpoint(
  parent: string,
  run: string,
  modelShape: string | null,
): Promise<{ readonly found: FoundCheckpoint | null; readonly problems: readonly string[] }> {
  const problems: string[] = [];
  for (const step of checkpointSteps(parent)) {
    const folder = join(parent, checkpointName(step));
    let read: Awaited<ReturnType<typeof readCheckpoint>>;
    try {
      read = await readCheckpoint(folder);
      if (read.manifest.step !== step || read.state.step !== step) {
        throw new FileFormatError(folder, `holds step ${read.state.step}.`, "It was renamed; it is not used.");
      }
    } catch (error) {
      if (!(error instanceof FileFormatError)) throw error;
      problems.push(`Checkpoint ${checkpointName(step)} is broken and was skipped: ${error.message}`);
      continue;
    }
    const { manifest, state } = read;
    requireOwn(folder, manifest, run, modelShape);
    return { found: { checkpoint: { step, folder, state }, manifest }, problems };
  }
  return { found: null, problems };
}

function requireOwn(folder: string, manifest: Manifest, run: string, modelShape: string | null): void {
  const hint = "Move the folder away; it was not written by this run.";
  if (manifest.run !== run) {
    throw new FileFormatError(folder, `is a checkpoint of run ${manifest.run}, not of ${run}.`, hint);
  }
  if (modelShape !== null && manifest.modelShape !== modelShape) {
    const shape = manifest.modelShape ?? "no config.json";
    throw new FileFormatError(
      folder,
      `is a checkpoint of another model (${shape}; this run's is ${modelShape}).`,
      hint,
    );
  }
}
