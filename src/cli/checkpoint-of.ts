// Finds checkpoints of recorded runs, for reading only: it works beside a process that has the run open.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { findModel } from "../model/find-model.ts";
import { type Decode, listRuns, openReader, type Reader, runOverview } from "../store/queries.ts";
import { runNamed } from "./run-name.ts";

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

/** Folder of the model that a user means: a recorded run's newest checkpoint, a path, or a shipped model. Throws UsageError. */
export function modelOrRun(given: string, workspace: string): string {
  const name = runNamed(given, workspace);
  if (existsSync(join(workspace, "sqlm.db"))) {
    using reader = openReader(workspace);
    if (listRuns(reader).some(({ run }) => run === name)) return checkpointOf(reader, name);
  }
  return findModel(name);
}

/** Turns a run's tokens into text, with the tokenizer of its newest checkpoint, or of the model that it started from. */
export async function decoderOf(reader: Reader, run: string): Promise<Decode> {
  const { openTokenizer } = await import("../model/tokenizer.ts");
  const { checkpoints, config } = runOverview(reader, run);
  const tokenizer = openTokenizer(checkpoints.at(-1)?.folder ?? findModel(config.model));
  return (tokens) => tokenizer.decode(tokens);
}
