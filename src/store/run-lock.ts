// One process at a time may append to a run. The lock is SQLite's own exclusive lock on a small file in the run's
// folder: the operating system lets go of it when the process ends, however it ends.
//
// Never open the lock file by any other means: on POSIX, closing any handle of a file drops all of the process's locks.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { UsageError } from "../errors.ts";
import { busy, databaseError, primaryCode, translateErrors } from "./database.ts";

/** Takes the lock of the run in `folder`, for as long as the result is not disposed. Throws UsageError when it is held. */
export function lockRun(run: string, folder: string): Disposable {
  const lock = tryLockRun(folder);
  if (lock !== null) return lock;
  throw new UsageError(
    `Run ${run} is open in another process.`,
    "Wait until that process ends, or stop it (Ctrl-C ends a run with a checkpoint); then try again.",
  );
}

/** Like lockRun, but null when the lock is held. Throws FileFormatError or UsageError for a lock that cannot be used. */
export function tryLockRun(folder: string): Disposable | null {
  // The wait covers a process that is only looking whether the run is going (isRunLocked).
  const path = join(folder, "lock");
  const database = translateErrors(path, () => new DatabaseSync(path, { timeout: 500 }));
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    if (primaryCode(cause) === busy) return null;
    throw databaseError(path, cause);
  }
  return { [Symbol.dispose]: () => database.close() };
}

/** True when some process, this one included, has the run open for appending. */
export function isRunLocked(folder: string): boolean {
  const path = join(folder, "lock");
  if (!existsSync(path)) return false;
  const database = new DatabaseSync(path, { readOnly: true, timeout: 0 });
  try {
    database.prepare("SELECT count(*) FROM sqlite_schema").get();
    return false;
  } catch (error) {
    return primaryCode(error) === busy;
  } finally {
    database.close();
  }
}
