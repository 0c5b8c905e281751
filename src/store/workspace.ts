// A workspace is a folder (`.sqlm/`) with one database for all runs, and a folder a run for checkpoints and events.jsonl.
import { mkdirSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { RunConfig } from "../config/config.ts";
import { FileFormatError, nearestName, UsageError } from "../errors.ts";
import { allRows, openDatabase, transaction, translateErrors } from "./database.ts";
import { checkpointBytes, requireSpaceToStart, type StoreHost, thisHost } from "./host.ts";
import { makeFolder } from "./make-folder.ts";
import { readConfig, readSources, readTrial, type TrialColumns } from "./read-rows.ts";
import { isRunLocked } from "./run-lock.ts";
import { SqliteRunStore } from "./run-store.ts";
import type { RunInfo, RunOrigin, RunStore, Workspace } from "./store.ts";

/**
 * Opens a workspace folder, making it where there is none. Throws UsageError where it cannot be written, FileFormatError
 * for a damaged database or one from a newer version. `host` stands in for the clock and the disk in tests.
 *
 * @example
 * import { openWorkspace } from "self-questioning";
 *
 * await using workspace = openWorkspace(".sqlm");
 * for (const { run, status, lastStep } of workspace.list()) console.log(run, status, lastStep);
 */
export function openWorkspace(folder: string, host: StoreHost = thisHost): Workspace {
  const path = resolve(folder);
  try {
    makeFolder(join(path, "runs"));
  } catch (cause) {
    throw new UsageError(
      `${path}: the workspace cannot be written (${(cause as NodeJS.ErrnoException).code}).`,
      "Check that the folder is yours to write, or choose another with --workspace.",
      { cause },
    );
  }
  return new SqliteWorkspace(path, host);
}

class SqliteWorkspace implements Workspace {
  readonly folder: string;
  readonly #path: string;
  readonly #host: StoreHost;
  readonly #database: DatabaseSync;
  #open = true;

  constructor(folder: string, host: StoreHost) {
    this.folder = folder;
    this.#host = host;
    this.#path = join(folder, "sqlm.db");
    this.#database = openDatabase(this.#path);
  }

  list(): readonly RunInfo[] {
    return translateErrors(this.#path, () => readRuns(this.#database, this.folder));
  }

  info(run: string): RunInfo {
    return findRun(this.list(), run);
  }

  async requireSpace(config: RunConfig): Promise<void> {
    await requireSpaceToStart(this.#host, this.folder, checkpointBytes(config));
  }

  createRun(config: RunConfig, { trial, name: wanted, sources }: RunOrigin = {}): RunStore {
    if (wanted !== undefined) checkRunName(wanted, this.list());
    const now = this.#host.now();
    const name = this.#claimFolder(wanted ?? null, config, now);
    translateErrors(this.#path, () =>
      transaction(this.#database, () =>
        this.#database
          .prepare(
            `INSERT INTO runs (name, config, created, recorded, status, experiment, variant, control, sources)
               VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?)`,
          )
          .run(
            name,
            JSON.stringify(config),
            new Date(now).toISOString(),
            now,
            ...[trial?.experiment ?? null, trial?.variant ?? null, trial?.control ?? null],
            sources === undefined ? null : JSON.stringify(sources),
          ),
      ),
    );
    return new SqliteRunStore(this.folder, name, this.#host);
  }

  openRun(run: string): RunStore {
    return new SqliteRunStore(this.folder, this.info(run).run, this.#host);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#database.close();
  }

  /** Makes the folder of a new run; making it is what claims the name. */
  #claimFolder(wanted: string | null, config: RunConfig, now: number): string {
    const base = wanted ?? runName(config, now);
    for (let copy = 1; ; copy++) {
      const name = copy === 1 ? base : `${base}-${copy}`;
      try {
        mkdirSync(join(this.folder, "runs", name));
        return name;
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === "EEXIST") {
          if (wanted === null) continue;
          throw new UsageError(
            `${this.folder}: there is a folder runs/${wanted} already, which no run in the record has.`,
            "Choose another name, or remove the folder; `sqlm rebuild --force` makes a run of it again where it was one.",
          );
        }
        throw new UsageError(
          `${this.folder}: no run can be made here (${(cause as NodeJS.ErrnoException).code}).`,
          "Check that the folder is yours to write, or choose another with --workspace.",
          { cause },
        );
      }
    }
  }
}

/** Throws UsageError for a name that no run can have, or that one has. */
export function checkRunName(name: string, runs: readonly RunInfo[]): void {
  if (!/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,79}$/u.test(name) || name.endsWith(".")) {
    throw new UsageError(
      `"${name}" cannot be the name of a run.`,
      "Up to 80 letters, digits, dots, dashes and underscores; a letter or digit first: --name short-proofs-2.",
    );
  }
  if (name === latest) {
    throw new UsageError(`"${latest}" cannot be the name of a run: it stands for the newest.`, "Choose another name.");
  }
  // Folders of two names that differ in case only are one folder on some systems.
  if (runs.some(({ run }) => run.toLowerCase() === name.toLowerCase())) throw nameTaken(name);
}

function nameTaken(name: string): UsageError {
  return new UsageError(
    `There is a run ${name} already.`,
    "Choose another name; `sqlm list` shows those that are taken.",
  );
}

/** For example `arithmetic-20261122-130455-s1`: topic, time in UTC, seed. */
function runName(config: RunConfig, now: number): string {
  const topic = basename(config.topic, extname(config.topic))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 40);
  const [date, time] = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").split("T");
  return `${topic === "" ? "run" : topic}-${date}-${time}-s${config.seed}`;
}

interface RunRow extends TrialColumns {
  readonly name: string;
  readonly config: string;
  readonly sources: string | null;
  readonly created: string;
  readonly status: RunInfo["status"];
  readonly last_step: number;
}

/** All runs, or those of one name, in the order in which they were made, which is not that of a clock that was set back. */
export function readRuns(database: DatabaseSync, folder: string, name: string | null = null): RunInfo[] {
  const rows = database.prepare(
    `SELECT name, config, sources, experiment, variant, control, created, status, last_step FROM runs
       WHERE ?1 IS NULL OR name = ?1 ORDER BY id`,
  );
  return allRows<RunRow>(rows, name).map((row) => {
    let config: RunConfig | null = null;
    return {
      run: row.name,
      // Not before somebody wants it: what cannot be read of one run must keep nobody from the others, nor from removing it.
      get config() {
        config ??= readConfig(join(folder, "sqlm.db"), row.name, row.config);
        return config;
      },
      trial: readTrial(row),
      sources: readSources(row.sources),
      created: row.created,
      // A run that says it is running while no process has it open was killed.
      status: row.status === "running" && !isRunLocked(join(folder, "runs", row.name)) ? "crashed" : row.status,
      lastStep: row.last_step,
    };
  });
}

/** The settings of a run, or null where another version recorded what this one does not know. */
export function settingsOf(info: Pick<RunInfo, "config">): RunConfig | null {
  try {
    return info.config;
  } catch (error) {
    if (error instanceof FileFormatError) return null;
    throw error;
  }
}

/** Stands for the run that was made last. */
const latest = "latest";

/**
 * The run that a user means: the one of this name, the newest for `latest`, or the only one whose name begins so. Throws
 * UsageError, naming the nearest, or those that begin so.
 */
export function findRun(runs: readonly RunInfo[], name: string): RunInfo {
  const exact = runs.find((info) => info.run === name);
  if (exact !== undefined) return exact;
  if (name === latest && runs.length > 0) return runs[runs.length - 1];
  const begun = name === "" ? [] : runs.filter((info) => info.run.startsWith(name));
  if (begun.length === 1) return begun[0];
  if (begun.length > 1) {
    const shown = begun.slice(-5).map((info) => info.run);
    throw new UsageError(
      `${begun.length} runs begin with "${name}".`,
      `Give more of the name: ${begun.length > shown.length ? "…, " : ""}${shown.join(", ")}.`,
    );
  }
  const nearest = nearestName(
    name,
    runs.map((info) => info.run),
  );
  throw new UsageError(
    `There is no run ${name}.`,
    nearest === null ? "`sqlm list` shows all runs." : `Did you mean ${nearest}? \`sqlm list\` shows all runs.`,
  );
}
