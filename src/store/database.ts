// Opens the workspace's SQLite file: write-ahead log, migrations, and SQLite's error codes turned into this package's
// errors. What is in the tables is said in schema.ts; who writes them is said in run-store.ts.
import { existsSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { FileFormatError, RunStoppedError, SqlmError, UsageError } from "../errors.ts";
import { applicationId, migrations } from "./schema.ts";

/** How long a writer waits for another process's transaction, in milliseconds. */
const busyTimeout = 20_000;

/**
 * Opens a database for writing, creating it and bringing it up to date where needed.
 * Throws FileFormatError for a file that is corrupt, not ours, or from a newer version; UsageError where it cannot be written.
 */
export function openDatabase(path: string, steps: readonly string[] = migrations): DatabaseSync {
  return translateErrors(path, () => {
    const database = new DatabaseSync(path, { timeout: busyTimeout });
    try {
      checkVersion(database, path, steps);
      // FULL flushes the log at every commit: an acknowledged step survives a power cut, not only a killed process.
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;");
      migrate(database, path, steps);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** Opens a database that exists for reading, beside whoever writes it. Throws like openDatabase. */
export function openDatabaseForReading(path: string): DatabaseSync {
  return translateErrors(path, () => {
    try {
      return readable(new DatabaseSync(path, { readOnly: true, timeout: busyTimeout }), path);
    } catch (error) {
      // In a folder that cannot be written SQLite cannot make the files that readers and writers share. Nobody can be
      // writing there either, so that the database may be read as it is, unless a log is still to be taken in.
      const code = primaryCode(error);
      if ((code !== cannotOpen && code !== readOnly) || !existsSync(path) || existsSync(`${path}-wal`)) throw error;
      const url = pathToFileURL(path);
      url.searchParams.set("immutable", "1");
      return readable(new DatabaseSync(url, { readOnly: true }), path);
    }
  });
}

function readable(database: DatabaseSync, path: string): DatabaseSync {
  try {
    // Migrations are quick; a reader does them once rather than knowing every old schema.
    if (checkVersion(database, path, migrations) < migrations.length) openDatabase(path).close();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

function checkVersion(database: DatabaseSync, path: string, steps: readonly string[]): number {
  const version = pragma(database, "user_version");
  const owner = pragma(database, "application_id");
  const empty = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"] === 0;
  if (!empty && owner !== applicationId) {
    throw new FileFormatError(
      path,
      "is a SQLite database of another program.",
      "Use another workspace folder (--workspace).",
    );
  }
  if (version > steps.length) {
    throw new FileFormatError(
      path,
      `was made by a newer version of sqlm (schema ${version}; this version knows up to ${steps.length}).`,
      "Update sqlm, or use another workspace folder (--workspace).",
    );
  }
  return version;
}

/** Applies the migrations that a database has not seen, all in one transaction. */
function migrate(database: DatabaseSync, path: string, steps: readonly string[]): void {
  if (pragma(database, "user_version") === steps.length) return;
  transaction(database, () => {
    // Another process may have migrated while this one waited for the lock.
    const version = checkVersion(database, path, steps);
    for (const step of steps.slice(version)) database.exec(step);
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${steps.length};`);
  });
}

/** Runs `work` in one transaction, which is undone when it throws. */
export function transaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk may already have rolled back.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** All rows of a query, typed by the caller who wrote its columns. */
export function allRows<Row>(statement: StatementSync, ...values: SQLInputValue[]): Row[] {
  return statement.all(...values) as unknown as Row[];
}

/** The first row of a query, or undefined. */
export function firstRow<Row>(statement: StatementSync, ...values: SQLInputValue[]): Row | undefined {
  return statement.get(...values) as unknown as Row | undefined;
}

/** Rows one at a time: memory stays flat however many there are. */
export function eachRow<Row>(statement: StatementSync, ...values: SQLInputValue[]): IterableIterator<Row> {
  return statement.iterate(...values) as unknown as IterableIterator<Row>;
}

/** Runs `work`; what SQLite throws in it comes out as one of this package's errors. */
export function translateErrors<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw databaseError(path, error);
  }
}

// Primary result codes, https://www.sqlite.org/rescode.html
export const busy = 5;
const locked = 6;
const readOnly = 8;
const inputOutput = 10;
const corrupt = 11;
const full = 13;
const cannotOpen = 14;
const notADatabase = 26;

/** SQLite's primary result code; null for what is not an error of SQLite. */
export function primaryCode(error: unknown): number | null {
  // The low byte is the primary code; the rest says where it happened.
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : null;
}

/** The typed error for what `node:sqlite` threw; anything else is returned as it is. */
export function databaseError(path: string, error: unknown): unknown {
  if (error instanceof SqlmError || !(error instanceof Error)) return error;
  const cause = { cause: error };
  switch (primaryCode(error)) {
    case corrupt:
    case notADatabase:
      return new FileFormatError(
        path,
        `the database is damaged (${error.message}).`,
        "`sqlm rebuild` makes a new one from events.jsonl and the checkpoints under runs/, which are separate files and stay readable.",
        cause,
      );
    case full:
    case inputOutput:
      return new RunStoppedError(
        `${path}: the disk is full or failing (${error.message}); the last event was not recorded.`,
        "Free some space, then go on with `sqlm resume`.",
        cause,
      );
    case busy:
    case locked:
      return new RunStoppedError(
        `${path}: another process kept the database locked for ${busyTimeout / 1000} seconds.`,
        "See what else uses this workspace, then go on with `sqlm resume`.",
        cause,
      );
    case readOnly:
    case cannotOpen:
      return new UsageError(
        `${path}: the database cannot be opened for this (${error.message}).`,
        "Check that the folder exists and is yours to write, or choose another with --workspace.",
        cause,
      );
    default:
      return error;
  }
}
