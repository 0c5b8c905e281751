// What is read of a run that goes on is of one moment: whoever looks while a step is recorded sees all of it or nothing.
import type { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import { readReport } from "../../src/dashboard/report-data.ts";
import { FollowedStore } from "../../src/store/follow.ts";
import { openReader, type Reader, runOverview } from "../../src/store/queries.ts";
import { summarizeRun } from "../../src/store/summarize-run.ts";
import { kindMap } from "../../src/store/view-kinds.ts";
import { findRuns, runState } from "../../src/store/view-runs.ts";
import { questionGrid, stepColumns } from "../../src/store/view-steps.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleEvaluation, exampleStep } from "../../src/testing/example-step.ts";
import { newFolder } from "../dashboard/example-workspace.ts";

const stepsBefore = 4;

/** Gives `work` a reader; before each of its queries another connection records a step. Returns how many it recorded. */
async function whileRecording(work: (reader: Reader, run: string, folder: string) => void): Promise<number> {
  const folder = newFolder();
  await using workspace = openWorkspace(folder);
  await using store = workspace.createRun(runConfigSchema.parse({ steps: 1000 }));
  store.append({ type: "run-start", run: store.run, fromStep: 0, steps: 1000 });
  store.append({ type: "evaluation-end", step: 0, evaluation: exampleEvaluation(0) });
  let steps = 0;
  const record = (): void => {
    steps++;
    store.append({ type: "step-end", record: exampleStep(steps, { questions: 3, groupSize: 4 }) });
  };
  while (steps < stepsBefore) record();
  using plain = openReader(folder);
  const database = new Proxy(plain.database, {
    get: (target, name) => {
      if (name === "prepare") {
        return (sql: string) => {
          record();
          return target.prepare(sql);
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as DatabaseSync;
  work({ ...plain, database }, store.run, folder);
  return steps - stepsBefore;
}

describe("while steps are recorded between its queries", () => {
  test("a grid has a column for each cell", async () => {
    const recorded = await whileRecording((reader, run) => {
      for (const scale of ["difficulty", "solveRate"] as const) {
        const { columns, rows, cells } = questionGrid(reader, run, scale);
        expect(Math.max(...cells.map(({ column }) => column))).toBe(columns.length - 1);
        expect(cells.every(({ row }) => rows[row] !== undefined)).toBe(true);
      }
    });
    expect(recorded).toBeGreaterThan(4);
  });

  test("columns of steps are of one length, and none is of a step that is not among them", async () => {
    await whileRecording((reader, run) => {
      const { steps, metrics, counts, stages, memoryBytes } = stepColumns(reader, run);
      const columns = [...Object.values(metrics), ...Object.values(counts), ...Object.values(stages), memoryBytes];
      for (const column of columns) expect(column).toHaveLength(steps.length);
    });
  });

  test("totals, maps and summaries agree with each other within one call", async () => {
    await whileRecording((reader, run) => {
      const { lastStep, totals } = runOverview(reader, run);
      expect(totals.steps).toBe(lastStep);
      const found = findRuns(reader);
      expect(found.runs).toHaveLength(found.total);
      const { columns, asked } = kindMap(reader, run);
      expect(asked).toHaveLength(columns.length);
      const state = runState(reader, run);
      expect(state.totals.steps).toBe(state.lastStep);
      expect(summarizeRun(reader, run, null).steps).toBeGreaterThan(state.lastStep);
    });
  });

  test("a report is of one moment from its first number to its last", async () => {
    await whileRecording((reader, run) => {
      const { compared, runs } = readReport(reader, [run]);
      const [{ state, steps }] = compared;
      const { numbers } = runs[0];
      expect(steps.steps.at(-1)).toBe(state.lastStep);
      expect(numbers.state).toEqual(state);
      expect(numbers.difficulty.columns).toHaveLength(state.lastStep);
      expect(numbers.solveRate.columns).toHaveLength(state.lastStep);
    });
  });

  test("what a follower reads in one go is of one moment, and the next of a later one", async () => {
    await whileRecording((reader, run, folder) => {
      using followed = new FollowedStore(folder);
      const last = (own: Reader): number => stepColumns(own, run).steps.at(-1) ?? 0;
      const [first, second] = followed.read((own) => {
        const before = last(own);
        // Any query of the other reader records a step.
        reader.database.prepare("SELECT 1");
        return [before, last(own)];
      });
      expect(second).toBe(first);
      expect(followed.read(last)).toBeGreaterThan(first);
    });
  });
});
