// A workspace as an older version left it: one run finished, one interrupted, one killed.
import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { packageRoot } from "../../src/model/find-model.ts";
import { temporaryFolder } from "./scripted-parts.ts";

/** The workspace in a folder of its own. Runs remember where topic and model were: that is where the copy has them. */
function oldWorkspace(): string {
  const folder = temporaryFolder();
  cpSync(join(packageRoot, "test", "store", "fixtures", "workspace-be9f86a"), folder, { recursive: true });
  const database = new DatabaseSync(join(folder, "workspace", "sqlm.db"));
  database
    .prepare("UPDATE runs SET config = json_set(config, '$.topic', ?, '$.model', ?)")
    .run(join(folder, "digits.mjs"), join(folder, "model"));
  database.close();
  return join(folder, "workspace");
}

/** Plays a command in a workspace, as a process: the topic file imports this package by its name. */
const commandIn =
  (workspace: string) =>
  (...args: string[]) => {
    const command = [join(packageRoot, "bin", "sqlm.js"), ...args, "--workspace", workspace];
    const { status: code, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
    return { code, stdout, stderr };
  };

test("an older version's workspace opens, shows, resumes and goes on", () => {
  const workspace = oldWorkspace();
  const sqlm = commandIn(workspace);
  const listed = sqlm("list", "--json");
  const runs = (JSON.parse(listed.stdout) as { runs: { run: string; status: string; step: number }[] }).runs;
  expect(runs.map(({ status, step }) => [status, step])).toEqual([
    ["crashed", 3],
    ["interrupted", 4],
    ["finished", 4],
  ]);
  const [killed, interrupted, finished] = runs.map(({ run }) => run);

  const shown = sqlm("show", finished);
  expect(shown.stdout).toContain("finished at step 4 of 4");
  expect(sqlm("questions", finished, "--answers").stdout).toContain("13 of 13 questions.");
  const refused = sqlm("questions", finished, "--refused", "--json");
  expect((JSON.parse(refused.stdout) as { refused: object[] }).refused[0]).toMatchObject({
    kind: "malformed",
    reason: "malformed: not digits only",
    text: expect.stringMatching(/[PS]/),
  });

  for (const [run, from] of [
    [killed, 2],
    [interrupted, 4],
  ] as const) {
    const resumed = sqlm("resume", run);
    expect(resumed).toMatchObject({ code: 0, stdout: expect.stringContaining(`going on from step ${from}`) });
    expect(sqlm("show", run).stdout).toContain("finished at step 12 of 12");
  }
  expect(sqlm("resume", finished, "--steps", "6")).toMatchObject({ code: 0 });
  const { config } = JSON.parse(sqlm("show", finished, "--json").stdout) as { config: object };
  expect(config).toMatchObject({ steps: 6, proposerEntropyCoef: 0, repetitionPenalty: 0 });
});

test("a run of a newer version is listed, said to be one, and removed; the others go on", () => {
  const workspace = oldWorkspace();
  const sqlm = commandIn(workspace);
  const { runs } = JSON.parse(sqlm("list", "--json").stdout) as { runs: { run: string }[] };
  const [other, ...rest] = runs.map(({ run }) => run);
  const database = new DatabaseSync(join(workspace, "sqlm.db"));
  database.prepare("UPDATE runs SET config = json_set(config, '$.newSetting', 3) WHERE name = ?").run(other);
  database.close();
  const listed = sqlm("list");
  expect(listed.code).toBe(0);
  expect(listed.stdout).toMatch(new RegExp(`${other} +\\(settings of another version\\)`));
  expect(sqlm("show", rest[0]).code).toBe(0);
  expect(sqlm("show", other)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('unknown setting "newSetting"'),
  });
  expect(sqlm("gc", "--dry-run").stdout).toContain(`${other} was recorded by another version and was left alone`);
  const removed = sqlm("rm", other, "--yes");
  expect(removed).toMatchObject({ code: 0, stdout: expect.stringContaining("(settings of another version), crashed") });
  expect(sqlm("list", "--names").stdout.trim().split("\n")).toEqual(rest);
});
