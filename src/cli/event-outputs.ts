// A run's events for other programs while it goes: JSON lines to a file or standard output, scalars for TensorBoard. Both
// can be had from the record at any later time too (events.jsonl, `sqlm export tensorboard`).
import { appendFileSync, closeSync, openSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import type { RunEvent } from "../events.ts";
import { eventLine } from "../store/events-log.ts";
import { makeFolder } from "../store/make-folder.ts";
import { openReader } from "../store/queries.ts";
import { exportTensorboard, levelScalars, metricScalars, tensorboardRecords } from "../store/tensorboard.ts";

export interface EventOutputOptions {
  /** A file to add lines to, or `-` for standard output. */
  readonly events?: string;
  /** Folder for event files, in a folder of the run's name. */
  readonly tensorboard?: string;
}

export interface EventOutputs extends Disposable {
  readonly onEvent: (event: RunEvent) => void;
}

/** Opens what the options ask for. Throws UsageError where it cannot be written, before any work. */
export function openEventOutputs({ events, tensorboard }: EventOutputOptions, workspace: string): EventOutputs {
  const lines = events === undefined ? null : openLines(events);
  const scalars = tensorboard === undefined ? null : openTensorboard(resolve(tensorboard), workspace);
  return {
    onEvent: (event) => {
      lines?.onEvent(event);
      scalars?.(event);
    },
    [Symbol.dispose]: () => lines?.close(),
  };
}

function openLines(target: string): { readonly onEvent: (event: RunEvent) => void; readonly close: () => void } {
  const lineOf = (event: RunEvent): string =>
    `${eventLine(event, event.type === "checkpoint-saved" ? event.folder : undefined)}\n`;
  if (target === "-") return { onEvent: (event) => process.stdout.write(lineOf(event)), close: () => {} };
  const path = resolve(target);
  const file = writable("--events", path, () => {
    makeFolder(dirname(path));
    return openSync(path, "a");
  });
  return { onEvent: (event) => writeSync(file, lineOf(event)), close: () => closeSync(file) };
}

/** Writes what the run has so far when it starts, so that a run that goes on has one curve, then adds to it. */
function openTensorboard(folder: string, workspace: string): (event: RunEvent) => void {
  writable("--tensorboard", folder, () => makeFolder(folder));
  let path: string | null = null;
  return (event) => {
    if (event.type === "run-start") {
      using reader = openReader(workspace);
      const ofRun = join(folder, event.run);
      makeFolder(ofRun);
      path = exportTensorboard(reader, event.run, ofRun);
    }
    if (path === null) return;
    const now = Date.now() / 1000;
    if (event.type === "step-end") {
      appendFileSync(path, tensorboardRecords(metricScalars(event.record.step, event.record.metrics, now)));
    }
    if (event.type === "evaluation-end") {
      appendFileSync(path, tensorboardRecords(levelScalars(event.step, event.evaluation.levels, now)));
    }
  };
}

function writable<Result>(option: string, path: string, open: () => Result): Result {
  try {
    return open();
  } catch (cause) {
    throw new UsageError(
      `${option}: ${path} cannot be written (${(cause as NodeJS.ErrnoException).code}).`,
      "Name a place that is yours to write.",
      { cause },
    );
  }
}
