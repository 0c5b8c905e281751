// What a dashboard reads: pages of runs, columns over steps, grids of questions, one question token by token.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findQuestions, openReader } from "../../src/store/queries.ts";
import { kindMap, kindOf } from "../../src/store/view-kinds.ts";
import { questionAt, shownTokens, stepAt, tokenText } from "../../src/store/view-question.ts";
import { findExperiments, findRuns, runState } from "../../src/store/view-runs.ts";
import { questionGrid, stepColumns } from "../../src/store/view-steps.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleStep } from "../../src/testing/example-step.ts";
import { decode, newFolder, recordRun, step } from "../dashboard/example-workspace.ts";
import { exampleConfig } from "./helpers.ts";

describe("runs", () => {
  test("are found by page, newest first, by any word about them", async () => {
    const folder = newFolder();
    const names: string[] = [];
    for (const seed of [1, 2, 3]) names.push(await recordRun(folder, { config: { seed }, steps: 3 }));
    const trial = { experiment: "My Controls", variant: "truth", control: "oracle" };
    names.push(await recordRun(folder, { config: { topic: "algebra" }, trial, steps: 3 }));
    using reader = openReader(folder);
    const { total, runs } = findRuns(reader, { limit: 2, offset: 1 });
    expect(total).toBe(4);
    expect(runs.map(({ run }) => run)).toEqual([names[2], names[1]]);
    expect(runs[0]).toMatchObject({ seed: 3, status: "finished", lastStep: 3, curveOf: "labelAccuracy" });
    expect(runs[0].before?.step).toBe(0);
    expect(runs[0].after?.step).toBe(3);
    expect(runs[0].curve).toHaveLength(3);
    for (const text of ["ALGEBRA", "controls", "Truth", "oracle", names[3]]) {
      expect(findRuns(reader, { text }).runs.map(({ run }) => run)).toEqual([names[3]]);
    }
    expect(findRuns(reader, { text: "100%_'" }).total).toBe(0);
    expect(findRuns(reader, { experiment: "My Controls" }).total).toBe(1);
    expect(findExperiments(reader)).toEqual([
      { experiment: "My Controls", runs: 1, variants: [{ variant: "truth", control: "oracle", runs: 1 }] },
    ]);
  });

  test("one that says it runs while nobody has it open was killed", async () => {
    const folder = newFolder();
    const run = await recordRun(folder, { steps: 2, end: false });
    using reader = openReader(folder);
    expect(findRuns(reader).runs[0].status).toBe("crashed");
    expect(runState(reader, run)).toMatchObject({ status: "crashed", ended: null, knowsTruth: true });
  });

  test("10,000 of them cost a page what 50 cost", async () => {
    const folder = newFolder();
    await recordRun(folder, { steps: 2 });
    const database = new DatabaseSync(join(folder, "sqlm.db"));
    database.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
      INSERT INTO runs (name, config, created, recorded, status) SELECT 'copy-' || i, (SELECT config FROM runs LIMIT 1), '', 0, 'running' FROM n`);
    database.close();
    using reader = openReader(folder);
    const { total, runs } = findRuns(reader, { limit: 50, offset: 9_960 });
    expect(total).toBe(10_001);
    expect(runs).toHaveLength(41);
    expect(runs[0].status).toBe("crashed");
    expect(findRuns(reader, { text: "copy-9999" }).total).toBe(1);
    expect(runState(reader, "copy-77").lastStep).toBe(0);
  });
});

describe("columns over steps", () => {
  test("are the metrics themselves, and means where there are more steps than points", async () => {
    const folder = newFolder();
    const run = await recordRun(folder, { steps: 12 });
    using reader = openReader(folder);
    const whole = stepColumns(reader, run);
    expect(whole.every).toBe(1);
    expect(whole.steps).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(whole.metrics["agreement"]).toEqual(whole.steps.map((n) => step(n).metrics["agreement"]));
    expect(whole.stages["solve"]?.every((seconds) => seconds === 0.8)).toBe(true);
    expect(whole.memoryBytes[0]).toBe(5e8);
    expect(whole.counts.answers[0]).toBe(48);
    const later = stepColumns(reader, run, { from: 11, names: ["difficulty"] });
    expect(later.steps).toEqual([11, 12]);
    expect(Object.keys(later.metrics)).toEqual(["difficulty"]);
    const coarse = stepColumns(reader, run, { points: 5 });
    expect(coarse.every).toBe(3);
    expect(coarse.steps).toEqual([1, 4, 7, 10]);
    expect(coarse.metrics["difficulty"]?.[0]).toBeCloseTo(3 + 2 / 50);
  });

  test("a step without a metric, and one that is not a number, is a gap", async () => {
    const folder = newFolder();
    await using workspace = openWorkspace(folder);
    await using run = workspace.createRun(exampleConfig());
    run.append({ type: "step-end", record: { ...exampleStep(1), metrics: { a: 1, bad: Number.NaN } } });
    run.append({ type: "step-end", record: { ...exampleStep(2), metrics: { bad: Number.POSITIVE_INFINITY, b: 2 } } });
    using reader = openReader(folder);
    expect(stepColumns(reader, run.run).metrics).toEqual({ a: [1, null], bad: [null, null], b: [null, 2] });
    expect(stepColumns(reader, run.run).stages).toEqual({});
  });
});

describe("questions counted", () => {
  test("every question is in one cell of each grid, and in one kind", async () => {
    const folder = newFolder();
    const run = await recordRun(folder, { steps: 30 });
    using reader = openReader(folder);
    const { total } = findQuestions(reader, run);
    for (const scale of ["difficulty", "solveRate"] as const) {
      const { columns, rows, cells } = questionGrid(reader, run, scale, 7);
      expect(cells.reduce((sum, { questions }) => sum + questions, 0)).toBe(total);
      expect(columns.at(-1)?.[1]).toBe(30);
      for (const { row, column, questions } of cells) {
        const [[from, to], [low, high]] = [columns[column], rows[row]];
        const filter =
          scale === "difficulty"
            ? { minDifficulty: low, maxDifficulty: high }
            : // The upper end belongs to the next row, but for the last.
              { minAgreement: low - 1e-12, maxAgreement: row === rows.length - 1 ? 1 : high - 1e-9 };
        expect(findQuestions(reader, run, { fromStep: from, toStep: to, ...filter }).total).toBe(questions);
      }
    }
    const map = kindMap(reader, run, { most: 1, columns: 7 });
    expect(map.kinds[0].kind).toBe("#+#=");
    expect(map.kinds[0].questions + map.otherQuestions).toBe(total);
    expect(map.kinds[0].counts.reduce((sum, n) => sum + n, 0)).toBe(map.kinds[0].questions);
    expect(map.asked.reduce((sum, n) => sum + n, 0)).toBe(total);
  });

  test("a scale of many values is cut into ranges; an empty run is empty", async () => {
    const folder = newFolder();
    await using workspace = openWorkspace(folder);
    await using run = workspace.createRun(exampleConfig());
    using reader = openReader(folder);
    expect(questionGrid(reader, run.run, "difficulty").cells).toEqual([]);
    expect(kindMap(reader, run.run).kinds).toEqual([]);
    expect(stepColumns(reader, run.run).steps).toEqual([]);
    for (let n = 1; n <= 30; n++) {
      const record = exampleStep(n);
      const groups = record.groups.map((group) => ({ ...group, question: { ...group.question, difficulty: n / 7 } }));
      run.append({ type: "step-end", record: { ...record, groups } });
    }
    const { rows, cells } = questionGrid(reader, run.run, "difficulty");
    expect(rows).toHaveLength(20);
    expect(cells.reduce((sum, { questions }) => sum + questions, 0)).toBe(120);
    expect(cells.every(({ row }) => row >= 0 && row < 20)).toBe(true);
  });

  test("numbers are taken for each other, and what is long is cut", () => {
    expect(kindOf("12+345=")).toBe("#+#=");
    expect(kindOf("x".repeat(1e6)).length).toBe(80);
  });
});

describe("one question", () => {
  test("comes with its proposal, its forms, and the confidence of every token", async () => {
    const folder = newFolder();
    const run = await recordRun(folder, { steps: 2 });
    using reader = openReader(folder);
    const view = questionAt(reader, run, 2, 1, decode);
    const group = step(2).groups[1];
    expect(view?.question.text).toBe(group.question.text);
    expect(view?.questionsInStep).toBe(8);
    expect(view?.taught).toBeCloseTo(group.answers.reduce((sum, { advantage }) => sum + Math.abs(advantage), 0));
    expect(view?.proposal?.position).toBe(group.proposal);
    const answers = view?.forms.flatMap((form) => form.answers) ?? [];
    expect(answers.map(({ position }) => position).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    const first = answers.find(({ position }) => position === 0);
    expect(first?.text?.pieces.map(([text]) => text).join("")).toBe(decode(group.answers[0].tokens));
    for (const [i, [, logprob]] of (first?.text?.pieces ?? []).entries()) {
      expect(Math.exp(logprob ?? 0)).toBeCloseTo(Math.exp(group.answers[0].logprobs[i]), 1);
    }
    expect(questionAt(reader, run, 2, 99, decode)).toBeNull();
    expect(questionAt(reader, run, 2, 1, null)?.forms[0].answers[0].text).toBeNull();
    expect(stepAt(reader, run, 2, decode)).toMatchObject({ step: 2, lastStep: 2, questionCount: 8, refusedCount: 8 });
    expect(stepAt(reader, run, 3, decode)).toBeNull();
  });

  test("pieces join to the text, also where a character takes several tokens", () => {
    const bytes = (tokens: readonly number[]): string => new TextDecoder().decode(Uint8Array.from(tokens));
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
        const tokens = [...new TextEncoder().encode(text)];
        const { pieces, left } = tokenText(
          tokens,
          tokens.map(() => -1),
          bytes,
        );
        expect(left).toBe(0);
        expect(pieces.map(([piece]) => piece).join("")).toBe(text);
        expect(pieces.reduce((sum, [, logprob]) => sum + (logprob ?? 0), 0)).toBeCloseTo(-tokens.length);
      }),
    );
    const long = tokenText(
      Array.from({ length: 100_000 }, () => 65),
      null,
      bytes,
    );
    expect(long.pieces).toHaveLength(shownTokens);
    expect(long.left).toBe(100_000 - shownTokens);
  });
});
