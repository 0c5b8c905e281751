// The record of one run in SQLite, open for appending. One event is one transaction. Checkpoint folders are written by
// checkpoint-files.ts, rows of a step by record-step.ts; this is where they become one record.
import { mkdirSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RunConfig } from "../config.ts";
import { FileFormatError, RunStoppedError, SqlmError, UsageError } from "../errors.ts";
import type { RunEvent } from "../events.ts";
import type { LevelResult } from "../types.ts";
import {
  checkpointName,
  checkpointSteps,
  folderBytes,
  type Manifest,
  readCheckpoint,
  removeCheckpoint,
  removeLeftovers,
  writeCheckpoint,
} from "./checkpoint-files.ts";
import { allRows, firstRow, openDatabase, transaction, translateErrors } from "./database.ts";
import { appendEventLine, eventLine, rewriteEventsLog, stepOf } from "./events-log.ts";
import { readEvaluations } from "./read-rows.ts";
import { type EventWriter, prepareEventWriter } from "./record-event.ts";
import { readSteps } from "./record-step.ts";
import { lockRun } from "./run-lock.ts";
import { steppedTables } from "./schema.ts";
import type { LoopState, RecordedStep, RunStore, SavedCheckpoint } from "./store.ts";

/** Room that must be left on the disk beside a checkpoint, for the database and everything else: 64 MiB. */
const spareBytes = 64 * 2 ** 20;

export interface StoreClock {
  /** Wall-clock time in milliseconds. */
  readonly now: () => number;
  /** Bytes that may still be written on the disk of this folder. */
  readonly freeBytes: (folder: string) => Promise<number>;
}

export const systemClock: StoreClock = {
  now: Date.now,
  freeBytes: async (folder) => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
};

interface RunRow {
  readonly id: number;
  readonly config: string;
  readonly last_step: number;
  readonly recorded: number;
  readonly model_shape: string | null;
}

export class SqliteRunStore implements RunStore {
  readonly run: string;
  readonly #checkpoints: string;
  readonly #log: string;
  readonly #databasePath: string;
  readonly #system: StoreClock;
  readonly #lock: Disposable;
  readonly #database: DatabaseSync;
  readonly #config: RunConfig;
  readonly #runId: number;
  readonly #writeRows: EventWriter;
  readonly #insertEvent: StatementSync;
  readonly #supersedeEvaluation: StatementSync;
  #lastStep: number;
  #recorded: number;
  #modelShape: string | null;
  #open = true;

