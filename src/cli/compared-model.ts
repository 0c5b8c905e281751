// What `--compare` names: another model, a run or a checkpoint of it, an adapter beside the same model, or the model that a run
// began with.
import { resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { isAdapterFolder } from "../model/adapter.ts";
import { locateBase, readBase } from "../model/base-identity.ts";
import { runOfFolder } from "../model/checkpoint-folder.ts";
import { findModel } from "../model/find-model.ts";
import { listRuns, openReader } from "../store/queries.ts";
import { modelNamed } from "./checkpoint-of.ts";
import type { ExaminedModel } from "./examinee.ts";
import { openedAs } from "./model-options.ts";
import type { Terminal } from "./terminal.ts";

/** Stands for the model that the examined run began with. */
const start = "start";

/** The model that `given` names beside `examined`. Throws UsageError where there is none. */
export async function comparedModel(
  given: string,
  examined: ExaminedModel,
  { workspace, base, terminal }: { workspace: string; base: string | undefined; terminal: Terminal },
): Promise<ExaminedModel> {
  if (given === start) return startOf(examined, workspace);
  const folder = resolve(given);
  // A checkpoint of a run names its own base; another adapter goes beside the model that is examined.
  if (isAdapterFolder(folder) && readBase(folder) === null) {
    return { name: given, folder: locateBase(examined.folder) ?? examined.folder, adapter: folder };
  }
  const other = await modelNamed(given, workspace, terminal);
  // A base that was named is that of whatever has no weights of its own.
  const beside = base !== undefined && isAdapterFolder(other) ? { base } : {};
  return { name: given, ...(await openedAs(other, beside, terminal)) };
}

function startOf({ name: given, folder, adapter }: ExaminedModel, workspace: string): ExaminedModel {
  // With --base the run's own folder is the adapter beside it.
  const found = runOfFolder(folder) ?? (adapter === undefined ? null : runOfFolder(adapter));
  if (found === null) {
    throw new UsageError(
      `${given} is no run, so it has no model that it began with.`,
      "Name the other model: --compare MODEL.",
    );
  }
  using reader = openReader(found.workspace);
  const config = listRuns(reader).find(({ run }) => run === found.run)?.config;
  if (config === undefined) {
    throw new UsageError(`The run of ${folder} is not recorded.`, "Name the other model: --compare MODEL.");
  }
  const name = `${config.model}, where ${found.run} began`;
  // The name of a server's model means nothing here; its checkpoints know the same model on this machine.
  if (config.engine === "tinker") return { name, folder: locateBase(folder) ?? folder };
  return {
    name,
    folder: findModel({ model: config.model, topic: config.topic, workspace }),
    adapter: config.adapter === "none" ? undefined : config.adapter,
  };
}
