// What nothing shows any more goes, and nothing else: no row that a query gives, no checkpoint that a run can go on from.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { FileFormatError, SqlmError, UsageError } from "../../src/errors.ts";
import { collectGarbage, type GarbageReport } from "../../src/store/collect-garbage.ts";
import { findQuestions, openReader, runOverview } from "../../src/store/queries.ts";
import { steppedTables } from "../../src/store/schema.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleEvaluation } from "../../src/testing/example-step.ts";
import { appendSteps, errorOf, exampleConfig, inFolder, stateAt, writeWeights } from "./helpers.ts";

/** A run with a checkpoint of each of its steps, the best of them that of step 2; returns its checkpoints folder. */
async function makeCheckpoints(folder: string, steps: number): Promise<string> {
  await using workspace = openWorkspace(folder);
  await using run = workspace.createRun(exampleConfig({ keepCheckpoints: 100 }));
  appendSteps(run, 1, steps);
  for (let step = 1; step <= steps; step++) {
    const best = step < 2 ? null : { step: 2, passAt1: 0.5 };
    await run.saveCheckpoint({ ...stateAt(step), best }, writeWeights(step));
  }
  return join(folder, "runs", run.run, "checkpoints");
}

/** A run that recorded 6 steps, was killed, and went on from step 2 to step 4; returns its name. */
async function makeSuperseded(folder: string): Promise<string> {
  await using workspace = openWorkspace(folder);
  await using run = workspace.createRun(exampleConfig());
  appendSteps(run, 1, 2);
  await run.saveCheckpoint(stateAt(2), writeWeights(2));
  appendSteps(run, 3, 6);
  run.append({ type: "evaluation-end", step: 6, evaluation: exampleEvaluation(6) });
  run.append({ type: "anomaly", step: 6, kind: "example", message: "gone" });
  run.append({ type: "guard", step: 6, detector: "example", action: "none", message: "gone" });
  run.rewindTo(2);
  appendSteps(run, 3, 4, 2);
  return run.run;
}

const foldersOf = ({ runs }: GarbageReport): string[] =>
  runs.flatMap(({ folders }) => folders.map((one) => basename(one)));

/** How many rows each table has, and how many belong to no row of the table that they should belong to. */
function countRows(folder: string): { superseded: number; orphans: number; all: Record<string, number> } {
  const database = new DatabaseSync(join(folder, "sqlm.db"));
  const count = (from: string): number => Number(database.prepare(`SELECT count(*) AS n FROM ${from}`).get()?.["n"]);
  const orphans = [
    "answers WHERE question_id NOT IN (SELECT id FROM questions)",
    "prompts WHERE question_id NOT IN (SELECT id FROM questions)",
    "questions WHERE step_id NOT IN (SELECT id FROM steps)",
    "metrics WHERE step_id NOT IN (SELECT id FROM steps)",
    "proposals WHERE step_id NOT IN (SELECT id FROM steps)",
  ];
  const names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
  const sum = (from: readonly string[]): number => from.map(count).reduce((total, n) => total + n, 0);
  const result = {
    superseded: sum(steppedTables.map((table) => `${table} WHERE superseded = 1`)),
    orphans: sum(orphans),
    all: Object.fromEntries(names.all().map(({ name }) => [String(name), count(String(name))])),
  };
  database.close();
  return result;
}

describe("checkpoints", () => {
  test.each([
    [1, ["step-000002", "step-000005"]],
    [2, ["step-000002", "step-000004", "step-000005"]],
    [4, ["step-000002", "step-000003", "step-000004", "step-000005"]],
    [9, ["step-000001", "step-000002", "step-000003", "step-000004", "step-000005"]],
  ])("the %d newest and the best are kept", async (keepCheckpoints, kept) => {
    await inFolder(async (folder) => {
      const checkpoints = await makeCheckpoints(folder, 5);
      const all = readdirSync(checkpoints);
      const dry = await collectGarbage(folder, { dryRun: true, keepCheckpoints });
      expect(readdirSync(checkpoints)).toEqual(all);
      const done = await collectGarbage(folder, { dryRun: false, keepCheckpoints });
      expect(done.runs).toEqual(dry.runs);
      expect(readdirSync(checkpoints).sort()).toEqual(kept);
      expect(foldersOf(done).sort()).toEqual(all.filter((name) => !kept.includes(name)).sort());
      expect(done.runs[0].bytes > 0).toBe(kept.length < 5);
      using reader = openReader(folder);
      const { checkpoints: listed } = runOverview(reader, done.runs[0].run);
      expect(listed.map(({ folder: one }) => basename(one))).toEqual(kept);
      expect(foldersOf(await collectGarbage(folder, { dryRun: false, keepCheckpoints }))).toEqual([]);
    });
  });

  test("a broken one takes no place of a whole one; where none is whole, all stay", async () => {
    await inFolder(async (folder) => {
      const checkpoints = await makeCheckpoints(folder, 5);
      truncateSync(join(checkpoints, "step-000005", "model.safetensors"), 3);
      await collectGarbage(folder, { dryRun: false, keepCheckpoints: 1 });
      expect(readdirSync(checkpoints).sort()).toEqual(["step-000002", "step-000004", "step-000005"]);
      for (const name of readdirSync(checkpoints)) truncateSync(join(checkpoints, name, "model.safetensors"), 3);
      const report = await collectGarbage(folder, { dryRun: false, keepCheckpoints: 1 });
      expect(foldersOf(report)).toEqual([]);
      expect(readdirSync(checkpoints)).toHaveLength(3);
    });
  });

  test("what a killed process left half written or half removed goes; a file that someone put there stays", async () => {
    await inFolder(async (folder) => {
      const checkpoints = await makeCheckpoints(folder, 2);
      for (const name of [".writing-step-000003", ".removing-step-000001"]) {
        mkdirSync(join(checkpoints, name));
        writeFileSync(join(checkpoints, name, "model.safetensors"), "half");
      }
      writeFileSync(join(checkpoints, ".notes"), "mine");
      const report = await collectGarbage(folder, { dryRun: false });
      expect(report.runs[0].bytes).toBe(8);
      expect(readdirSync(checkpoints).sort()).toEqual([".notes", "step-000001", "step-000002"]);
    });
  });
});

