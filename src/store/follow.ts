// Follows a workspace that other processes write: what was recorded since, runs that were killed, a store that went away,
// was replaced or belongs to a newer version. Reads a few rows now and then, and holds a transaction only while it
// reads, which in a write-ahead log keeps no run waiting.
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { StatementSync } from "node:sqlite";
import { FileFormatError, SqlmError, UsageError } from "../errors.ts";
import { allRows, firstRow } from "./database.ts";
import { openReader, type Reader } from "./queries.ts";
import { readAtOnce } from "./read-at-once.ts";
import { isRunLocked } from "./run-lock.ts";
import { migrations } from "./schema.ts";

/** What a follower is told. */
export type StoreChange =
  /** An event was recorded. `id` grows with every event of the workspace. */
  | { readonly type: "event"; readonly id: number; readonly run: string; readonly step: number; readonly event: string }
  /** A run that was running no longer is, without having said so. */
  | { readonly type: "crashed"; readonly run: string }
  /** What was read before no longer holds: the store was replaced, or is there again. Read everything anew. */
  | { readonly type: "reset" }
  /** The store cannot be read. */
  | { readonly type: "problem"; readonly message: string; readonly hint: string };

/** Looks for new events this often, in milliseconds. */
const pollMilliseconds = 50;
/** Every so many looks also at the file itself and at the locks of runs. */
const looksPerCheck = 20;
/** Events told one by one; more at once are a `reset`. */
const mostEvents = 200;

/** A workspace that is read again and again while others write it. Opens what there is when it is first asked. */
export class FollowedStore implements Disposable {
  readonly folder: string;
  readonly #path: string;
  readonly #listeners = new Set<(change: StoreChange) => void>();
  #reader: Reader | null = null;
  #dataVersion: StatementSync | null = null;
  #identity = "";
  #version = -1;
  #lastEvent = 0;
  #runs = 0;
  #running = new Set<string>();
  #problem: string | null = null;
  #looks = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(folder: string) {
    this.folder = resolve(folder);
    this.#path = join(this.folder, "sqlm.db");
  }

  /**
   * Reads from the store as it is now, all of it at one moment. Throws UsageError where there is none and for what `work` does not find,
   * FileFormatError where it is damaged or newer.
   */
  read<Result>(work: (reader: Reader) => Result): Result {
    const reader = this.#open();
    try {
      return readAtOnce(reader, () => work(reader));
    } catch (error) {
      // What SQLite cannot read now may be readable when it is opened again.
      if (!(error instanceof UsageError)) this.#close();
      throw error;
    }
  }

  /** The id of the latest event. */
  lastEvent(): number {
    return this.read(readLastEvent);
  }

  /** Tells of every change from now on, until what it returns is called. Looks at the store only while someone listens. */
  follow(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    if (this.#timer === null) {
      this.#timer = setInterval(() => this.#look(), pollMilliseconds);
      this.#timer.unref();
      // What was recorded while nobody listened is not told.
      this.#version = -1;
      try {
        this.#lastEvent = this.lastEvent();
        this.#runs = this.read(countRuns);
        this.#running = new Set(this.read(readRunning));
      } catch {
        // Said at the next look.
      }
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0 || this.#timer === null) return;
      clearInterval(this.#timer);
      this.#timer = null;
    };
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#listeners.clear();
    this.#close();
  }

  #close(): void {
    this.#reader?.[Symbol.dispose]();
    this.#reader = null;
    this.#dataVersion = null;
  }

  #open(): Reader {
    const identity = identityOf(this.#path);
    if (this.#reader !== null && identity === this.#identity) {
      // A newer version may have migrated the file that we have open.
      const row = firstRow<{ user_version: number }>(this.#reader.database.prepare("PRAGMA user_version"));
      if (row === undefined || row.user_version <= migrations.length) return this.#reader;
    }
    this.#close();
    this.#reader = openReader(this.folder);
    this.#identity = identityOf(this.#path);
    return this.#reader;
  }

  #tell(change: StoreChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #look(): void {
    try {
      const check = this.#looks++ % looksPerCheck === 0;
      const before = this.#identity;
      // Between checks of the file its open connection is trusted.
      const reader = check || this.#reader === null ? this.#open() : this.#reader;
      if (this.#problem !== null || (before !== "" && before !== this.#identity)) {
        this.#problem = null;
        this.#lastEvent = readLastEvent(reader);
        this.#runs = countRuns(reader);
        this.#running = new Set(readRunning(reader));
        this.#version = -1;
        this.#tell({ type: "reset" });
        return;
      }
      this.#tellEvents(reader);
      if (check) this.#tellCrashes(reader);
    } catch (error) {
      this.#close();
      const { message, hint } = describeProblem(this.#path, error);
      if (message === this.#problem) return;
      this.#problem = message;
      this.#tell({ type: "problem", message, hint });
    }
  }

  #tellEvents(reader: Reader): void {
    // A number that changes whenever another connection has committed; reading it costs next to nothing.
    this.#dataVersion ??= reader.database.prepare("PRAGMA data_version");
    const row = firstRow<{ data_version: number }>(this.#dataVersion);
    const version = row?.data_version ?? -1;
    if (version === this.#version) return;
    this.#version = version;
    const events = allRows<{ id: number; run: string; step: number; event: string }>(
      reader.database.prepare(
        `SELECT events.id, name AS run, step, type AS event FROM events JOIN runs ON runs.id = run_id
           WHERE events.id > ? ORDER BY events.id LIMIT ?`,
      ),
      this.#lastEvent,
      mostEvents + 1,
    );
    // Where a run was removed, ids of events may come again.
    const runs = countRuns(reader);
    const removed = runs < this.#runs || readLastEvent(reader) < this.#lastEvent;
    this.#runs = runs;
    if (removed || events.length > mostEvents) {
      this.#lastEvent = readLastEvent(reader);
      this.#tell({ type: "reset" });
      return;
    }
    for (const event of events) {
      this.#lastEvent = event.id;
      if (event.event === "run-start") this.#running.add(event.run);
      if (event.event === "run-end") this.#running.delete(event.run);
      this.#tell({ type: "event", ...event });
    }
  }

  #tellCrashes(reader: Reader): void {
    for (const run of this.#running) {
      if (isRunLocked(join(reader.folder, "runs", run))) continue;
      this.#running.delete(run);
      this.#tell({ type: "crashed", run });
    }
  }
}

function readLastEvent(reader: Reader): number {
  return firstRow<{ id: number | null }>(reader.database.prepare("SELECT max(id) AS id FROM events"))?.id ?? 0;
}

function countRuns(reader: Reader): number {
  return firstRow<{ n: number }>(reader.database.prepare("SELECT count(*) AS n FROM runs"))?.n ?? 0;
}

/** Runs that are going, of the latest hundred that say so. */
function readRunning(reader: Reader): string[] {
  const rows = reader.database.prepare("SELECT name FROM runs WHERE status = 'running' ORDER BY id DESC LIMIT 100");
  return allRows<{ name: string }>(rows)
    .map(({ name }) => name)
    .filter((name) => isRunLocked(join(reader.folder, "runs", name)));
}

/** Which file is at this path; empty where there is none. */
function identityOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? "" : `${stats.dev}:${stats.ino}`;
}

function describeProblem(path: string, error: unknown): { readonly message: string; readonly hint: string } {
  if (error instanceof SqlmError) return { message: error.message, hint: error.hint };
  const damaged = new FileFormatError(path, `cannot be read (${String(error)}).`, "It is tried again and again.");
  return { message: damaged.message, hint: damaged.hint };
}
