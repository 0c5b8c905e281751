// The summary is read from the record alone, so a run that was killed and resumed has one summary, whoever reads it.
import { join } from "node:path";
import { expect, test } from "vitest";
import { thisHost } from "../../src/store/host.ts";
import { openReader } from "../../src/store/queries.ts";
import type { RunStore } from "../../src/store/store.ts";
import { summarizeRun } from "../../src/store/summarize-run.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleEvaluation, exampleStep } from "../../src/testing/example-step.ts";
import { exampleConfig, inFolder, stateAt, writeWeights } from "./helpers.ts";

test("seconds count what is kept and not the time between; the rest is that of steps and evaluations that are current", async () => {
  await inFolder(async (folder) => {
    let milliseconds = 1e12;
    const after = (seconds: number, work: () => void): void => {
      milliseconds += seconds * 1000;
      work();
    };
    const summary = (run: string, frontier: number | null) => {
      using reader = openReader(folder);
      return summarizeRun(reader, run, frontier);
    };
    const step = (run: RunStore, number: number, seed: number) => () =>
      run.append({ type: "step-end", record: exampleStep(number, { seed }) });
    const evaluation = exampleEvaluation(3);
    const frontier = evaluation.levels[0].difficulty;

    await using workspace = openWorkspace(folder, { ...thisHost, now: () => milliseconds });
    await using run = workspace.createRun(exampleConfig());
    expect(summary(run.run, frontier)).toEqual({
      ...{ run: run.run, checkpoint: "", steps: 0, seconds: 0, frontier, before: null, after: null, best: null },
      proposedDifficulty: { first: 0, last: 0 },
    });

    const start = (fromStep: number) => () => run.append({ type: "run-start", run: run.run, fromStep, steps: 3 });
    after(100, start(0));
    after(2, () => run.append({ type: "evaluation-end", step: 0, evaluation: exampleEvaluation(0) }));
    after(10.5, step(run, 1, 1));
    await run.saveCheckpoint(stateAt(1), writeWeights(1));
    // Lost: the run is killed in its third step, and goes on a day later from the first.
    after(1000, step(run, 2, 1));
    run.rewindTo(1);
    after(86_400, start(1));
    after(20, step(run, 2, 2));
    after(20, step(run, 3, 2));
    after(3, () => run.append({ type: "evaluation-end", step: 3, evaluation }));
    await run.saveCheckpoint(stateAt(3), writeWeights(3));

    const mean = (number: number, seed: number): number => {
      const difficulties = exampleStep(number, { seed }).groups.map(({ question }) => question.difficulty);
      return difficulties.reduce((sum, value) => sum + value, 0) / difficulties.length;
    };
    expect(summary(run.run, frontier)).toEqual({
      run: run.run,
      checkpoint: join(folder, "runs", run.run, "checkpoints", "step-000003"),
      steps: 3,
      seconds: 55.5,
      frontier,
      before: { levels: exampleEvaluation(0).levels },
      after: { levels: evaluation.levels },
      best: expect.objectContaining({ passAt1: expect.any(Number) }),
      proposedDifficulty: { first: mean(1, 1), last: mean(3, 2) },
    });
    expect(summary(run.run, null).best).toBeNull();
  });
});
