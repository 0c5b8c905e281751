// What is wrong with a folder or a file is said in one sentence, and what was recorded stays readable.
import { spawn } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { FileFormatError, RunStoppedError, UsageError } from "../../src/errors.ts";
import { openDatabase } from "../../src/store/database.ts";
import { thisHost } from "../../src/store/host.ts";
import { listRuns, openReader, runOverview } from "../../src/store/queries.ts";
import { migrations } from "../../src/store/schema.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { appendSteps, errorOf, exampleConfig, inFolder, stateAt, writeWeights } from "./helpers.ts";
import { readRun } from "./read-run.ts";

/** Makes a workspace with one run of 30 steps and closes it; returns the run's name. */
async function makeRun(folder: string): Promise<string> {
  await using workspace = openWorkspace(folder);
  await using run = workspace.createRun(exampleConfig());
  appendSteps(run, 1, 30);
  for (const step of [10, 20]) await run.saveCheckpoint(stateAt(step), writeWeights(step));
  return run.run;
}

describe("databases", () => {
  test("one from a newer version is refused, and left as it was", async () => {
    await inFolder(async (folder) => {
      await makeRun(folder);
      const path = join(folder, "sqlm.db");
      const database = new DatabaseSync(path);
      database.exec(`PRAGMA user_version = ${migrations.length + 1}`);
      database.close();
      for (const open of [() => openWorkspace(folder), () => openReader(folder)]) {
        const error = await errorOf(open);
        expect(error).toBeInstanceOf(FileFormatError);
        expect(String(error)).toContain("newer version");
      }
      const again = new DatabaseSync(path);
      expect(again.prepare("PRAGMA user_version").get()).toEqual({ user_version: migrations.length + 1 });
      again.close();
    });
  });

  test("the database of every older version opens, with all that is in it", async () => {
    await inFolder(async (folder) => {
      const fixtures = join(import.meta.dirname, "fixtures");
      const names = readdirSync(fixtures).filter((name) => name.endsWith(".db"));
      // One fixture for every version that was released.
      expect(names.sort()).toEqual(migrations.map((_, i) => `schema-v${i + 1}.db`).sort());
      for (const name of names) {
        const workspaceFolder = join(folder, name);
        mkdirSync(workspaceFolder);
        cpSync(join(fixtures, name), join(workspaceFolder, "sqlm.db"));
        await using workspace = openWorkspace(workspaceFolder);
        const [info, trial] = workspace.list();
        expect(info).toMatchObject({ lastStep: 3, status: "finished", trial: null });
        const recordedTrial = { experiment: "as it was", variant: "truth", control: "oracle" };
        expect(trial?.trial).toEqual(name === "schema-v1.db" ? undefined : recordedTrial);
        using reader = openReader(workspaceFolder);
        expect(runOverview(reader, info.run).totals).toMatchObject({ steps: 3, questions: 12, answers: 48 });
        await using run = workspace.openRun(info.run);
        const { steps, evaluations } = readRun(workspaceFolder, info.run);
        expect(steps.map((step) => step.groups.length)).toEqual([4, 4, 4]);
        for (const { question, verdict } of steps.flatMap(({ groups }) => groups)) {
          expect(verdict.problem === null, question.text).toBe(verdict.winner !== null);
          expect(verdict.successRate).toBe(verdict.agreement);
        }
        expect(evaluations.length).toBe(1);
        appendSteps(run, 4, 4);
      }
    });
  });

  test("the agreement of tests becomes that of the programs' outputs, as in the metrics", async () => {
    await inFolder(async (folder) => {
      const path = join(folder, "sqlm.db");
      const older = openDatabase(path, migrations.slice(0, 2));
      older.exec(`INSERT INTO runs (name, config, created, recorded, status) VALUES ('old', '{}', '', 0, 'finished');
        INSERT INTO steps (run_id, step, proposals, questions, answers, trained, seconds, recorded) VALUES (1, 1, 2, 2, 4, 2, 1, 0);`);
      const verdicts = [
        { kind: "tests", passed: [[true], [true]], meanPassFraction: 0.75, outputAgreement: 0.5 },
        { kind: "vote", agreement: 0.25 },
      ];
      const insert = older.prepare(
        `INSERT INTO questions (run_id, step_id, step, position, proposal, question, key, difficulty, agreement, signal,
           proposer_reward, verdict) VALUES (1, 1, 1, ?, ?, 'q', 'q', 1, ?, 'trained', 0, ?)`,
      );
      verdicts.forEach((verdict, i) => {
        insert.run(i, i, verdict.meanPassFraction ?? 0.25, JSON.stringify(verdict));
      });
      older.close();
      openDatabase(path).close();
      using reader = openReader(folder);
      const rows = reader.database.prepare("SELECT agreement FROM questions ORDER BY position").all();
      expect(rows.map((row) => row["agreement"])).toEqual([0.5, 0.25]);
    });
  });

  test("a migration that fails leaves the version before", async () => {
    await inFolder(async (folder) => {
      const path = join(folder, "sqlm.db");
      openDatabase(path).close();
      const next = [...migrations, "CREATE TABLE added (x INTEGER) STRICT; INSERT INTO added VALUES (1);"];
      const failing = [...migrations, "CREATE TABLE added (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);"];
      expect(() => openDatabase(path, failing)).toThrow("nowhere");
      const database = openDatabase(path, next);
      expect(database.prepare("SELECT x FROM added").get()).toEqual({ x: 1 });
      database.close();
      openDatabase(path, next).close();
      expect(await errorOf(() => openDatabase(path))).toBeInstanceOf(FileFormatError);
    });
  });

  test("a file that is not a database, and another program's, are refused", async () => {
    await inFolder(async (folder) => {
      writeFileSync(join(folder, "sqlm.db"), "This is text. ".repeat(1000));
      expect(await errorOf(() => openWorkspace(folder))).toBeInstanceOf(FileFormatError);
      rmSync(join(folder, "sqlm.db"));
      const other = new DatabaseSync(join(folder, "sqlm.db"));
      other.exec("CREATE TABLE notes (text TEXT)");
      other.close();
      const error = await errorOf(() => openWorkspace(folder));
      expect(error).toBeInstanceOf(FileFormatError);
      expect(String(error)).toContain("another program");
    });
  });

  test("a damaged page gives FileFormatError where it is met; runs, checkpoints and events.jsonl stay readable", async () => {
    await inFolder(async (folder) => {
      const name = await makeRun(folder);
      const path = join(folder, "sqlm.db");
      const pages = new DatabaseSync(path);
      const root = pages.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'questions'").get()?.["rootpage"];
      pages.close();
      const file = openSync(path, "r+");
      writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, (Number(root) - 1) * 4096);
      await using workspace = openWorkspace(folder);
      expect(workspace.info(name).lastStep).toBe(30);
      await using run = workspace.openRun(name);
      expect(await errorOf(() => readRun(folder, name))).toBeInstanceOf(FileFormatError);
      expect(await errorOf(() => appendSteps(run, 31, 31))).toBeInstanceOf(FileFormatError);
      using reader = openReader(folder);
      expect(runOverview(reader, name).totals.steps).toBe(30);
      expect((await run.latestCheckpoint())?.step).toBe(20);
      const lines = readFileSync(join(folder, "runs", name, "events.jsonl"), "utf8")
        .trimEnd()
        .split("\n");
      expect(lines.map((line) => JSON.parse(line).type).filter((type) => type === "step-end").length).toBe(30);
    });
  });

  test("a folder that cannot be a workspace is refused", async () => {
    await inFolder(async (folder) => {
      // The tests may run as root, whom permissions do not stop: files stand where folders should be.
      writeFileSync(join(folder, "file"), "");
      expect(await errorOf(() => openWorkspace(join(folder, "file")))).toBeInstanceOf(UsageError);
      expect(await errorOf(() => openWorkspace(join(folder, "file", "deeper")))).toBeInstanceOf(UsageError);
      mkdirSync(join(folder, "taken", "sqlm.db"), { recursive: true });
      expect(await errorOf(() => openWorkspace(join(folder, "taken")))).toBeInstanceOf(UsageError);
      expect(await errorOf(() => openReader(join(folder, "nowhere")))).toBeInstanceOf(UsageError);
    });
  });

  test.runIf(process.platform !== "win32")(
    "a folder that may only be read: no run, but what is there can be read",
    async () => {
      await inFolder(async (folder) => {
        const name = await makeRun(folder);
        for (const entry of ["", "sqlm.db", "runs", join("runs", name)]) chmodSync(join(folder, entry), 0o555);
        // Permissions do not stop root, so that a child gives up being root before it looks.
        const child = spawn(process.execPath, [join(import.meta.dirname, "read-only-child.ts"), folder, name], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        let output = "";
        child.stdout.on("data", (text) => {
          output += text;
        });
        await new Promise((resolve) => child.once("close", resolve));
        chmodSync(folder, 0o755);
        expect(JSON.parse(output)).toEqual({ steps: 30, status: "crashed", errors: ["UsageError", "UsageError"] });
      });
    },
  );
});

