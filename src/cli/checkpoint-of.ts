// Finds checkpoints of recorded runs, for reading only: it works beside a process that has the run open.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { findModel } from "../model/find-model.ts";
import { type Decode, listRuns, openReader, type Reader, runOverview } from "../store/queries.ts";

/** The folder of a run's checkpoint: of `step`, or the newest. Throws UsageError when there is none. */
export function checkpointOf(reader: Reader, run: string, step?: number): string {
  const { checkpoints } = runOverview(reader, run);
  const found = step === undefined ? checkpoints.at(-1) : checkpoints.find((checkpoint) => checkpoint.step === step);
  if (found !== undefined) return found.folder;
  const steps = checkpoints.map((checkpoint) => checkpoint.step).join(", ");
  throw new UsageError(
    step === undefined ? `Run ${run} has no checkpoint.` : `Run ${run} keeps no checkpoint of step ${step}.`,
    steps === "" ? `Go on with it first: sqlm resume ${run}.` : `It keeps those of steps ${steps}.`,
  );
}

/**
 * Folder of the model that a user means: the newest checkpoint of the run of this name, a path or a shipped model, or the
 * run of the only name that begins so (`latest` for the newest). Throws UsageError.
 */
export function modelOrRun(given: string, workspace: string): string {
  if (!existsSync(join(workspace, "sqlm.db"))) return findModel(given);
  using reader = openReader(workspace);
  const runs = listRuns(reader).map(({ run }) => run);
  if (runs.includes(given)) return checkpointOf(reader, given);
  try {
    return findModel(given);
  } catch (error) {
    // A model of this name comes before runs whose names only begin so: `arithmetic` is the shipped one.
    if (given !== "latest" && !runs.some((run) => run.startsWith(given))) throw error;
    return checkpointOf(reader, given);
  }
}

/** Turns a run's tokens into text, with the tokenizer of its newest checkpoint, or of the model that it started from. */
export async function decoderOf(reader: Reader, run: string): Promise<Decode> {
  const { openTokenizer } = await import("../model/tokenizer.ts");
  const { checkpoints, config } = runOverview(reader, run);
  const tokenizer = openTokenizer(checkpoints.at(-1)?.folder ?? findModel(config.model));
  return (tokens) => tokenizer.decode(tokens);
}