  /** Takes the run's lock. Throws UsageError when another process has it. */
  constructor(workspace: string, run: string, system: StoreClock) {
    this.run = run;
    this.#system = system;
    const folder = join(workspace, "runs", run);
    this.#checkpoints = join(folder, "checkpoints");
    this.#log = join(folder, "events.jsonl");
    this.#databasePath = join(workspace, "sqlm.db");
    mkdirSync(this.#checkpoints, { recursive: true });
    this.#lock = lockRun(run, folder);
    try {
      this.#database = openDatabase(this.#databasePath);
    } catch (error) {
      this.#lock[Symbol.dispose]();
      throw error;
    }
    try {
      const row = this.#translate(() =>
        firstRow<RunRow>(
          this.#database.prepare("SELECT id, config, last_step, recorded, model_shape FROM runs WHERE name = ?"),
          run,
        ),
      );
      if (row === undefined) throw new UsageError(`There is no run ${run}.`, "See `sqlm list`.");
      this.#runId = row.id;
      this.#config = JSON.parse(row.config) as RunConfig;
      this.#lastStep = row.last_step;
      this.#recorded = row.recorded;
      this.#modelShape = row.model_shape;
      this.#writeRows = prepareEventWriter(this.#database);
      this.#insertEvent = this.#database.prepare(
        "INSERT INTO events (run_id, step, type, json, recorded) VALUES (?, ?, ?, ?, ?)",
      );
      this.#supersedeEvaluation = this.#database.prepare(
        `UPDATE events SET superseded = 1
           WHERE run_id = ? AND step = ? AND type = 'evaluation-end' AND superseded = 0`,
      );
      removeLeftovers(this.#checkpoints);
      this.#translate(() => rewriteEventsLog(this.#log, this.#database, this.#runId));
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  append(event: RunEvent): void {
    if (event.type === "step-end" && event.record.step !== this.#lastStep + 1) {
      throw new UsageError(
        `Step ${event.record.step} cannot be recorded after step ${this.#lastStep} of run ${this.run}.`,
        "Rewind to the step of the checkpoint that the run goes on from (rewindTo) before appending.",
      );
    }
    if (event.type === "checkpoint-saved" && this.#hasCheckpointEvent(event.step)) return;
    this.#write([event]);
  }

  async saveCheckpoint(state: LoopState, write: (folder: string) => Promise<void>): Promise<SavedCheckpoint> {
    await this.#requireSpace();
    let saved: { readonly folder: string; readonly manifest: Manifest };
    try {
      saved = await writeCheckpoint(this.#checkpoints, this.run, state, write);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      throw new RunStoppedError(
        `The disk filled up while the checkpoint of step ${state.step} was written; the checkpoints before it are whole.`,
        `Free some space, then go on with \`sqlm resume ${this.run}\`.`,
        { cause: error },
      );
    }
    this.#recordCheckpoint(saved.manifest);
    this.#keepNewestAnd(state.best?.step ?? null);
    return { step: state.step, folder: saved.folder, state };
  }

  async latestCheckpoint(): Promise<SavedCheckpoint | null> {
    const problems: string[] = [];
    let found: SavedCheckpoint | null = null;
    for (const step of checkpointSteps(this.#checkpoints)) {
      const folder = join(this.#checkpoints, checkpointName(step));
      try {
        const { manifest, state } = await readCheckpoint(folder);
        if (manifest.step !== step || state.step !== step) {
          throw new FileFormatError(folder, `holds step ${state.step}.`, "It was renamed; it is not used.");
        }
        this.#requireSameRun(folder, manifest);
        this.#recordCheckpoint(manifest);
        found = { step, folder, state };
        break;
      } catch (error) {
        if (!(error instanceof FileFormatError) || error instanceof ForeignCheckpointError) throw error;
        problems.push(`Checkpoint ${checkpointName(step)} is broken and was skipped: ${error.message}`);
      }
    }
    const step = found?.step ?? 0;
    for (const message of problems) this.append({ type: "anomaly", step, kind: "broken-checkpoint", message });
    return found;
  }

  rewindTo(step: number): void {
    for (const later of checkpointSteps(this.#checkpoints)) {
      if (later > step) removeCheckpoint(this.#checkpoints, later);
    }
    this.#transaction(() => {
      for (const table of steppedTables) {
        this.#database
          .prepare(`UPDATE ${table} SET superseded = 1 WHERE run_id = ? AND step > ? AND superseded = 0`)
          .run(this.#runId, step);
      }
      this.#database
        .prepare("UPDATE runs SET last_step = min(last_step, ?), status = 'running' WHERE id = ?")
        .run(step, this.#runId);
    });
    this.#lastStep = Math.min(this.#lastStep, step);
    this.#translate(() => rewriteEventsLog(this.#log, this.#database, this.#runId));
  }

  *steps(): Generator<RecordedStep> {
    try {
      yield* readSteps(this.#database, this.#runId);
    } catch (error) {
      translateErrors(this.#databasePath, () => {
        throw error;
      });
    }
  }

  evaluations(): readonly { readonly step: number; readonly levels: readonly LevelResult[] }[] {
    return this.#translate(() => readEvaluations(this.#database, this.#runId));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#database.close();
    this.#lock[Symbol.dispose]();
  }

  #translate<Result>(work: () => Result): Result {
    return translateErrors(this.#databasePath, work);
  }

  #transaction<Result>(work: () => Result): Result {
    return this.#translate(() => transaction(this.#database, work));
  }

  /** Records events in one transaction, then adds their lines to the log. */
  #write(events: readonly RunEvent[], alsoWrite?: (recorded: number) => void): void {
    const now = this.#system.now();
    const all = [...events];
    if (now < this.#recorded - 1000) {
      const seconds = Math.round((this.#recorded - now) / 1000);
      const message = `The clock went back by ${seconds} s; records keep their order, their times do not.`;
      all.unshift({ type: "anomaly", step: this.#lastStep, kind: "clock", message });
    }
    const lines: string[] = [];
    let replaced = false;
    this.#transaction(() => {
      alsoWrite?.(now);
      for (const event of all) {
        if (event.type === "evaluation-end" && this.#supersedeEvaluation.run(this.#runId, event.step).changes > 0) {
          replaced = true;
        }
        const line = eventLine(event, event.type === "checkpoint-saved" ? this.#relative(event.step) : undefined);
        this.#insertEvent.run(this.#runId, stepOf(event), event.type, line, now);
        this.#writeRows(this.#runId, event, now);
        lines.push(line);
      }
      this.#database.prepare("UPDATE runs SET recorded = ? WHERE id = ?").run(now, this.#runId);
    });
    this.#recorded = now;
    for (const event of events) if (event.type === "step-end") this.#lastStep = event.record.step;
    try {
      if (replaced) rewriteEventsLog(this.#log, this.#database, this.#runId);
      else for (const line of lines) appendEventLine(this.#log, line);
    } catch (cause) {
      // The event is recorded; the mirror is written anew when the run is opened again.
      throw new RunStoppedError(
        `${this.#log}: cannot be written; everything up to this event is in the database.`,
        `Free some space, then go on with \`sqlm resume ${this.run}\`.`,
        { cause },
      );
    }
  }

  /** Path of a checkpoint relative to the workspace, so that a workspace can be moved. */
  #relative(step: number): string {
    return `runs/${this.run}/checkpoints/${checkpointName(step)}`;
  }

  #hasCheckpointEvent(step: number): boolean {
    const query = this.#database.prepare(
      "SELECT 1 FROM events WHERE run_id = ? AND step = ? AND type = 'checkpoint-saved' AND superseded = 0",
    );
    return this.#translate(() => query.get(this.#runId, step)) !== undefined;
  }

  /** Records a checkpoint that is on the disk, once. A process may have been killed between the rename and its row. */
  #recordCheckpoint(manifest: Manifest): void {
    const { step, modelShape } = manifest;
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    this.#modelShape ??= modelShape;
    const folder = this.#relative(step);
    const rows = (now: number): void => {
      this.#database
        .prepare("UPDATE runs SET model_shape = coalesce(model_shape, ?) WHERE id = ?")
        .run(modelShape, this.#runId);
      this.#database
        .prepare(
          `INSERT INTO checkpoints (run_id, step, folder, bytes, recorded) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (run_id, step) WHERE superseded = 0 DO UPDATE SET removed = 0, bytes = excluded.bytes`,
        )
        .run(this.#runId, step, folder, bytes, now);
    };
    if (this.#hasCheckpointEvent(step)) this.#transaction(() => rows(this.#system.now()));
    else this.#write([{ type: "checkpoint-saved", step, folder }], rows);
  }

  #keepNewestAnd(bestStep: number | null): void {
    const steps = checkpointSteps(this.#checkpoints);
    const removed = steps.slice(this.#config.keepCheckpoints).filter((step) => step !== bestStep);
    for (const step of removed) removeCheckpoint(this.#checkpoints, step);
    // Rows follow the disk, so that a process killed between the two is made good by the next checkpoint.
    const kept = JSON.stringify(steps.filter((step) => !removed.includes(step)));
    this.#transaction(() => {
      this.#database
        .prepare(
          `UPDATE checkpoints SET removed = 1
             WHERE run_id = ? AND superseded = 0 AND step NOT IN (SELECT value FROM json_each(?))`,
        )
        .run(this.#runId, kept);
    });
  }

  async #requireSpace(): Promise<void> {
    const rows = this.#database.prepare(
      "SELECT bytes FROM checkpoints WHERE run_id = ? AND superseded = 0 ORDER BY step DESC LIMIT 1",
    );
    const last = this.#translate(() => allRows<{ bytes: number }>(rows, this.#runId))[0]?.bytes;
    // Before the first checkpoint: weights and two moments of AdamW.
    const expected = last ?? 3 * folderBytes(this.#config.model);
    const needed = expected + spareBytes;
    const free = await this.#system.freeBytes(this.#checkpoints);
    if (free >= needed) return;
    throw new RunStoppedError(
      `The disk has ${mebibytes(free)} left, and the next checkpoint of run ${this.run} needs ${mebibytes(needed)}.`,
      `Free some space, then go on with \`sqlm resume ${this.run}\`.`,
    );
  }

  #requireSameRun(folder: string, manifest: Manifest): void {
    if (manifest.run !== this.run) {
      throw new ForeignCheckpointError(
        folder,
        `is a checkpoint of run ${manifest.run}, not of ${this.run}.`,
        "Move the folder away; it was not written by this run.",
      );
    }
    if (this.#modelShape !== null && manifest.modelShape !== this.#modelShape) {
      throw new ForeignCheckpointError(
        folder,
        `is a checkpoint of another model (${manifest.modelShape ?? "no config.json"}; this run's is ${this.#modelShape}).`,
        "Move the folder away; it was not written by this run.",
      );
    }
  }
}

/** A whole checkpoint in the wrong place: not skipped like a broken one, since someone put it there. */
class ForeignCheckpointError extends FileFormatError {}

function mebibytes(bytes: number): string {
  return `${Math.max(0, Math.floor(bytes / 2 ** 20))} MiB`;
}

/** True when a full disk or quota is the cause, however deep. */
function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof SqlmError) return false;
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG" || isDiskFull(error.cause);
}
