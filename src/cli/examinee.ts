// Opens a model to be examined: engine, player and the record of what it has replied before.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Examinee } from "../evaluate/exam.ts";
import { identifyWeights } from "../model/base-identity.ts";
import { packageRoot } from "../model/find-model.ts";
import { engineProgress, sayWeights } from "./engine-progress.ts";
import { type ModelCommandOptions, modelSettings } from "./model-options.ts";
import type { Parts } from "./parts.ts";
import { ReplyRecord, withRecord } from "./reply-record.ts";
import type { Terminal } from "./terminal.ts";

export interface ExaminedModel {
  /** As the user named it. */
  readonly name: string;
  /** Folder or GGUF file. */
  readonly folder: string;
  /** Folder of an adapter to put beside it. */
  readonly adapter?: string | undefined;
}

export interface ExamineOptions {
  readonly parts: Parts;
  readonly terminal: Terminal;
  readonly weights: ModelCommandOptions["weights"];
  readonly threads: number;
  /** Folder of recorded runs, where replies are recorded too. */
  readonly workspace: string;
  /** Ask again what was asked before. */
  readonly fresh: boolean;
}

/** Opens the model, lets `work` examine it, and closes it: two large models need not fit into memory together. */
export async function examine<Result>(
  model: ExaminedModel,
  { parts, terminal, weights, threads, workspace, fresh }: ExamineOptions,
  work: (examinee: Examinee) => Promise<Result>,
): Promise<Result> {
  const settings = modelSettings({ weights, ...(model.adapter === undefined ? {} : { adapter: model.adapter }) });
  const onProgress = engineProgress(terminal);
  await using engine = await parts.openEngine({ model: model.folder, threads, ...settings, onProgress });
  sayWeights(terminal, engine.capabilities);
  await using player = await engine.openPolicy();
  using record = new ReplyRecord(join(workspace, "evaluations"), recordName(model, weights), { fresh });
  const onKnown = (): void => terminal.note(`goes on with what is recorded in ${record.path}; --fresh asks anew`);
  return await work(withRecord(player, record, onKnown));
}

/** Replies depend on the weights, how they are held, and the arithmetic of this version. */
function recordName({ folder, adapter }: ExaminedModel, weights: string): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };
  const readable = basename(folder).replace(/[^\w.-]+/g, "-");
  return `${readable}-${weights}-${version}-${identifyWeights(folder, adapter).slice(0, 12)}`;
}
