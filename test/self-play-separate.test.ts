// Proposer and solver with weights of their own: who learns from what, and what a checkpoint holds of both.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type RunConfigInput, runConfigSchema } from "../src/config/config.ts";
import type { Engine, Policy } from "../src/engine/engine.ts";
import { createScriptedEngine, type ScriptedRequest } from "../src/engine/scripted.ts";
import type { RunEvent, StepRecord } from "../src/events.ts";
import { selfPlay } from "../src/self-play.ts";
import { openWorkspace } from "../src/store/workspace.ts";
import { arithmetic } from "../src/topics/arithmetic.ts";
import { readWrittenSum, writeNumber } from "../src/topics/arithmetic-notation.ts";
import { truth } from "../src/topics/arithmetic-truth.ts";
import type { Datum } from "../src/types.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-separate-"));
  folders.push(folder);
  return folder;
}

/** Asks longer sums with every update of what proposes, answers better with every one of what solves. */
function reply({ prompt, random, updates, temperature }: ScriptedRequest): string {
  if (prompt === "P") {
    const digits = 1 + Math.min(5, Math.floor(updates / 2) + random.integer(1, 2));
    const number = () => writeNumber(String(random.integer(10 ** (digits - 1), 10 ** digits - 1)));
    return `${number()}+${number()}=`;
  }
  const sum = readWrittenSum(prompt.slice(1));
  if (!sum.ok) return "?";
  const wrong = temperature > 0 && random.next() > 0.75 + 0.02 * updates;
  return writeNumber(String(BigInt(truth(sum.value)) + BigInt(wrong ? random.integer(1, 5) : 0)));
}

/** What a policy was asked to do: prompts that it continued, and what it was trained on. */
interface Work {
  readonly sampled: Set<string>;
  readonly trained: Datum[];
  /** Sums of the weights of each update. */
  readonly totals: number[];
}

/** An engine that notes what each of its policies does, in the order in which they were opened. */
function watched(): { engine: Engine; works: Work[] } {
  const engine = createScriptedEngine({ reply });
  const works: Work[] = [];
  const openPolicy = async (): Promise<Policy> => {
    const policy = await engine.openPolicy();
    const work: Work = { sampled: new Set(), trained: [], totals: [] };
    works.push(work);
    return {
      ...policy,
      sample: (asks, options) => {
        for (const { promptTokens } of asks) work.sampled.add(policy.tokenizer.decode(promptTokens)[0]);
        return policy.sample(asks, options);
      },
      forwardBackward: (data, ...rest) => {
        work.trained.push(...data);
        work.totals.push(data.reduce((sum, { weights }) => sum + weights.reduce((a, b) => a + b, 0), 0));
        return policy.forwardBackward(data, ...rest);
      },
    };
  };
  return { engine: { ...engine, openPolicy }, works };
}

async function play(folder: string, settings: RunConfigInput, engine: Engine, stopAfter = 0): Promise<StepRecord[]> {
  const config = runConfigSchema.parse({
    topic: "arithmetic",
    steps: 6,
    groupsPerBatch: 12,
    groupSize: 8,
    evalEvery: 0,
    evalQuestions: 3,
    saveEvery: 100,
    proposerEvery: 1,
    proposerReward: "variance",
    proposerWeights: "separate",
    ...settings,
  });
  await using workspace = openWorkspace(folder);
  const known = workspace.list().at(0);
  await using store = known === undefined ? workspace.createRun(config) : workspace.openRun(known.run);
  const stop = new AbortController();
  const steps: StepRecord[] = [];
  const options = { topic: arithmetic, config, store, engine, signal: stop.signal };
  for await (const event of selfPlay(options) as AsyncIterable<RunEvent>) {
    if (event.type !== "step-end") continue;
    steps.push(event.record);
    if (event.record.step === stopAfter) stop.abort();
  }
  return steps;
}

const timeless = ({ seconds: _, timing: __, ...record }: StepRecord): object => record;
const asks = ({ tokens }: Datum): boolean => tokens[0] === "P".codePointAt(0);

test("each policy plays one role and learns from it alone", async () => {
  const { engine, works } = watched();
  const steps = await play(newFolder(), {}, engine);
  expect(works).toHaveLength(2);
  const [solver, proposer] = works;
  expect([...proposer.sampled]).toEqual(["P"]);
  expect([...solver.sampled]).not.toContain("P");
  expect(proposer.trained.length).toBeGreaterThan(0);
  expect(proposer.trained.every(asks)).toBe(true);
  expect(solver.trained.length).toBeGreaterThan(0);
  expect(solver.trained.some(asks)).toBe(false);
  // Each loss is a mean of its own, which `proposerLossWeight` does not scale.
  const { metrics } = steps.find((step) => step.metrics["proposer.updates"] > 0)!;
  for (const name of ["loss", "gradNorm", "tokens"]) expect(metrics).toHaveProperty([`proposer.${name}`]);
  for (const total of [...solver.totals, ...proposer.totals]) expect(total).toBeCloseTo(1, 10);
});

test("with shared weights one policy does all, and metrics have no second half", async () => {
  const { engine, works } = watched();
  const steps = await play(newFolder(), { proposerWeights: "shared" }, engine);
  expect(works).toHaveLength(1);
  expect(works[0].trained.some(asks)).toBe(true);
  expect(Object.keys(steps[0].metrics).filter((name) => name.startsWith("proposer."))).toEqual([]);
});

test.each<[string, RunConfigInput, boolean]>([
  ["a proposer of its own", {}, true],
  ["one that never trains", { proposerEvery: 0 }, false],
  ["a reference beside both", { klPenaltyCoef: 0.1 }, true],
])("interrupted and resumed equals uninterrupted: %s", async (_, settings, saved) => {
  const whole = await play(newFolder(), settings, watched().engine);
  const folder = newFolder();
  const first = await play(folder, settings, watched().engine, 3);
  await using workspace = openWorkspace(folder);
  const checkpoint = join(folder, "runs", workspace.list()[0].run, "checkpoints", "step-000003");
  expect(existsSync(join(checkpoint, "proposer", "scripted.json"))).toBe(saved);
  const rest = await play(folder, settings, watched().engine);
  expect([...first, ...rest].map(timeless)).toEqual(whole.map(timeless));
});

test("a separate proposer that never trains stays the starting model, which a shared one does not", async () => {
  const longest = (steps: readonly StepRecord[]): number =>
    Math.max(...steps.flatMap(({ groups }) => groups.map(({ question }) => question.text.length)));
  const settings = { proposerEvery: 0, steps: 8 };
  const separate = await play(newFolder(), settings, watched().engine);
  const shared = await play(newFolder(), { ...settings, proposerWeights: "shared" }, watched().engine);
  // At most three digits a number without an update, up to six with them.
  expect(longest(separate)).toBeLessThanOrEqual("999+999=".length);
  expect(longest(shared)).toBeGreaterThan("999+999=".length);
});
