// A run's name as a user may write it where a model is asked for too: its beginning, or `latest`. Where only a run can be
// meant, findRun of the store reads the same.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseRunModel } from "../model/checkpoint-folder.ts";
import { shippedModels } from "../model/find-model.ts";
import { isGgufPath } from "../model/gguf-companions.ts";
import { listRuns, openReader, runInfo } from "../store/queries.ts";
import { proposerFolder } from "../types.ts";

/**
 * The whole name of the run that is meant, or of its proposer; what names a model, or nothing at all, is given back as it is. Throws
 * UsageError where several runs begin so.
 */
export function runNamed(given: string, workspace: string): string {
  // A model's own name comes before runs whose names only begin so: `arithmetic` is the shipped one.
  const isModel =
    shippedModels().includes(given) || existsSync(join(resolve(given), "config.json")) || isGgufPath(given);
  const { run: named, proposer } = parseRunModel(given);
  if (named === "" || named === "seed" || isModel || !existsSync(join(workspace, "sqlm.db"))) return given;
  using reader = openReader(workspace);
  const runs = listRuns(reader).map(({ run }) => run);
  const meant = (named === "latest" && runs.length > 0) || runs.some((run) => run.startsWith(named));
  return meant ? `${runInfo(reader, named).run}${proposer ? `/${proposerFolder}` : ""}` : given;
}
