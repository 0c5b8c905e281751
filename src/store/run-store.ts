import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RunConfig } from "../config/config.ts";
import { UsageError } from "../errors.ts";
import type { RunEvent } from "../events.ts";
import {
  checkpointName,
  checkpointSteps,
  type Manifest,
  readCheckpoint,
  removeCheckpoint,
  removeLeftovers,
  writeCheckpoint,
} from "./checkpoint-files.ts";
import { firstRow, openDatabase, transaction, translateErrors } from "./database.ts";
import { appendEventLines, eventLine, rewriteEventsLog, stepOf } from "./events-log.ts";
import { findCheckpoint } from "./find-checkpoint.ts";
import { checkpointBytes, diskError, requireSpace, type StoreHost } from "./host.ts";
import { makeFolder } from "./make-folder.ts";
import { readConfig, readSources, readTrial, type TrialColumns } from "./read-rows.ts";
import { type EventWriter, prepareEventWriter } from "./record-event.ts";
import { writeRunFile } from "./run-file.ts";
import { lockRun } from "./run-lock.ts";
import { steppedTables } from "./schema.ts";
import type {
  LoopState,
  RunAmendment,
  RunSources,
  RunStore,
  RunTrial,
  SavedCheckpoint,
  WriteCheckpoint,
} from "./store.ts";

interface RunRow extends TrialColumns {
  readonly id: number;
  readonly config: string;
  readonly created: string;
  readonly sources: string | null;
  readonly last_step: number;
  readonly recorded: number;
  readonly model_shape: string | null;
}

export class SqliteRunStore implements RunStore {
  readonly run: string;
  readonly trial: RunTrial | null;
  readonly #folder: string;
  readonly #checkpoints: string;
  readonly #log: string;
  readonly #databasePath: string;
  readonly #host: StoreHost;
  readonly #lock: Disposable;
  readonly #database: DatabaseSync;
  readonly #created: string;
  readonly #runId: number;
  readonly #writeRows: EventWriter;
  readonly #insertEvent: StatementSync;
  readonly #supersedeEvaluation: StatementSync;
  #config: RunConfig;
  #sources: RunSources | null;
  #lastStep: number;
  #recorded: number;
  #modelShape: string | null;
  #open = true;

  /** Takes the run's lock. Throws UsageError when another process has it. */
  constructor(workspace: string, run: string, host: StoreHost) {
    this.run = run;
    this.#host = host;
    const folder = join(workspace, "runs", run);
    this.#folder = folder;
    this.#checkpoints = join(folder, "checkpoints");
    this.#log = join(folder, "events.jsonl");
    this.#databasePath = join(workspace, "sqlm.db");
    makeFolder(this.#checkpoints);
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
          this.#database.prepare(
            `SELECT id, config, created, sources, experiment, variant, control, last_step, recorded, model_shape
               FROM runs WHERE name = ?`,
          ),
          run,
        ),
      );
      if (row === undefined) throw new UsageError(`There is no run ${run}.`, "See `sqlm list`.");
      this.#runId = row.id;
      this.trial = readTrial(row);
      this.#config = readConfig(this.#databasePath, run, row.config);
      this.#created = row.created;
      this.#sources = readSources(row.sources);
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
      this.#writeRunFile();
      this.#rewriteLog();
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

  async requireSpace(): Promise<void> {
    await requireSpace(this.#host, this.run, this.#checkpoints, this.#expectedBytes());
  }

  amend({ steps, sources, step, kind, note }: RunAmendment): void {
    const config = steps === undefined ? this.#config : { ...this.#config, steps };
    const all = sources ?? this.#sources;
    this.#write([{ type: "anomaly", step, kind, message: note }], () => {
      this.#database
        .prepare("UPDATE runs SET config = ?, sources = ? WHERE id = ?")
        .run(JSON.stringify(config), all === null ? null : JSON.stringify(all), this.#runId);
    });
    this.#config = config;
    this.#sources = all;
    this.#writeRunFile();
  }

  async saveCheckpoint(state: LoopState, write: WriteCheckpoint): Promise<SavedCheckpoint> {
    await this.requireSpace();
    let saved: { readonly folder: string; readonly manifest: Manifest };
    try {
      saved = await writeCheckpoint(this.#checkpoints, this.run, state, write);
    } catch (error) {
      throw diskError(this.run, `the checkpoint of step ${state.step} was written`, error);
    }
    this.#recordCheckpoint(saved.manifest);
    this.#keepNewest(state);
    return { step: state.step, folder: saved.folder, state };
  }

  async latestCheckpoint(report?: (problem: string) => void): Promise<SavedCheckpoint | null> {
    const { found, problems } = await findCheckpoint(this.#checkpoints, this.run, this.#modelShape);
    if (found !== null) {
      // The process that wrote it may have been killed before it had done these.
      this.#recordCheckpoint(found.manifest);
      this.#keepNewest(found.checkpoint.state);
    }
    const step = found?.checkpoint.step ?? 0;
    for (const message of problems) {
      this.append({ type: "anomaly", step, kind: "broken-checkpoint", message });
      report?.(message);
    }
    return found?.checkpoint ?? null;
  }

  async checkpointOf(step: number): Promise<SavedCheckpoint | null> {
    const folder = join(this.#checkpoints, checkpointName(step));
    if (!checkpointSteps(this.#checkpoints).includes(step)) return null;
    const { state } = await readCheckpoint(folder);
    return { step, folder, state };
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
    this.#rewriteLog();
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
    const now = this.#host.now();
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
    // Should the disk be full here, the event is recorded all the same; opening the run writes the file anew.
    if (replaced) this.#rewriteLog();
    else this.#guardDisk(() => appendEventLines(this.#log, lines));
  }

  #rewriteLog(): void {
    this.#guardDisk(() => this.#translate(() => rewriteEventsLog(this.#log, this.#database, this.#runId)));
  }

  #writeRunFile(): void {
    const [run, config, trial, sources, created] = [this.run, this.#config, this.trial, this.#sources, this.#created];
    this.#guardDisk(() => writeRunFile(this.#folder, { run, config, trial, sources, created }), "run.json");
  }

  #guardDisk(work: () => void, file = "events.jsonl"): void {
    try {
      work();
    } catch (error) {
      throw diskError(this.run, `${file} was written`, error);
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
    if (this.#hasCheckpointEvent(step)) this.#transaction(() => rows(this.#host.now()));
    else this.#write([{ type: "checkpoint-saved", step, folder }], rows);
  }

  /** Removes checkpoints that are neither among the newest, up to this one, nor the best or to be kept. Newer ones are broken. */
  #keepNewest({ step: newest, best, keep }: LoopState): void {
    const steps = checkpointSteps(this.#checkpoints);
    const removed = steps
      .filter((step) => step <= newest)
      .slice(this.#config.keepCheckpoints)
      .filter((step) => step !== best?.step && step !== keep);
    for (const step of removed) removeCheckpoint(this.#checkpoints, step);
    // Rows follow the disk, so that a process killed between the two is made good.
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

  /** Bytes that the next checkpoint will take. */
  #expectedBytes(): number {
    const rows = this.#database.prepare(
      "SELECT bytes FROM checkpoints WHERE run_id = ? AND superseded = 0 ORDER BY step DESC LIMIT 1",
    );
    const last = this.#translate(() => firstRow<{ bytes: number }>(rows, this.#runId))?.bytes;
    return last ?? checkpointBytes(this.#config);
  }
}
