// What `--compare` names: another model, a run or a checkpoint of it, an adapter beside the same model, or the model that a run
// began with.
import { resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { isAdapterFolder } from "../model/adapter.ts";
import { readBase } from "../model/base-identity.ts";
import { runOfFolder } from "../model/checkpoint-folder.ts";
import { findModel } from "../model/find-model.ts";
import { listRuns, openReader } from "../store/queries.ts";
import { modelNamed } from "./checkpoint-of.ts";
import type { ExaminedModel } from "./examinee.ts";
import type { Terminal } from "./terminal.ts";

/** Stands for the model that the examined run began with. */
const start = "start";

/** The model that `given` names beside `examined`. Throws UsageError where there is none. */
export async function comparedModel(
  given: string,
  examined: ExaminedModel,
  workspace: string,
  terminal: Terminal,
): Promise<ExaminedModel> {
  if (given === start) return startOf(examined, workspace);
  const folder = resolve(given);
  // A checkpoint of a run names its own base; another adapter goes beside the model that is examined.
  if (isAdapterFolder(folder) && readBase(folder) === null) {
    const base = readBase(examined.folder)?.model ?? examined.folder;
    return { name: given, folder: base, adapter: folder };
  }
  return { name: given, folder: await modelNamed(given, workspace, terminal) };
}

function startOf({ name, folder }: ExaminedModel, workspace: string): ExaminedModel {
  const found = runOfFolder(folder);
  if (found === null) {
    throw new UsageError(
      `${name} is no run, so it has no model that it began with.`,
      "Name the other model: --compare MODEL.",
    );
  }
  using reader = openReader(found.workspace);
  const config = listRuns(reader).find(({ run }) => run === found.run)?.config;
  if (config === undefined) {
    throw new UsageError(`The run of ${folder} is not recorded.`, "Name the other model: --compare MODEL.");
  }
  const model = findModel({ model: config.model, topic: config.topic, workspace });
  return {
    name: `${config.model}, where ${found.run} began`,
    folder: model,
    adapter: config.adapter === "none" ? undefined : config.adapter,
  };
}
