import fc from "fast-check";
import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { diffRuns } from "../../src/store/diff-runs.ts";
import {
  answersTo,
  findQuestions,
  listRuns,
  metricSeries,
  openReader,
  type QuestionFilter,
  runOverview,
} from "../../src/store/queries.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleEvaluation, exampleStep } from "../../src/testing/example-step.ts";
import type { GroupSignal } from "../../src/types.ts";
import { appendSteps, errorOf, exampleConfig, inFolder, stateAt, writeWeights } from "./helpers.ts";

test("a filter finds what a loop over all questions finds, in order, page by page", async () => {
  await inFolder(async (folder) => {
    await using workspace = openWorkspace(folder);
    await using run = workspace.createRun(exampleConfig());
    await using other = workspace.createRun(exampleConfig({ seed: 4 }));
    appendSteps(run, 1, 12, 9);
    appendSteps(other, 1, 12, 5);
    run.rewindTo(6);
    appendSteps(run, 7, 12);
    const all = Array.from({ length: 12 }, (_, i) => exampleStep(i + 1, { seed: i < 6 ? 9 : 1 })).flatMap((record) =>
      record.groups.map((group, position) => ({ step: record.step, position, group })),
    );
    using reader = openReader(folder);
    const fraction = fc.constantFrom(0, 0.25, 0.5, 0.75, 1);
    const signals: GroupSignal[] = ["trained", "tie", "all-equal", "no-answer"];
    const filter = fc.record(
      {
        fromStep: fc.nat(13),
        toStep: fc.nat(13),
        minAgreement: fraction,
        maxAgreement: fraction,
        minDifficulty: fc.nat(5),
        maxDifficulty: fc.nat(5),
        signals: fc.subarray(signals),
        labelRight: fc.boolean(),
        text: fc.constantFrom("1", "%", "+", "_", "=", "99"),
        orderBy: fc.constantFrom("step" as const, "agreement" as const, "difficulty" as const),
        descending: fc.boolean(),
        limit: fc.nat(10),
        offset: fc.nat(10),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(filter, (given: QuestionFilter) => {
        const agreement = (item: (typeof all)[number]): number =>
          item.group.verdict.kind === "vote" ? item.group.verdict.agreement : Number.NaN;
        const key = (item: (typeof all)[number]): number =>
          given.orderBy === "agreement"
            ? agreement(item)
            : given.orderBy === "difficulty"
              ? item.group.question.difficulty
              : 0;
        const expected = all
          .filter(
            (item) =>
              item.step >= (given.fromStep ?? 0) &&
              item.step <= (given.toStep ?? 99) &&
              agreement(item) >= (given.minAgreement ?? 0) &&
              agreement(item) <= (given.maxAgreement ?? 1) &&
              item.group.question.difficulty >= (given.minDifficulty ?? 0) &&
              item.group.question.difficulty <= (given.maxDifficulty ?? 99) &&
              (given.signals?.includes(item.group.signal) ?? true) &&
              (given.labelRight === undefined || item.group.truth?.labelRight === given.labelRight) &&
              item.group.question.text.includes(given.text ?? ""),
          )
          .sort(
            (a, b) => (key(a) - key(b) || a.step - b.step || a.position - b.position) * (given.descending ? -1 : 1),
          );
        const found = findQuestions(reader, run.run, given);
        expect(found.total).toBe(expected.length);
        const offset = given.offset ?? 0;
        expect(found.questions).toEqual(
          expected.slice(offset, offset + (given.limit ?? 20)).map(({ step, position, group }) => ({
            step,
            position,
            question: group.question,
            agreement: agreement({ step, position, group }),
            winner: group.verdict.kind === "vote" ? group.verdict.winner : null,
            signal: group.signal,
            proposerReward: group.proposerReward,
            labelRight: group.truth?.labelRight ?? null,
            accuracy: group.truth?.accuracy ?? null,
            verdict: group.verdict,
          })),
        );
      }),
      { numRuns: 150 },
    );
  });
});

test("an overview adds up what is current, and says what there is beside questions", async () => {
  await inFolder(async (folder) => {
    await using workspace = openWorkspace(folder);
    await using run = workspace.createRun(exampleConfig());
    appendSteps(run, 1, 5);
    await run.saveCheckpoint(stateAt(3), writeWeights(3));
    run.rewindTo(3);
    appendSteps(run, 4, 4, 2);
    run.append({ type: "evaluation-end", step: 4, evaluation: exampleEvaluation(4) });
    run.append({ type: "guard", step: 4, detector: "collapse", action: "paused", message: "Answers repeat." });
    run.append({ type: "anomaly", step: 4, kind: "slow", message: "Slow." });
    using reader = openReader(folder);
    const overview = runOverview(reader, run.run);
    const steps = [1, 2, 3, 4].map((step) => exampleStep(step, { seed: step === 4 ? 2 : 1 }));
    const groups = steps.flatMap((step) => step.groups);
    expect(overview).toMatchObject({
      run: run.run,
      status: "running",
      lastStep: 4,
      supersededSteps: 2,
      totals: {
        steps: 4,
        proposals: 32,
        questions: 16,
        answers: 64,
        trained: groups.filter((group) => group.signal === "trained").length,
        seconds: 6,
      },
      metricNames: ["agreement", "gradNorm", "loss", "secondsSampling"],
      evaluations: [{ step: 4, levels: exampleEvaluation(4).levels }],
      checkpoints: [{ step: 3 }],
      guardEvents: [{ step: 4, detector: "collapse", action: "paused", message: "Answers repeat." }],
      anomalies: [{ step: 4, kind: "slow", message: "Slow." }],
    });
    expect(metricSeries(reader, run.run, ["loss", "nothing"])).toEqual([
      { name: "loss", steps: [1, 2, 3, 4], values: steps.map((step) => step.metrics["loss"]) },
    ]);
    expect(metricSeries(reader, run.run).length).toBe(4);
    expect(answersTo(reader, run.run, 4, 99)).toEqual([]);
    for (const ask of [runOverview, metricSeries, findQuestions]) {
      const error = await errorOf(() => ask(reader, `${run.run}x`));
      expect(error).toBeInstanceOf(UsageError);
      expect((error as UsageError).hint).toContain(run.run);
    }
  });
});

test("equal runs do not differ but in name; the first difference is found where it is", async () => {
  await inFolder(async (folder) => {
    await using workspace = openWorkspace(folder);
    await using a = workspace.createRun(exampleConfig());
    await using b = workspace.createRun(exampleConfig({ learningRate: 2e-4 }));
    await using c = workspace.createRun(exampleConfig());
    for (let step = 1; step <= 6; step++) {
      const record = exampleStep(step);
      a.append({ type: "step-end", record });
      b.append({
        type: "step-end",
        record: { ...record, seconds: 9, metrics: { ...record.metrics, secondsSampling: 9 } },
      });
      const changed = { ...record.groups[2].question, text: "0+0=" };
      const groups = record.groups.with(2, { ...record.groups[2], question: changed });
      if (step < 6) c.append({ type: "step-end", record: step === 4 ? { ...record, groups } : record });
    }
    a.append({ type: "evaluation-end", step: 0, evaluation: exampleEvaluation(0) });
    a.append({ type: "evaluation-end", step: 6, evaluation: exampleEvaluation(6) });
    b.append({ type: "evaluation-end", step: 5, evaluation: exampleEvaluation(5) });
    using reader = openReader(folder);
    const equal = diffRuns(reader, a.run, b.run);
    expect(equal).toMatchObject({
      config: [{ key: "learningRate", a: exampleConfig().learningRate, b: 2e-4 }],
      evaluatedSteps: { a: 6, b: 5 },
      evaluations: [0, 1].map((i) => ({
        difficulty: 3 + i,
        a: exampleEvaluation(6).levels[i],
        b: exampleEvaluation(5).levels[i],
      })),
      commonSteps: 6,
      firstDifference: null,
    });
    const different = diffRuns(reader, a.run, c.run);
    expect(different).toMatchObject({ config: [], commonSteps: 5, firstDifference: 4, evaluatedSteps: { b: null } });
    expect(different.evaluations[0].b).toBeNull();
    const losses = [1, 2, 3, 4, 5].map((step) => exampleStep(step).metrics["loss"]);
    const loss = different.metrics.find((metric) => metric.name === "loss");
    expect(loss?.a).toBeCloseTo(losses.reduce((sum, value) => sum + value) / 5);
    expect(loss?.b).toBe(loss?.a);
    expect(diffRuns(reader, a.run, a.run)).toMatchObject({ config: [], firstDifference: null, commonSteps: 6 });
  });
});

test("a reader sees what was recorded after it was opened", async () => {
  await inFolder(async (folder) => {
    await using workspace = openWorkspace(folder);
    using reader = openReader(folder);
    expect(listRuns(reader)).toEqual([]);
    await using run = workspace.createRun(exampleConfig());
    appendSteps(run, 1, 1);
    expect(listRuns(reader).map((info) => [info.run, info.lastStep])).toEqual([[run.run, 1]]);
  });
});
