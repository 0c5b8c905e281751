// What the runs behind a model asked it in training. A run keeps the questions of its own evaluations from itself, `evalQuestions` a
// level; an evaluation that asks more of them would meet some that the model was trained on.
import type { RunConfig } from "../config/config.ts";
import { UsageError } from "../errors.ts";
import { runOfFolder } from "../model/checkpoint-folder.ts";
import { findModel } from "../model/find-model.ts";
import { askedKeys, listRuns, openReader } from "../store/queries.ts";
import { absoluteTopicName } from "../topics/registry.ts";
import type { ExaminedModel } from "./examinee.ts";

/**
 * Keys of the questions on a topic that the run of this model asked, and the runs that it went out from; none where the model is of no
 * run.
 */
export function askedInTraining({ folder, adapter }: ExaminedModel, topic: string): ReadonlySet<string> {
  const keys = new Set<string>();
  const visited = new Set<string>();
  const folders = [folder, adapter];
  for (const one of folders) {
    const found = one === undefined ? null : runOfFolder(one);
    if (found === null || visited.has(one ?? "")) continue;
    visited.add(one ?? "");
    using reader = openReader(found.workspace);
    const config = listRuns(reader).find(({ run }) => run === found.run)?.config;
    if (config === undefined) continue;
    if (absoluteTopicName(config.topic) === absoluteTopicName(topic)) {
      for (const key of askedKeys(reader, found.run)) keys.add(key);
    }
    folders.push(startOf(config, found.workspace), config.adapter === "none" ? undefined : config.adapter);
  }
  return keys;
}

/** Where the model is that a run began with; undefined where it is no more, or on a server. */
function startOf({ engine, model, topic }: RunConfig, workspace: string): string | undefined {
  if (engine === "tinker") return undefined;
  try {
    return findModel({ model, topic, workspace });
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}
