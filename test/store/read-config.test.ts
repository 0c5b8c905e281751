// What is recorded of a run's settings is checked like what a user gives.
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { configKeys } from "../../src/config/config.ts";
import { FileFormatError } from "../../src/errors.ts";
import { learningRateAt } from "../../src/learn/update.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
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
    const error = await errorOf(() => workspace.list());
    expect(error).toBeInstanceOf(FileFormatError);
    expect(String(error)).toContain(run.run);
    expect(String(error)).toContain(sentence);
  });
});
