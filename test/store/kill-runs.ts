// Runs a child script that records a run into a folder, kills it with SIGKILL at random times, starts it again, and
// checks after each kill that all it acknowledged is recorded. The script prints `step N` once step N is recorded,
// `checkpoint N` once that is saved, and `done` at the end; started again, it goes on.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { randomStream } from "../../src/random.ts";
import { exportTables, tableRows, wallClockColumns } from "../../src/store/export.ts";
import { listRuns, openReader, type Reader } from "../../src/store/queries.ts";

export interface KillOptions {
  readonly script: string;
  /** Arguments after the folder. */
  readonly args: readonly string[];
  /** Kills that must land before the run is done; runs are started until they have. */
  readonly kills: number;
  readonly seed: number;
  /** A kill comes at a random time up to this long after the start, in milliseconds: starting up may be killed too. */
  readonly longestDelay: number;
}

/** Kills runs until `kills` have landed; every one that ends must equal one that was never killed. */
export async function killRuns(options: KillOptions): Promise<{ readonly runs: number }> {
  const random = randomStream("kill-runs", options.seed);
  const parent = mkdtempSync(join(tmpdir(), "sqlm-kill-"));
  try {
    const uninterrupted = join(parent, "uninterrupted");
    expect((await runChild(options, uninterrupted, null)).done).toBe(true);
    const expected = dumpWorkspace(uninterrupted);
    let landed = 0;
    let runs = 0;
    while (landed < options.kills) {
      const folder = join(parent, `run-${runs++}`);
      for (let done = false; !done; ) {
        const delay = landed < options.kills ? random.next() * options.longestDelay : null;
        const child = await runChild(options, folder, delay);
        checkAcknowledged(folder, child.steps, child.checkpoints);
        done = child.done;
        if (!done) landed++;
      }
      expect(dumpWorkspace(folder)).toEqual(expected);
      rmSync(folder, { recursive: true, force: true });
    }
    return { runs };
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

interface ChildResult {
  readonly done: boolean;
  readonly steps: readonly number[];
  readonly checkpoints: readonly number[];
}

/** Runs the script to its end, or kills it after `delay` milliseconds. */
function runChild(options: KillOptions, folder: string, delay: number | null): Promise<ChildResult> {
  const child = spawn(process.execPath, [options.script, folder, ...options.args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const timer = delay === null ? null : setTimeout(() => child.kill("SIGKILL"), delay);
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.on("close", (code, signal) => {
      if (timer !== null) clearTimeout(timer);
      if (code !== 0 && signal !== "SIGKILL") return reject(new Error(`The child ended with code ${code}.`));
      const numbers = (word: string): number[] =>
        [...output.matchAll(new RegExp(`^${word} (\\d+)\n`, "gm"))].map((match) => Number(match[1]));
      resolve({ done: code === 0, steps: numbers("step"), checkpoints: numbers("checkpoint") });
    });
  });
}

function checkAcknowledged(folder: string, steps: readonly number[], checkpoints: readonly number[]): void {
  if (!existsSync(join(folder, "sqlm.db"))) {
    expect(steps).toEqual([]);
    return;
  }
  using reader = openReader(folder);
  const integrity = reader.database.prepare("PRAGMA integrity_check").all();
  expect(integrity.map((row) => row["integrity_check"])).toEqual(["ok"]);
  const [run] = listRuns(reader);
  if (run === undefined) {
    expect(steps).toEqual([]);
    return;
  }
  const stored = [...tableRows(reader, "steps", { run: run.run })].map((row) => row["step"]);
  expect(stored).toEqual(Array.from({ length: stored.length }, (_, i) => i + 1));
  if (steps.length > 0) expect(stored.length).toBeGreaterThanOrEqual(Math.max(...steps));
  const last = checkpoints.at(-1);
  if (last !== undefined) {
    const name = `step-${String(last).padStart(6, "0")}`;
    expect(existsSync(join(folder, "runs", run.run, "checkpoints", name, "manifest.json"))).toBe(true);
  }
}

/** Everything that a workspace's one run recorded, wall-clock time and the run's name aside: rows, lines and files. */
function dumpWorkspace(folder: string): Readonly<Record<string, unknown>> {
  using reader = openReader(folder);
  const [{ run, status, lastStep }, ...others] = listRuns(reader);
  expect(others).toEqual([]);
  const tables = exportTables.map((table) => [table, dumpTable(reader, table, run)]);
  const runFolder = join(folder, "runs", run);
  const lines = readFileSync(join(runFolder, "events.jsonl"), "utf8").split("\n").slice(0, -1);
  const mirrored = [...tableRows(reader, "events")].map((row) => row["event"]);
  expect(lines.map((line) => JSON.parse(line))).toEqual(mirrored);
  return { status, lastStep, files: dumpFiles(join(runFolder, "checkpoints")), ...Object.fromEntries(tables) };
}

function dumpTable(reader: Reader, table: (typeof exportTables)[number], run: string): readonly string[] {
  const rows: string[] = [];
  if (table === "runs") return rows;
  for (const row of tableRows(reader, table)) {
    // How often a run was started and ended is what killing it changes.
    if (table === "events" && (row["type"] === "run-start" || row["type"] === "run-end")) continue;
    const text = JSON.stringify(row, (key, value) => (wallClockColumns.includes(key) ? 0 : value));
    rows.push(text.replaceAll(run, "RUN"));
  }
  return rows;
}

function dumpFiles(folder: string): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    // The manifest names the run; it is checked by every resume.
    if (!entry.isFile() || entry.name === "manifest.json") continue;
    files[path.slice(folder.length + 1)] = createHash("sha256").update(readFileSync(path)).digest("hex");
  }
  return files;
}
