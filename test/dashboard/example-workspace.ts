// Workspaces that a dashboard shows in tests: ordinary runs, and one whose model writes everything that could do harm.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { type RunConfigInput, runConfigSchema } from "../../src/config/config.ts";
import type { StepRecord } from "../../src/events.ts";
import type { RunStore, RunTrial } from "../../src/store/store.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleEvaluation, exampleStep } from "../../src/testing/example-step.ts";
import { testsVerdict } from "../../src/verify/unit-tests.ts";
import { vote } from "../../src/verify/vote.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A new folder, removed after the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-dashboard-"));
  folders.push(folder);
  return folder;
}

/** Escapes of a terminal, changes of direction, markup, a script, a mark nobody sees, half of a pair. */
export const hostileText =
  "\u001b]0;owned\u0007\u001b[31m<script>window.harmed=1</script><img src=x onerror=window.harmed=1>" +
  "\u202Etxt.exe\u2066\u200b`|*_[x](javascript:window.harmed=1)</style></title>&amp;\u009b2J\ud800";
export const longText = "9".repeat(100_000);

/** A step as a loop records it, with metrics that pictures are drawn from. */
export function step(number: number, seed = 1): StepRecord {
  const record = exampleStep(number, { seed, questions: 8, groupSize: 6 });
  const right = record.groups.filter(({ truth }) => truth?.labelRight === true).length;
  return {
    ...record,
    metrics: {
      ...record.metrics,
      difficulty: 3 + number / 50,
      labelAccuracy: right / record.groups.length,
      accuracy: 0.5 + number / 1000,
      "groups.trained": record.groups.filter(({ signal }) => signal === "trained").length,
      "groups.tie": record.groups.filter(({ signal }) => signal === "tie").length,
      malformedShare: 0.1,
    },
    timing: { stages: { propose: 0.1, solve: 0.8, learn: 0.5 }, memoryBytes: 5e8 },
  };
}

/** The same without anyone who knows the truth. */
export function withoutTruth(record: StepRecord): StepRecord {
  const { labelAccuracy: _, accuracy: __, ...metrics } = record.metrics;
  return { ...record, metrics, groups: record.groups.map((group) => ({ ...group, truth: null })) };
}

/** A step whose one question and its answers are what a model that means harm would write. */
export function hostileStep(number: number): StepRecord {
  const record = step(number);
  const [first, ...rest] = record.groups;
  const values = [hostileText, hostileText, hostileText, longText, longText, null];
  const answers = first.answers.map((answer, i) => {
    const value = values[i] ?? null;
    const { reason: _, ...plain } = answer;
    return { ...plain, value, ...(value === null ? { reason: hostileText } : {}) };
  });
  const verdict = vote(answers.map(({ form, value }) => ({ form, value })));
  const question = { ...first.question, text: hostileText, key: hostileText };
  const proposals = record.proposals.map((proposal) =>
    proposal.question === null ? { ...proposal, refusal: { kind: "malformed" as const, says: hostileText } } : proposal,
  );
  return { ...record, proposals, groups: [{ ...first, question, answers, verdict, signal: "trained" }, ...rest] };
}

/** Who passed which of a coding question's four tests: one trusted, one that only some pass, one that nobody does, one contradicted. */
const testsPassed = [
  [true, true, false, false],
  [true, false, false, false],
  [true, false, false, true],
];

/** A step whose first question is a program with tests, one of which a model that means harm wrote. */
export function codingStep(number: number): StepRecord {
  const record = step(number);
  const [first, ...rest] = record.groups;
  const verdict = testsVerdict({ passed: testsPassed, contradictory: [3], trusted: [0], agreement: 0.7 }, 0, false);
  const tests = [
    ["double", [2], 4],
    ["double", [-1], -2],
    ["double", [hostileText], 0],
    ["double", [2], 5],
  ].map(([name, args, expected]) => ({ function: String(name), args: args as unknown[], expected }));
  const answers = first.answers
    .slice(0, testsPassed.length)
    .map((answer) => ({ ...answer, form: 0, value: "def double(n): return 2 * n" }));
  const question = { ...first.question, text: "Write double(n).", tests };
  return { ...record, groups: [{ ...first, question, answers, verdict, signal: "trained" }, ...rest] };
}

/** A step whose first question had two of its answers tried the other way round: the one that won the vote, and one that held. */
export function triedStep(number: number): StepRecord {
  const record = step(number);
  const [first, ...rest] = record.groups;
  if (first.verdict.kind !== "vote") throw new Error("The example votes.");
  const tried = [
    [String(first.verdict.winner), false],
    ["77", true],
  ] as const;
  return { ...record, groups: [{ ...first, verdict: { ...first.verdict, tried } }, ...rest] };
}

export interface RunOptions {
  readonly config?: RunConfigInput;
  readonly trial?: RunTrial;
  readonly steps?: number;
  readonly record?: (step: number) => StepRecord;
  /** False for a run that goes on. */
  readonly end?: boolean;
}

/** Records a run; returns its name. */
export async function recordRun(folder: string, options: RunOptions = {}): Promise<string> {
  const { config = {}, trial, steps = 12, record = step, end = true } = options;
  await using workspace = openWorkspace(folder);
  await using run = workspace.createRun(
    runConfigSchema.parse({ steps, ...config }),
    trial === undefined ? {} : { trial },
  );
  run.append({ type: "run-start", run: run.run, fromStep: 0, steps });
  run.append({ type: "evaluation-end", step: 0, evaluation: exampleEvaluation(0) });
  playSteps(run, 1, steps, record);
  run.append({ type: "guard", step: 3, detector: "same-answer", action: "note", message: hostileText });
  run.append({ type: "evaluation-end", step: steps, evaluation: exampleEvaluation(steps) });
  if (end) run.append({ type: "run-end", step: steps, reason: "finished" });
  return run.run;
}

export function playSteps(run: RunStore, from: number, to: number, record: (step: number) => StepRecord = step): void {
  for (let number = from; number <= to; number++) run.append({ type: "step-end", record: record(number) });
}

/** Stands in for a tokenizer: a token is a character, and some are what a model that means harm would write. */
export const decode = (tokens: readonly number[]): string =>
  tokens.map((token) => (token % 50 === 7 ? hostileText : String.fromCharCode(97 + (token % 26)))).join("");
