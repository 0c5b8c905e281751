// Makes a lost or damaged database again from what lies beside it: run.json, events.jsonl and the checkpoints of each run.
// What a run added up to comes back: config, steps with their metrics, evaluations, guard events, anomalies, checkpoints.
// Questions, answers and proposals were in the database alone and do not; times are those of the steps, added up.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { SqlmError, UsageError } from "../errors.ts";
import type { RunEvent } from "../events.ts";
import { checkpointName, checkpointSteps, readCheckpoint } from "./checkpoint-files.ts";
import { openDatabase, transaction } from "./database.ts";
import { stepOf } from "./events-log.ts";
import { type EventWriter, prepareEventWriter } from "./record-event.ts";
import { type RunFile, readRunFile } from "./run-file.ts";
import { isRunLocked } from "./run-lock.ts";
import { applicationId } from "./schema.ts";

interface RebuiltRun {
  readonly run: string;
  readonly steps: number;
  readonly checkpoints: number;
  /** Lines of events.jsonl that could not be read. */
  readonly unreadable: number;
}

export interface RebuildReport {
  readonly runs: readonly RebuiltRun[];
  /** Folders that no run could be made of, each with the reason. */
  readonly skipped: readonly { readonly run: string; readonly reason: string }[];
  /** Where the database that was there lies now; null where there was none. */
  readonly movedTo: string | null;
}

/**
 * Makes the database of the workspace in `folder` anew; the one that is there is moved aside, never removed. Throws
 * UsageError where there is nothing to make it from, where a run is open in a process, and where the database is whole,
 * unless `force` is given.
 */
export async function rebuildDatabase(folder: string, { force = false } = {}): Promise<RebuildReport> {
  const path = join(folder, "sqlm.db");
  const runsFolder = join(folder, "runs");
  const names = existsSync(runsFolder) ? readdirSync(runsFolder).sort() : [];
  if (names.length === 0) {
    throw new UsageError(
      `${folder}: there are no runs here to make a database of.`,
      "Name the folder with --workspace.",
    );
  }
  const open = names.find((name) => isRunLocked(join(runsFolder, name)));
  if (open !== undefined) throw new UsageError(`Run ${open} is open in another process.`, "End that process first.");
  if (!force && isWhole(path)) {
    throw new UsageError(
      `${path} is whole: nothing has to be rebuilt.`,
      "--force makes it anew all the same; the new one has no questions and answers, the old one is kept beside it.",
    );
  }
  const found = names.map((name) => readRunFolder(join(runsFolder, name), name));
  const skipped = found.flatMap((one) => ("reason" in one ? [one] : []));
  // By the time at which they were made, as they were recorded.
  const recorded = found
    .flatMap((one) => ("reason" in one ? [] : [one]))
    .sort((a, b) => a.file.created.localeCompare(b.file.created));

  const aside = `${path}.rebuilding`;
  for (const end of databaseEnds) rmSync(aside + end, { force: true });
  const database = openDatabase(aside);
  const runs: RebuiltRun[] = [];
  try {
    const write = prepareEventWriter(database);
    for (const one of recorded) runs.push(await writeRun(database, write, join(runsFolder, one.file.run), one));
    database.exec("PRAGMA journal_mode = DELETE");
  } finally {
    database.close();
  }
  const movedTo = existsSync(path) ? freeName(`${path}.before-rebuild`) : null;
  if (movedTo !== null) {
    for (const end of databaseEnds) if (existsSync(path + end)) renameSync(path + end, movedTo + end);
  }
  renameSync(aside, path);
  return { runs, skipped, movedTo };
}

/** What SQLite adds to the name of a database for the files that it keeps beside it; the database itself is last. */
const databaseEnds = ["-wal", "-shm", ""];

/** True for a database of ours that passes SQLite's own check. */
function isWhole(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const ours = database.prepare("PRAGMA application_id").get()?.["application_id"] === applicationId;
      return ours && database.prepare("PRAGMA integrity_check").get()?.["integrity_check"] === "ok";
    } finally {
      database.close();
    }
  } catch {
    return false;
  }
}

function freeName(base: string): string {
  for (let copy = 1; ; copy++) {
    const name = copy === 1 ? base : `${base}-${copy}`;
    if (!existsSync(name)) return name;
  }
}

interface RunRecord {
  readonly file: RunFile;
  readonly events: readonly { readonly event: LoggedEvent; readonly line: string }[];
  readonly unreadable: number;
}

/** An event as its line has it: of a step its numbers. */
type LoggedEvent = Exclude<RunEvent, { type: "step-end" }> | LoggedStep;
type LoggedStep = z.output<typeof stepSchema>;