describe("rows", () => {
  test("superseded ones go, with all that belongs to them; every query gives what it gave before", async () => {
    await inFolder(async (folder) => {
      const name = await makeSuperseded(folder);
      const seen = () => {
        using reader = openReader(folder);
        const { supersededSteps, ...overview } = runOverview(reader, name);
        return { supersededSteps, overview, questions: findQuestions(reader, name, { limit: 1000 }) };
      };
      const before = { seen: seen(), rows: countRows(folder) };
      expect(before.seen.supersededSteps).toBe(4);
      expect(before.rows.superseded).toBeGreaterThan(0);

      const dry = await collectGarbage(folder, { dryRun: true });
      expect({ seen: seen(), rows: countRows(folder) }).toEqual(before);
      expect(dry.databaseBytes).toBe(0);

      const done = await collectGarbage(folder, { dryRun: false });
      expect(done.runs).toEqual(dry.runs);
      const after = { seen: seen(), rows: countRows(folder) };
      expect(after.seen).toEqual({ ...before.seen, supersededSteps: 0 });
      expect(after.rows).toMatchObject({ superseded: 0, orphans: 0 });
      const total = (all: Record<string, number>): number => Object.values(all).reduce((sum, n) => sum + n, 0);
      expect(total(before.rows.all) - total(after.rows.all)).toBe(done.runs[0].rows);
      expect(done.databaseBytes).toBeGreaterThanOrEqual(0);
      expect((await collectGarbage(folder, { dryRun: false })).runs[0].rows).toBe(0);
    });
  });

  test("only those of the run that is named; an unknown one is refused with the nearest", async () => {
    await inFolder(async (folder) => {
      const [first, second] = [await makeSuperseded(folder), await makeSuperseded(folder)];
      expect((await collectGarbage(folder, { dryRun: false, run: second })).runs.map(({ run }) => run)).toEqual([
        second,
      ]);
      using reader = openReader(folder);
      expect([first, second].map((name) => runOverview(reader, name).supersededSteps)).toEqual([4, 0]);
      const error = await errorOf(() => collectGarbage(folder, { dryRun: false, run: `${first}x` }));
      expect(error).toBeInstanceOf(UsageError);
      expect((error as UsageError).hint).toContain(first);
    });
  });
});

describe("locks", () => {
  test("a run that a living process has open is left alone, others are not", async () => {
    await inFolder(async (folder) => {
      const still = await makeSuperseded(folder);
      // Its own process: it appends to the oldest run, which is this one.
      const script = join(import.meta.dirname, "append-child.ts");
      const child = spawn(process.execPath, [script, folder, "100000"], { stdio: ["ignore", "pipe", "inherit"] });
      await new Promise((resolve) => child.stdout.once("data", resolve));
      child.stdout.resume();
      const other = await makeSuperseded(folder);
      const supersededSteps = (): number[] => {
        using reader = openReader(folder);
        return [still, other].map((name) => runOverview(reader, name).supersededSteps);
      };
      const [before] = supersededSteps();
      expect(before).toBeGreaterThan(0);
      try {
        const report = await collectGarbage(folder, { dryRun: false });
        expect(report).toMatchObject({ busy: [still], databaseBytes: 0, runs: [{ run: other }] });
        expect(report.runs[0].rows).toBeGreaterThan(0);
        expect(supersededSteps()).toEqual([before, 0]);
      } finally {
        child.kill("SIGKILL");
        await new Promise((resolve) => child.once("exit", resolve));
      }
      expect(await collectGarbage(folder, { dryRun: false })).toMatchObject({ busy: [], runs: [{ run: still }, {}] });
    });
  });

  test("a lock that cannot be used is an error, not a run that is busy", async () => {
    await inFolder(async (folder) => {
      const name = await makeSuperseded(folder);
      const lock = join(folder, "runs", name, "lock");
      rmSync(lock);
      writeFileSync(lock, "This is text. ".repeat(1000));
      expect(await errorOf(() => collectGarbage(folder, { dryRun: false }))).toBeInstanceOf(FileFormatError);
      rmSync(lock);
      mkdirSync(lock);
      expect(await errorOf(() => collectGarbage(folder, { dryRun: false }))).toBeInstanceOf(SqlmError);
      expect(countRows(folder).superseded).toBeGreaterThan(0);
    });
  });

  test("rows of a run whose folder someone removed go, and no folder is made", async () => {
    await inFolder(async (folder) => {
      const name = await makeSuperseded(folder);
      rmSync(join(folder, "runs", name), { recursive: true });
      const { busy, runs } = await collectGarbage(folder, { dryRun: false });
      expect({ busy, folders: runs[0].folders }).toEqual({ busy: [], folders: [] });
      expect(countRows(folder)).toMatchObject({ superseded: 0, orphans: 0 });
      expect(existsSync(join(folder, "runs", name))).toBe(false);
    });
  });
});
