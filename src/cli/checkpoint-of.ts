// Finds models that a user names, and checkpoints of recorded runs, for reading only: it works beside a process that has
// the run open.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { RunConfig } from "../config/config.ts";
import { UsageError } from "../errors.ts";
import { modelOfCheckpoint, runOfFolder } from "../model/checkpoint-folder.ts";
import { findModel, shippedModelOf } from "../model/find-model.ts";
import { type Decode, listRuns, openReader, type Reader, runOverview } from "../store/queries.ts";
import { absoluteTopicName, builtInTopicNames } from "../topics/registry.ts";
import { fetchWithProgress } from "./fetch-model.ts";
import type { TopicSettings } from "./open-topic.ts";
import { runNamed } from "./run-name.ts";
import type { Terminal } from "./terminal.ts";

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
 * Folder or file of a model: of a run's newest checkpoint, of its checkpoint of a step (`RUN@50`), of the proposer in either
 * (`RUN/proposer`, `RUN@50/proposer`), or of any other model, which is downloaded where it is one of the hub that is not here. Throws UsageError where there is none.
 */
export async function modelNamed(given: string, workspace: string, terminal: Terminal): Promise<string> {
  const [, name, step, part] = /^([^/\\]+)@(\d+)(\/proposer)?$/.exec(given) ?? [];
  const run = name === undefined || !existsSync(join(workspace, "sqlm.db")) ? null : runNamed(name, workspace);
  if (run !== null) {
    using reader = openReader(workspace);
    if (listRuns(reader).some((one) => one.run === run)) {
      return modelOfCheckpoint(checkpointOf(reader, run, Number(step)), { run, proposer: part !== undefined });
    }
  }
  return fetchWithProgress({ model: runNamed(given, workspace), workspace }, terminal);
}

/** A model and the topic to try it on. */
export interface ChosenModel {
  readonly folder: string;
  /** Name or path of the topic. */
  readonly topic: string;
  /** What the run that it is of set for its topic; nothing for any other model. */
  readonly settings: TopicSettings;
  /** Something that the user should know of the choice; null where it speaks for itself. */
  readonly note: string | null;
}

/**
 * The model that a user means, with the topic that was asked for, or else the one that it was trained on: a run's own, or
 * that of a shipped model. Throws UsageError where neither is known: another topic's figures would say nothing.
 */
export async function chooseModel(
  model: string,
  options: { workspace: string; topic?: string },
  terminal: Terminal,
): Promise<ChosenModel> {
  const folder = await modelNamed(model, options.workspace, terminal);
  const config = configOfModel(folder);
  const own = config?.topic ?? shippedModelOf(folder);
  const topic = options.topic ?? own;
  if (topic === null) {
    throw new UsageError(
      `The topic of the model ${model} is not known.`,
      `Name it with --topic: ${builtInTopicNames.join(", ")}, or the path of a topic file.`,
    );
  }
  const other = own !== null && absoluteTopicName(topic) !== own;
  return {
    folder,
    topic,
    // What was chosen for one topic says nothing of another.
    settings: other ? {} : (config ?? {}),
    note: other ? `The model ${model} was trained on the topic ${own}, not on ${topic}.` : null,
  };
}

/** Settings of the run whose checkpoint a folder is; null for any other. */
function configOfModel(folder: string): RunConfig | null {
  const found = runOfFolder(folder);
  if (found === null) return null;
  using reader = openReader(found.workspace);
  return listRuns(reader).find(({ run }) => run === found.run)?.config ?? null;
}

/** Turns a run's tokens into text, with the tokenizer of its newest checkpoint, or of the model that it started from. */
export async function decoderOf(reader: Reader, run: string): Promise<Decode> {
  const { openTokenizer } = await import("../model/tokenizer.ts");
  const { checkpoints, config } = runOverview(reader, run);
  const tokenizer = openTokenizer(checkpoints.at(-1)?.folder ?? findModel(config));
  return (tokens) => tokenizer.decode(tokens);
}
