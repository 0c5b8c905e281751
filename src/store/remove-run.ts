// Removes a run for good: its rows, then its folder. Asking whether that is meant is the command line's.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { UsageError } from "../errors.ts";
import { allRows, openDatabase, transaction, translateErrors } from "./database.ts";
import { lockRun } from "./run-lock.ts";
import { steppedTables } from "./schema.ts";
import { findRun, readRuns } from "./workspace.ts";

/** Tables whose rows belong to a row of another table: the table, its key, and the table that it belongs to. */
export const dependentTables = [
  ["answers", "question_id", "questions"],
  ["prompts", "question_id", "questions"],
  ["metrics", "step_id", "steps"],
  ["proposals", "step_id", "steps"],
] as const;

/**
 * Removes runs of the workspace in `folder`: all of them, or where one cannot be removed, none. Throws UsageError for an
 * unknown run, one that a process has open, and one from whose checkpoint a run starts that is not removed with it.
 * @param names as recorded
 */
export function removeRuns(folder: string, names: readonly string[]): void {
  const path = join(folder, "sqlm.db");
  const database = openDatabase(path);
  const locks: Disposable[] = [];
  try {
    const runs = translateErrors(path, () => readRuns(database, folder));
    // Also of runs whose other settings only another version can read.
    const models = allRows<{ run: string; model: string | null }>(
      database.prepare(
        "SELECT name AS run, CASE WHEN json_valid(config) THEN config ->> 'model' END AS model FROM runs ORDER BY id",
      ),
    );
    const folders = names.map((name) => join(folder, "runs", findRun(runs, name).run));
    for (const [index, name] of names.entries()) {
      const heir = models.find(({ run, model }) => !names.includes(run) && model?.startsWith(folders[index]));
      if (heir === undefined) continue;
      throw new UsageError(
        `Run ${heir.run} started from a checkpoint of ${name} and cannot be resumed without it.`,
        `Remove both at once (sqlm rm ${name} ${heir.run}), or keep both.`,
      );
    }
    for (const [index, name] of names.entries()) locks.push(lockRun(name, folders[index]));
    translateErrors(path, () =>
      transaction(database, () => {
        for (const name of names) removeRows(database, name);
      }),
    );
    for (const lock of locks.splice(0)) lock[Symbol.dispose]();
    // After the rows: a process that is killed in between leaves a folder that no run names, and nothing is half there.
    for (const one of folders) rmSync(one, { recursive: true, force: true });
  } finally {
    for (const lock of locks) lock[Symbol.dispose]();
    database.close();
  }
}

function removeRows(database: DatabaseSync, name: string): void {
  const id = "(SELECT id FROM runs WHERE name = ?)";
  for (const [table, key, owner] of dependentTables) {
    database.prepare(`DELETE FROM ${table} WHERE ${key} IN (SELECT id FROM ${owner} WHERE run_id = ${id})`).run(name);
  }
  // Questions refer to steps: they go first.
  for (const table of ["questions", ...steppedTables.filter((one) => one !== "questions")]) {
    database.prepare(`DELETE FROM ${table} WHERE run_id = ${id}`).run(name);
  }
  database.prepare("DELETE FROM runs WHERE name = ?").run(name);
}