describe("the disk", () => {
  test("too little room is noticed before a checkpoint begins", async () => {
    await inFolder(async (folder) => {
      let free = 2 ** 40;
      await using workspace = openWorkspace(folder, { ...thisHost, freeBytes: async () => free });
      await using run = workspace.createRun(exampleConfig());
      appendSteps(run, 1, 2);
      await run.saveCheckpoint(stateAt(1), writeWeights(1));
      free = 2 ** 20;
      let began = false;
      const error = await errorOf(() =>
        run.saveCheckpoint(stateAt(2), async () => {
          began = true;
        }),
      );
      expect(error).toBeInstanceOf(RunStoppedError);
      expect(String((error as RunStoppedError).hint)).toContain(run.run);
      expect(began).toBe(false);
      expect((await run.latestCheckpoint())?.step).toBe(1);
    });
  });

  test("a disk that fills up while a checkpoint is written stops the run; the checkpoint before is whole", async () => {
    await inFolder(async (folder) => {
      await using workspace = openWorkspace(folder);
      await using run = workspace.createRun(exampleConfig());
      appendSteps(run, 1, 2);
      const { folder: good } = await run.saveCheckpoint(stateAt(1), writeWeights(1));
      const error = await errorOf(() =>
        run.saveCheckpoint(stateAt(2), async (target) => {
          await writeWeights(2)(target);
          const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
          throw new Error("The engine could not save.", { cause: full });
        }),
      );
      expect(error).toBeInstanceOf(RunStoppedError);
      expect(readdirSync(join(good, "..")).length).toBe(1);
      expect((await run.latestCheckpoint())?.step).toBe(1);
    });
  });

  test.runIf(process.platform !== "win32")(
    "a disk full in mid-step: that step is not there, those before are",
    async () => {
      await inFolder(async (folder) => {
        // A limit on file size fails the write where a full disk would, in the middle of a transaction.
        const script = join(import.meta.dirname, "append-child.ts");
        const child = spawn(
          "bash",
          ["-c", `ulimit -f 2000; exec "$0" "$@"`, process.execPath, script, folder, "1000"],
          {
            stdio: ["ignore", "pipe", "pipe"],
          },
        );
        let output = "";
        let errors = "";
        child.stdout.on("data", (text) => {
          output += text;
        });
        child.stderr.on("data", (text) => {
          errors += text;
        });
        const code = await new Promise((resolve) => child.on("close", resolve));
        expect(code).not.toBe(0);
        expect(errors).toContain("RunStoppedError");
        const acknowledged = [...output.matchAll(/^step (\d+)$/gm)].map((match) => Number(match[1]));
        expect(acknowledged.length).toBeGreaterThan(3);
        using reader = openReader(folder);
        const [info] = listRuns(reader);
        expect(info).toMatchObject({ lastStep: acknowledged.length, status: "crashed" });
        expect(runOverview(reader, info.run).totals.steps).toBe(acknowledged.length);
        await using workspace = openWorkspace(folder);
        await using run = workspace.openRun(info.run);
        const checkpoint = await run.latestCheckpoint();
        expect(checkpoint?.step).toBe(acknowledged.length - (acknowledged.length % 5));
      });
    },
  );
});

