import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { FollowedStore, type StoreChange } from "../../src/store/follow.ts";
import { listRuns } from "../../src/store/queries.ts";
import { removeRuns } from "../../src/store/remove-run.ts";
import { migrations } from "../../src/store/schema.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleStep } from "../../src/testing/example-step.ts";
import { newFolder, recordRun, step } from "../dashboard/example-workspace.ts";
import { exampleConfig } from "./helpers.ts";

/** Everything that a store tells from now on; `until` waits for something. */
function listen(store: FollowedStore) {
  const told: StoreChange[] = [];
  const stop = store.follow((change) => told.push(change));
  const until = async (is: (change: StoreChange) => boolean): Promise<StoreChange> => {
    for (let waited = 0; waited < 20_000; waited += 20) {
      const found = told.find(is);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`Not told within 20 seconds; told: ${JSON.stringify(told)}`);
  };
  return { told, stop, until };
}

test("tells every event once, in order, and nothing from before", async () => {
  const folder = newFolder();
  await using workspace = openWorkspace(folder);
  await using run = workspace.createRun(exampleConfig());
  run.append({ type: "run-start", run: run.run, fromStep: 0, steps: 9 });
  using store = new FollowedStore(folder);
  const { told, until, stop } = listen(store);
  for (let n = 1; n <= 5; n++) run.append({ type: "step-end", record: exampleStep(n) });
  run.append({ type: "run-end", step: 5, reason: "interrupted" });
  await until((change) => change.type === "event" && change.event === "run-end");
  expect(told.map((change) => change.type === "event" && [change.event, change.step])).toEqual([
    ...[1, 2, 3, 4, 5].map((n) => ["step-end", n]),
    ["run-end", 5],
  ]);
  stop();
  expect(store.lastEvent()).toBe(7);
});

test("tells that a run was killed", async () => {
  const folder = newFolder();
  const child: ChildProcess = spawn(
    process.execPath,
    [join(import.meta.dirname, "..", "dashboard", "live-run-child.ts"), folder, "1000", "20"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  try {
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    using store = new FollowedStore(folder);
    const { until } = listen(store);
    const { run } = (await until(({ type }) => type === "event")) as { run: string };
    child.kill("SIGKILL");
    expect(await until(({ type }) => type === "crashed")).toEqual({ type: "crashed", run });
  } finally {
    child.kill("SIGKILL");
  }
});

test("a store that is deleted, comes back, is replaced or belongs to a newer version: it is told, and read again", async () => {
  const folder = newFolder();
  const path = join(folder, "sqlm.db");
  using store = new FollowedStore(folder);
  const { told, until } = listen(store);
  // Nothing is there yet.
  expect(await until(({ type }) => type === "problem")).toMatchObject({
    message: expect.stringContaining("no workspace"),
  });
  expect(() => store.read(listRuns)).toThrow("no workspace");
  await recordRun(folder, { steps: 2 });
  await until(({ type }) => type === "reset");
  expect(store.read(listRuns)).toHaveLength(1);

  told.length = 0;
  const aside = newFolder();
  for (const name of ["sqlm.db", "sqlm.db-wal", "sqlm.db-shm"]) {
    try {
      renameSync(join(folder, name), join(aside, name));
    } catch {
      // Only the database itself is always there.
    }
  }
  await until(({ type }) => type === "problem");
  expect(() => store.read(listRuns)).toThrow("no workspace");

  // Another one in its place.
  told.length = 0;
  const other = newFolder();
  await recordRun(other, { steps: 2 });
  await recordRun(other, { steps: 3, config: { seed: 2 } });
  mkdirSync(folder, { recursive: true });
  cpSync(join(other, "sqlm.db"), path);
  await until(({ type }) => type === "reset");
  expect(store.read(listRuns)).toHaveLength(2);

  told.length = 0;
  const newer = new DatabaseSync(path);
  newer.exec(`PRAGMA user_version = ${migrations.length + 1}`);
  newer.close();
  expect(await until(({ type }) => type === "problem")).toMatchObject({
    message: expect.stringContaining("newer version"),
  });
  expect(() => store.read(listRuns)).toThrow("newer version");

  told.length = 0;
  // With its log, which would be taken for the other's.
  for (const name of [path, `${path}-wal`, `${path}-shm`]) rmSync(name, { force: true });
  cpSync(join(other, "sqlm.db"), path);
  await until(({ type }) => type === "reset");
  expect(store.read(listRuns)).toHaveLength(2);
});

test("many events at once are one word: read anew", async () => {
  const folder = newFolder();
  await using workspace = openWorkspace(folder);
  await using run = workspace.createRun(exampleConfig({ steps: 400 }));
  using store = new FollowedStore(folder);
  const { told, until } = listen(store);
  for (let n = 1; n <= 300; n++) {
    run.append({ type: "step-end", record: { ...step(n), groups: [], proposals: [] } });
  }
  await until(({ type }) => type === "reset" || type === "event");
  expect(told.length).toBeLessThan(300);
});

test("a run that is removed is told, and what is recorded afterwards too, although ids of events come again", async () => {
  const folder = newFolder();
  await recordRun(folder, { steps: 2 });
  const newest = await recordRun(folder, { steps: 3, config: { seed: 2 } });
  using store = new FollowedStore(folder);
  const { told, until } = listen(store);
  removeRuns(folder, [newest]);
  await until(({ type }) => type === "reset");
  told.length = 0;
  await recordRun(folder, { steps: 1, config: { seed: 3 } });
  await until((change) => change.type === "event" && change.event === "run-end");
  expect(told.filter((change) => change.type === "event" && change.event === "step-end")).toHaveLength(1);
});
