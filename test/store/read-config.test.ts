// What is recorded of a run's settings is checked like what a user gives.
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { configKeys } from "../../src/config/config.ts";
import { FileFormatError } from "../../src/errors.ts";
import { learningRateAt } from "../../src/learn/update.ts";
import { collectGarbage } from "../../src/store/collect-garbage.ts";
import { listRuns, openReader, runOverview } from "../../src/store/queries.ts";
import { removeRuns } from "../../src/store/remove-run.ts";
import { findRuns } from "../../src/store/view-runs.ts";
import { openWorkspace, settingsOf } from "../../src/store/workspace.ts";
import { appendSteps, errorOf, exampleConfig, inFolder } from "./helpers.ts";

const fixtures = join(import.meta.dirname, "fixtures");

describe("settings of older versions", () => {
  test.each(readdirSync(fixtures).filter((name) => name.endsWith(".db")))(
    "%s gives whole configs, and its run goes on",
    async (name) => {
      await inFolder(async (folder) => {
        cpSync(join(fixtures, name), join(folder, "sqlm.db"));
        await using workspace = openWorkspace(folder);
        for (const { config } of workspace.list()) {
          expect(Object.keys(config).sort()).toEqual([...configKeys].sort());
          expect(config).toMatchObject({ proposerEntropyCoef: 0, repetitionPenalty: 0 });
          expect(Number.isFinite(learningRateAt(4, config))).toBe(true);
        }
        const [{ run, config }] = workspace.list();
        // The first schema did not know these; the second recorded what was in force.
        const asItWas = { learningRateSchedule: "constant", negativeAdvantageScale: 1 };
        if (name === "schema-v1.db") expect(config).toMatchObject(asItWas);
        else expect(config.learningRateSchedule).toBe("linear");
        mkdirSync(join(folder, "runs", run), { recursive: true });
        await using store = workspace.openRun(run);
        appendSteps(store, 4, 5);
      });
    },
  );
});

test.each([
  ["json_set(config, '$.groupsize', 3)", 'unknown setting "groupsize"'],
  ["json_remove(config, '$.repetitionPenalty')", '"repetitionPenalty" is missing'],
  ["json_set(config, '$.steps', 'many')", '"steps"'],
  ["json_set(config, '$.learningRate', -1)", '"learningRate"'],
  ["'{'", "not JSON"],
  ["'[]'", "expected object"],
])("a recorded config that is %s is refused with the run's name", async (change, sentence) => {
  await inFolder(async (folder) => {
    await using workspace = openWorkspace(folder);
    await using run = workspace.createRun(exampleConfig());
    const database = new DatabaseSync(join(folder, "sqlm.db"));
    database.exec(`UPDATE runs SET config = ${change}`);
    database.close();
    const error = await errorOf(() => workspace.info(run.run).config);
    expect(error).toBeInstanceOf(FileFormatError);
    expect(String(error)).toContain(run.run);
    expect(String(error)).toContain(sentence);
  });
});

describe.each([
  ["of a version with other settings", "json_set(config, '$.fromTheFuture', 3)"],
  ["that are no JSON", "'{'"],
])("a run with settings %s", (_, change) => {
  /** A workspace with a run that can be read and one that cannot, closed. */
  async function mixed(folder: string): Promise<{ readable: string; other: string }> {
    await using workspace = openWorkspace(folder);
    await using one = workspace.createRun(exampleConfig());
    await using two = workspace.createRun(exampleConfig({ seed: 4 }));
    appendSteps(one, 1, 2);
    appendSteps(two, 1, 2);
    const database = new DatabaseSync(join(folder, "sqlm.db"));
    database.exec(`UPDATE runs SET config = ${change} WHERE name = '${two.run}'`);
    database.close();
    return { readable: one.run, other: two.run };
  }

  test("is listed, and keeps nobody from the others", async () => {
    await inFolder(async (folder) => {
      const { readable, other } = await mixed(folder);
      await using workspace = openWorkspace(folder);
      expect(workspace.list().map(({ run, lastStep }) => [run, lastStep])).toEqual([
        [readable, 2],
        [other, 2],
      ]);
      expect(workspace.list().map((info) => settingsOf(info)?.seed)).toEqual([3, undefined]);
      using reader = openReader(folder);
      expect(runOverview(reader, readable).config.seed).toBe(3);
      expect(runOverview(reader, other).totals.steps).toBe(2);
      expect(findRuns(reader).runs.map(({ run }) => run)).toEqual([other, readable]);
      expect(await errorOf(() => runOverview(reader, other).config)).toBeInstanceOf(FileFormatError);
    });
  });

  test("is left alone by gc unless it is told how many checkpoints to keep, and can be removed", async () => {
    await inFolder(async (folder) => {
      const { readable, other } = await mixed(folder);
      const told = await collectGarbage(folder, { dryRun: true });
      expect([told.runs.map(({ run }) => run), told.unreadable]).toEqual([[readable], [other]]);
      const kept = await collectGarbage(folder, { dryRun: true, keepCheckpoints: 1 });
      expect([kept.runs.length, kept.unreadable]).toEqual([2, []]);
      removeRuns(folder, [other]);
      using reader = openReader(folder);
      expect(listRuns(reader).map(({ run }) => run)).toEqual([readable]);
    });
  });
});
