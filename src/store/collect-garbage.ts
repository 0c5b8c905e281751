// Gives back the room of what no query shows: rows that a killed run wrote after the checkpoint it resumed from, and
// checkpoints that are no longer kept. Runs that a process has open are left alone.
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { FileFormatError } from "../errors.ts";
import { checkpointName, checkpointSteps, folderBytes, isLeftover, readCheckpoint } from "./checkpoint-files.ts";
import { firstRow, openDatabase, transaction, translateErrors } from "./database.ts";
import { dependentTables } from "./remove-run.ts";
import { tryLockRun } from "./run-lock.ts";
import { steppedTables } from "./schema.ts";
import type { LoopState } from "./store.ts";
import { findRun, readRuns, settingsOf } from "./workspace.ts";

interface Garbage {
  readonly run: string;
  /** Superseded rows of all tables. */
  readonly rows: number;
  /** Checkpoint folders, whole or half-written, that nothing keeps. */
  readonly folders: readonly string[];
  readonly bytes: number;
}

export interface GarbageOptions {
  /** Only counts; removes nothing. */
  readonly dryRun: boolean;
  /** One run; all of the workspace where it is not given. */
  readonly run?: string;
  /** Checkpoints to keep of each run, beside the best; as many as its config says where not given. */
  readonly keepCheckpoints?: number;
}

export interface GarbageReport {
  readonly runs: readonly Garbage[];
  /** Runs that were left alone because a process has them open. */
  readonly busy: readonly string[];
  /** Runs that were left alone because nobody says how many checkpoints to keep: another version recorded their settings. */
  readonly unreadable: readonly string[];
  /** Bytes by which the database file shrank; 0 in a dry run. */
  readonly databaseBytes: number;
}

/** Removes garbage from the workspace in `folder`, or counts it. Throws UsageError for an unknown run. */
export async function collectGarbage(folder: string, options: GarbageOptions): Promise<GarbageReport> {
  const path = join(folder, "sqlm.db");
  const database = openDatabase(path);
  try {
    const infos = translateErrors(path, () => readRuns(database, folder));
    const chosen = options.run === undefined ? infos : [findRun(infos, options.run)];
    const runs: Garbage[] = [];
    const busy: string[] = [];
    const unreadable: string[] = [];
    for (const info of chosen) {
      const { run } = info;
      // Held until its garbage is gone, so that nobody resumes the run in between.
      using lock = lockFolder(join(folder, "runs", run));
      if (lock === null) {
        busy.push(run);
        continue;
      }
      const keep = options.keepCheckpoints ?? settingsOf(info)?.keepCheckpoints;
      if (keep === undefined) {
        unreadable.push(run);
        continue;
      }
      const folders = await unkeptCheckpoints(join(folder, "runs", run, "checkpoints"), keep);
      const bytes = folders.reduce((sum, one) => sum + folderBytes(one), 0);
      const rows = translateErrors(path, () => {
        const id = firstRow<{ id: number }>(database.prepare("SELECT id FROM runs WHERE name = ?"), run)?.id ?? 0;
        return options.dryRun ? countSuperseded(database, id) : removeRows(database, id, folder, folders);
      });
      // Rows first: a checkpoint that the database lists must never be gone.
      if (!options.dryRun) for (const one of folders) rmSync(one, { recursive: true, force: true });
      runs.push({ run, rows, folders, bytes });
    }
    const shrinks = !options.dryRun && busy.length === 0 && runs.some(({ rows }) => rows > 0);
    return { runs, busy, unreadable, databaseBytes: shrinks ? translateErrors(path, () => shrink(database, path)) : 0 };
  } finally {
    database.close();
  }
}

/** Rewrites the database without its free pages; returns by how many bytes that made the file smaller. */
function shrink(database: DatabaseSync, path: string): number {
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const before = statSync(path).size;
  database.exec("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
  return before - statSync(path).size;
}

/** The lock of the run in `folder`, null when it is held. Nobody can hold that of a folder that someone has removed. */
function lockFolder(folder: string): Disposable | null {
  return existsSync(folder) ? tryLockRun(folder) : { [Symbol.dispose]: () => {} };
}

/**
 * Folders in `parent` beyond the `keep` newest and the best, and what a killed process left half-written. The newest are
 * counted from the newest that is whole: broken ones must not take the place of what a run can go on from. Where none
 * is whole, none is given up: they are all that there is to look at.
 */
async function unkeptCheckpoints(parent: string, keep: number): Promise<string[]> {
  if (!existsSync(parent)) return [];
  const steps = checkpointSteps(parent);
  const newest = await newestState(parent, steps);
  const unkept =
    newest === null
      ? []
      : steps
          .filter((step) => step <= newest.step)
          .slice(keep)
          .filter((step) => step !== newest.best?.step);
  const halfWritten = readdirSync(parent).filter(isLeftover);
  return [...unkept.map(checkpointName), ...halfWritten].map((name) => join(parent, name));
}

async function newestState(parent: string, steps: readonly number[]): Promise<LoopState | null> {
  for (const step of steps) {
    try {
      return (await readCheckpoint(join(parent, checkpointName(step)))).state;
    } catch (error) {
      if (!(error instanceof FileFormatError)) throw error;
    }
  }
  return null;
}

function countSuperseded(database: DatabaseSync, runId: number): number {
  const count = (sql: string, ...values: SQLInputValue[]): number =>
    firstRow<{ n: number }>(database.prepare(sql), ...values)?.n ?? 0;
  const own = steppedTables.map((table) =>
    count(`SELECT count(*) AS n FROM ${table} WHERE run_id = ? AND superseded = 1`, runId),
  );
  const dependent = dependentTables.map(([table, key, owner]) =>
    count(
      `SELECT count(*) AS n FROM ${table} WHERE ${key} IN (SELECT id FROM ${owner} WHERE run_id = ? AND superseded = 1)`,
      runId,
    ),
  );
  return [...own, ...dependent].reduce((sum, n) => sum + n, 0);
}

/** In one transaction: a process that is killed here leaves all of the garbage or none. */
function removeRows(database: DatabaseSync, runId: number, workspace: string, folders: readonly string[]): number {
  return transaction(database, () => {
    const relative = folders.map((folder) => folder.slice(workspace.length + 1).replaceAll("\\", "/"));
    database
      .prepare("UPDATE checkpoints SET removed = 1 WHERE run_id = ? AND folder IN (SELECT value FROM json_each(?))")
      .run(runId, JSON.stringify(relative));
    let removed = 0;
    const remove = (sql: string): void => {
      removed += Number(database.prepare(sql).run(runId).changes);
    };
    for (const [table, key, owner] of dependentTables) {
      remove(`DELETE FROM ${table} WHERE ${key} IN (SELECT id FROM ${owner} WHERE run_id = ? AND superseded = 1)`);
    }
    // Questions refer to steps: they go first.
    for (const table of ["questions", ...steppedTables.filter((name) => name !== "questions")]) {
      remove(`DELETE FROM ${table} WHERE run_id = ? AND superseded = 1`);
    }
    return removed;
  });
}
