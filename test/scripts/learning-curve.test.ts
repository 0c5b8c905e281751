// The learning curve: what it reads from a workspace of two short runs, and that the picture holds it.
import { expect, test } from "vitest";
import { type Curve, drawLearningCurve, readCurves } from "../../scripts/learning-curve.ts";
import { UsageError } from "../../src/errors.ts";
import { openReader } from "../../src/store/queries.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleStep } from "../../src/testing/example-step.ts";
import type { LevelResult } from "../../src/types.ts";
import { exampleConfig, inFolder } from "../store/helpers.ts";

function level(difficulty: number, passAt1: number): LevelResult {
  return { difficulty, passAt1, passAt1Interval: [0, 1], greedy: passAt1, majAt16: passAt1, questions: 9 };
}

/** A run of `steps` steps, evaluated at each, in which pass@1 of level 3 is `start + step / 10`. */
async function record(folder: string, seed: number, steps: number, start: number): Promise<string> {
  await using workspace = openWorkspace(folder);
  await using run = workspace.createRun(exampleConfig({ seed }));
  for (let step = 0; step <= steps; step++) {
    if (step > 0) {
      const example = exampleStep(step, { seed });
      const metrics = { ...example.metrics, agreement: 0.5 + start, difficulty: step };
      run.append({ type: "step-end", record: { ...example, metrics } });
    }
    const levels = [level(2, 0.9), level(3, start + step / 10)];
    run.append({ type: "evaluation-end", step, evaluation: { model: "m", topic: "arithmetic", levels } });
  }
  return run.run;
}

function expectCurve(curve: Curve | null, expected: Partial<Record<keyof Curve, unknown>>): void {
  for (const key of ["steps", "mean", "low", "high"] as const) {
    const values = expected[key] as readonly number[];
    expect(curve?.[key].map((value) => Number(value.toFixed(9)))).toEqual(values);
  }
}

test("curves are mean, lowest and highest over the runs, at the steps that all runs have", () =>
  inFolder(async (folder) => {
    const runs = [await record(folder, 1, 3, 0.2), await record(folder, 2, 2, 0.4)];
    using reader = openReader(folder);
    const curves = readCurves(reader, runs);
    expect(curves.levels.map(({ name }) => name)).toEqual(["2", "3"]);
    expectCurve(curves.levels[1], {
      steps: [0, 1, 2],
      mean: [0.3, 0.4, 0.5],
      low: [0.2, 0.3, 0.4],
      high: [0.4, 0.5, 0.6],
    });
    expectCurve(curves.agreement, { steps: [1, 2], mean: [0.8, 0.8], low: [0.7, 0.7], high: [0.9, 0.9] });
    expectCurve(curves.difficulty, { steps: [1, 2], mean: [1, 2], low: [1, 2], high: [1, 2] });
    expect(curves.labelAccuracy).toBeNull();

    const svg = drawLearningCurve(curves);
    expect(svg).toMatch(/^<svg [^>]*width="800"[^>]*height="620"/);
    for (const text of ["difficulty 2", "difficulty 3", "agreement", "mean of 2 runs"]) expect(svg).toContain(text);
    expect(svg).not.toContain("winner right");
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  }));

test("runs without a step in common, and unknown runs, are refused", () =>
  inFolder(async (folder) => {
    const run = await record(folder, 1, 1, 0.2);
    await using workspace = openWorkspace(folder);
    await using empty = workspace.createRun(exampleConfig({ seed: 2 }));
    using reader = openReader(folder);
    expect(() => readCurves(reader, [run, empty.run])).toThrow(/no evaluation in common/);
    expect(() => readCurves(reader, [`${run}x`])).toThrow(UsageError);
  }));
