// `events.jsonl`: one line an event, without tokens, for scripts and people. It mirrors the `events` table, which is
// what counts: opening a run writes the file anew, so a line that a killed process tore or missed is whole again.
import { appendFileSync, closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { RunEvent } from "../events.ts";
import { eachRow } from "./database.ts";
import { countStep } from "./record-step.ts";

/** The step that an event belongs to when a run is rewound. */
export function stepOf(event: RunEvent): number {
  if (event.type === "run-start") return event.fromStep;
  return event.type === "step-end" ? event.record.step : event.step;
}

/** An event as one line: of a step its numbers, without questions and answers. `folder` of a checkpoint as given. */
export function eventLine(event: RunEvent, folder?: string): string {
  if (event.type === "step-end") {
    const { record } = event;
    const signals: Record<string, number> = {};
    for (const { signal } of record.groups) signals[signal] = (signals[signal] ?? 0) + 1;
    return JSON.stringify({
      type: event.type,
      step: record.step,
      seconds: record.seconds,
      ...countStep(record),
      signals,
      metrics: record.metrics,
    });
  }
  return JSON.stringify(event.type === "checkpoint-saved" ? { ...event, folder } : event);
}

/** Writes the file anew from the database, aside, and renames it into place. */
export function rewriteEventsLog(path: string, database: DatabaseSync, runId: number): void {
  const aside = `${path}.writing`;
  const file = openSync(aside, "w");
  try {
    const lines = database.prepare("SELECT json FROM events WHERE run_id = ? AND superseded = 0 ORDER BY id");
    for (const row of eachRow<{ json: string }>(lines, runId)) writeSync(file, `${row.json}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(aside, path);
}

export function appendEventLines(path: string, lines: readonly string[]): void {
  appendFileSync(path, lines.map((line) => `${line}\n`).join(""));
}