const count = z.number().int().min(0);
const stepSchema = z.object({
  type: z.literal("step-end"),
  step: count,
  seconds: z.number(),
  proposals: count,
  questions: count,
  answers: count,
  trained: count,
  // JSON has no NaN: it was written as null.
  metrics: z.record(z.string(), z.number().nullable()),
});
const text = z.string();
const level = z.object({
  difficulty: z.number(),
  passAt1: z.number(),
  passAt1Interval: z.tuple([z.number(), z.number()]),
  greedy: z.number(),
  majAt16: z.number(),
  questions: count,
});
const eventSchema = z.discriminatedUnion("type", [
  stepSchema,
  z.object({ type: z.literal("run-start"), run: text, fromStep: count, steps: count }),
  z.object({
    type: z.literal("evaluation-end"),
    step: count,
    evaluation: z.object({ model: text, topic: text, levels: z.array(level) }),
  }),
  z.object({ type: z.literal("checkpoint-saved"), step: count, folder: text }),
  z.object({ type: z.literal("anomaly"), step: count, kind: text, message: text }),
  z.object({ type: z.literal("guard"), step: count, detector: text, action: text, message: text }),
  z.object({
    type: z.literal("run-end"),
    step: count,
    reason: z.enum(["finished", "interrupted", "stopped"]),
    message: text.exactOptional(),
  }),
]);

function readRunFolder(folder: string, run: string): RunRecord | { readonly run: string; readonly reason: string } {
  try {
    const file = readRunFile(folder);
    if (file === null) return { run, reason: "it has no run.json: it was last opened by an older version" };
    if (file.run !== run) return { run, reason: `its run.json is that of ${file.run}` };
    const path = join(folder, "events.jsonl");
    const lines = existsSync(path)
      ? readFileSync(path, "utf8")
          .split("\n")
          .filter((line) => line !== "")
      : [];
    const events = lines.flatMap((line) => {
      const event = readEvent(line);
      return event === null ? [] : [{ event, line }];
    });
    return { file, events, unreadable: lines.length - events.length };
  } catch (error) {
    if (error instanceof SqlmError) return { run, reason: error.message };
    throw error;
  }
}

function readEvent(line: string): LoggedEvent | null {
  try {
    return eventSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    // Torn by a process that was killed.
    return null;
  }
}

async function writeRun(
  database: DatabaseSync,
  write: EventWriter,
  folder: string,
  { file, events, unreadable }: RunRecord,
): Promise<RebuiltRun> {
  const checkpoints: { step: number; bytes: number; shape: string | null }[] = [];
  for (const step of checkpointSteps(join(folder, "checkpoints")).reverse()) {
    const one = join(folder, "checkpoints", checkpointName(step));
    // What is broken is skipped here as it is on resume, which says so.
    const whole = await readCheckpoint(one).catch(() => null);
    if (whole === null) continue;
    const { files, modelShape } = whole.manifest;
    checkpoints.push({ step, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), shape: modelShape });
  }
  let now = Date.parse(file.created);
  let steps = 0;
  transaction(database, () => {
    const id = insertRun(database, file, checkpoints.at(-1)?.shape ?? null);
    const insertEvent = database.prepare(
      "INSERT INTO events (run_id, step, type, json, recorded) VALUES (?, ?, ?, ?, ?)",
    );
    const insertStep = database.prepare(
      "INSERT INTO steps (run_id, step, proposals, questions, answers, trained, seconds, recorded) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    );
    const insertMetric = database.prepare("INSERT INTO metrics (step_id, name, value) VALUES (?, ?, ?)");
    for (const { event, line } of events) {
      if (event.type === "step-end") {
        // Steps come in order, each once; a line that cannot be read leaves a gap.
        if (event.step <= steps) continue;
        steps = event.step;
        now += event.seconds * 1000;
        const { step, proposals, questions, answers, trained, seconds } = event;
        const row = insertStep.run(id, step, proposals, questions, answers, trained, seconds, Math.round(now));
        for (const [name, value] of Object.entries(event.metrics)) insertMetric.run(row.lastInsertRowid, name, value);
      } else write(id, event, Math.round(now));
      const step = event.type === "step-end" ? event.step : stepOf(event);
      insertEvent.run(id, step, event.type, line, Math.round(now));
    }
    const insertCheckpoint = database.prepare(
      "INSERT INTO checkpoints (run_id, step, folder, bytes, recorded) VALUES (?, ?, ?, ?, ?)",
    );
    for (const { step, bytes } of checkpoints) {
      insertCheckpoint.run(id, step, `runs/${file.run}/checkpoints/${checkpointName(step)}`, bytes, Math.round(now));
    }
    database
      .prepare("UPDATE runs SET last_step = ?, recorded = ? WHERE id = ?")
      .run(Math.max(steps, checkpoints.at(-1)?.step ?? 0), Math.round(now), id);
  });
  return { run: file.run, steps, checkpoints: checkpoints.length, unreadable };
}

function insertRun(database: DatabaseSync, file: RunFile, shape: string | null): number {
  const { run, config, trial, sources, created } = file;
  const row = database
    .prepare(
      `INSERT INTO runs (name, config, created, recorded, status, experiment, variant, control, sources, model_shape)
         VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?)`,
    )
    .run(
      run,
      JSON.stringify(config),
      created,
      Date.parse(created),
      ...[trial?.experiment ?? null, trial?.variant ?? null, trial?.control ?? null],
      sources === null ? null : JSON.stringify(sources),
      shape,
    );
  return Number(row.lastInsertRowid);
}