describe("checkpoints", () => {
  test("any file of a checkpoint truncated, changed or missing: the one before is used, and an anomaly says so", async () => {
    await inFolder(async (folder) => {
      const name = await makeRun(folder);
      const newest = join(folder, "runs", name, "checkpoints", "step-000020");
      const whole = join(folder, "whole");
      cpSync(newest, whole, { recursive: true });
      const damages: ((path: string) => void)[] = [
        (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
        (path) => truncateSync(path, 0),
        (path) => rmSync(path),
        (path) => {
          const bytes = readFileSync(path);
          bytes[bytes.length >> 1] ^= 0x10;
          writeFileSync(path, bytes);
        },
      ];
      await using workspace = openWorkspace(folder);
      await using run = workspace.openRun(name);
      let count = 0;
      for (const file of ["config.json", "manifest.json", "model.safetensors", "state.json"]) {
        for (const damage of damages) {
          rmSync(newest, { recursive: true });
          cpSync(whole, newest, { recursive: true });
          damage(join(newest, file));
          expect((await run.latestCheckpoint())?.step, file).toBe(10);
          count++;
        }
      }
      using reader = openReader(folder);
      run.rewindTo(10);
      const { anomalies } = runOverview(reader, name);
      expect(anomalies.length).toBe(count);
      expect(anomalies[0]).toMatchObject({ step: 10, kind: "broken-checkpoint" });
    });
  });

  test("extra files, and a checkpoint under another step's name, are noticed", async () => {
    await inFolder(async (folder) => {
      const name = await makeRun(folder);
      const parent = join(folder, "runs", name, "checkpoints");
      renameSync(join(parent, "step-000020"), join(parent, "step-000025"));
      await using workspace = openWorkspace(folder);
      await using run = workspace.openRun(name);
      expect((await run.latestCheckpoint())?.step).toBe(10);
    });
  });

  test("a checkpoint of another run or of another model is refused, not used and not skipped", async () => {
    await inFolder(async (folder) => {
      const name = await makeRun(folder);
      const target = join(folder, "runs", name, "checkpoints", "step-000025");
      await using workspace = openWorkspace(folder);
      {
        await using other = workspace.createRun(exampleConfig());
        appendSteps(other, 1, 25);
        const saved = await other.saveCheckpoint(stateAt(25), writeWeights(25, 16));
        cpSync(saved.folder, target, { recursive: true });
      }
      await using run = workspace.openRun(name);
      const foreign = await errorOf(() => run.latestCheckpoint());
      expect(foreign).toBeInstanceOf(FileFormatError);
      expect(String(foreign)).toContain("checkpoint of run");
      const manifest = readFileSync(join(target, "manifest.json"), "utf8");
      writeFileSync(join(target, "manifest.json"), manifest.replace(/"run": "[^"]*"/, `"run": "${name}"`));
      const another = await errorOf(() => run.latestCheckpoint());
      expect(another).toBeInstanceOf(FileFormatError);
      expect(String(another)).toContain("hidden_size=16");
    });
  });

  test("what a killed process left half written is removed, and a torn line of events.jsonl is made whole", async () => {
    await inFolder(async (folder) => {
      const name = await makeRun(folder);
      const runFolder = join(folder, "runs", name);
      mkdirSync(join(runFolder, "checkpoints", ".writing-step-000030"));
      writeFileSync(join(runFolder, "checkpoints", ".writing-step-000030", "model.safetensors"), "half");
      const before = readFileSync(join(runFolder, "events.jsonl"), "utf8");
      appendFileSync(join(runFolder, "events.jsonl"), '{"type":"step-e');
      await using workspace = openWorkspace(folder);
      await using _run = workspace.openRun(name);
      expect(readFileSync(join(runFolder, "events.jsonl"), "utf8")).toBe(before);
      expect(readdirSync(join(runFolder, "checkpoints")).sort()).toEqual(["step-000010", "step-000020"]);
    });
  });
});

test("a clock that goes back is an anomaly; order and numbering do not depend on it", async () => {
  await inFolder(async (folder) => {
    let now = Date.UTC(2026, 10, 22, 13, 4, 55);
    await using workspace = openWorkspace(folder, { ...thisHost, now: () => now });
    await using run = workspace.createRun(exampleConfig());
    expect(run.run).toBe("arithmetic-20261122-130455-s3");
    appendSteps(run, 1, 1);
    now -= 3_600_000;
    appendSteps(run, 2, 3);
    await using second = workspace.createRun(exampleConfig());
    expect(workspace.list().map((info) => info.run)).toEqual([run.run, second.run]);
    using reader = openReader(folder);
    const { anomalies, totals } = runOverview(reader, run.run);
    expect(totals.steps).toBe(3);
    expect(anomalies).toEqual([{ step: 1, kind: "clock", message: expect.stringContaining("3600 s") }]);
    now = Date.UTC(2026, 10, 22, 13, 4, 55);
    await using third = workspace.createRun(exampleConfig({ topic: "./my topics/Über-Topic.ts" }));
    await using fourth = workspace.createRun(exampleConfig({ topic: "./my topics/Über-Topic.ts" }));
    expect(third.run).toBe("ber-topic-20261122-130455-s3");
    expect(fourth.run).toBe("ber-topic-20261122-130455-s3-2");
  });
});

test("a run that another process has open is refused, and free again when that process is killed", async () => {
  await inFolder(async (folder) => {
    const script = join(import.meta.dirname, "append-child.ts");
    const child = spawn(process.execPath, [script, folder, "100000"], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.stdout.resume();
    await using workspace = openWorkspace(folder);
    const [info] = workspace.list();
    expect(info.status).toBe("running");
    const error = await errorOf(() => workspace.openRun(info.run));
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain("another process");
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    expect(workspace.info(info.run).status).toBe("crashed");
    await using run = workspace.openRun(info.run);
    expect(readRun(folder, run.run).steps.length).toBeGreaterThan(0);
  });
});
