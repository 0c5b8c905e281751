import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type RunConfigInput, runConfigSchema } from "../src/config/config.ts";
import type { Engine, Policy } from "../src/engine/engine.ts";
import { createScriptedEngine } from "../src/engine/scripted.ts";
import { RunStoppedError, UnsupportedError, UsageError } from "../src/errors.ts";
import { makeControl } from "../src/evaluate/controls.ts";
import type { RunEvent, StepRecord } from "../src/events.ts";
import type { SelfPlayOptions } from "../src/run-options.ts";
import { selfPlay } from "../src/self-play.ts";
import { openWorkspace } from "../src/store/workspace.ts";
import { arithmetic } from "../src/topics/arithmetic.ts";
import { readWrittenSum, writeNumber } from "../src/topics/arithmetic-notation.ts";
import { truth } from "../src/topics/arithmetic-truth.ts";
import { coding } from "../src/topics/coding.ts";
import type { DefinedTopic } from "../src/topics/define-topic.ts";
import type { Datum } from "../src/types.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A model that adds rightly three times in four, better with every update, and asks longer questions as it goes. */
function halfTrained(): Engine {
  return createScriptedEngine({
    reply: ({ prompt, random, updates, temperature }) => {
      if (prompt === "P") {
        const digits = 1 + Math.min(5, Math.floor(updates / 2) + random.integer(1, 2));
        const number = () => writeNumber(String(random.integer(10 ** (digits - 1), 10 ** digits - 1)));
        return random.next() < 0.1 ? "1++2" : `${number()}+${number()}=`;
      }
      const sum = readWrittenSum(prompt.slice(1));
      if (!sum.ok) return "?";
      const right = BigInt(truth(sum.value));
      const wrong = temperature > 0 && random.next() > 0.75 + 0.02 * updates;
      return writeNumber(String(wrong ? right + BigInt(random.integer(1, 5)) : right));
    },
  });
}

/** The engine, whose policies compute gradients in another way. */
function withGradients(
  engine: Engine,
  change: (policy: Policy, ...call: Parameters<Policy["forwardBackward"]>) => ReturnType<Policy["forwardBackward"]>,
): Engine {
  const openPolicy = async (): Promise<Policy> => {
    const policy = await engine.openPolicy();
    return { ...policy, forwardBackward: (...call) => change(policy, ...call) };
  };
  return { ...engine, openPolicy };
}

/** The engine, with a note of everything that training was given. */
function recording(engine: Engine): { engine: Engine; data: Datum[][] } {
  const data: Datum[][] = [];
  const noting = withGradients(engine, (policy, batch, loss, config) => {
    data.push([...batch]);
    return policy.forwardBackward(batch, loss, config);
  });
  return { engine: noting, data };
}

const quick: RunConfigInput = {
  topic: "arithmetic",
  steps: 4,
  groupsPerBatch: 12,
  groupSize: 8,
  evalEvery: 2,
  evalQuestions: 5,
  saveEvery: 2,
};

interface Played {
  readonly events: RunEvent[];
  readonly steps: StepRecord[];
}

async function play(
  folder: string,
  settings: RunConfigInput,
  options: Partial<SelfPlayOptions> & { readonly until?: (event: RunEvent) => void } = {},
): Promise<Played> {
  const config = runConfigSchema.parse({ ...quick, ...settings });
  await using workspace = openWorkspace(folder);
  const known = workspace.list().at(0);
  await using store = known === undefined ? workspace.createRun(config) : workspace.openRun(known.run);
  const engine = options.engine ?? halfTrained();
  const events: RunEvent[] = [];
  for await (const event of selfPlay({ topic: arithmetic, config, store, ...options, engine })) {
    events.push(event);
    options.until?.(event);
  }
  return { events, steps: events.flatMap((event) => (event.type === "step-end" ? [event.record] : [])) };
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-self-play-"));
  folders.push(folder);
  return folder;
}

/** A step without what it cost on this machine, which is all that may differ. */
const timeless = ({ seconds: _, timing: __, ...record }: StepRecord): object => record;

describe("self-play with a scripted engine", () => {
  test("proposes, solves, votes, trains, evaluates, saves", async () => {
    const { events, steps } = await play(newFolder(), {});
    expect(events.map(({ type }) => type)).toEqual([
      "run-start",
      "evaluation-end",
      "step-end",
      "step-end",
      "evaluation-end",
      "checkpoint-saved",
      "step-end",
      "step-end",
      "evaluation-end",
      "checkpoint-saved",
      "run-end",
    ]);
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    for (const { metrics, groups, proposals } of steps) {
      expect(groups).toHaveLength(12);
      expect(metrics["labelAccuracy"]).toBeGreaterThan(0.8);
      expect(metrics["updates"]).toBe(1);
      expect(proposals.some(({ refusal }) => refusal?.kind === "malformed")).toBe(true);
    }
  });

  test("what the model confirms the other way round is taught, also against its own vote", async () => {
    /** Of six answers four are one too large; what is taken away again is right. */
    const engine = createScriptedEngine({
      reply: ({ prompt, random }) => {
        const number = () => writeNumber(String(random.integer(100, 999)));
        if (prompt === "P") return `${number()}+${number()}=`;
        if (prompt.startsWith("T")) {
          const [from, less] = prompt.slice(1).split("-").map(BigInt);
          return writeNumber(String(from - less));
        }
        const sum = readWrittenSum(prompt.slice(1));
        if (!sum.ok) return "?";
        return writeNumber(String(BigInt(truth(sum.value)) + (random.next() < 0.6 ? 1n : 0n)));
      },
    });
    const topic: DefinedTopic = {
      ...arithmetic,
      topic: {
        ...arithmetic.topic,
        inverseCheck: ({ text }, answer) => {
          const [, left, right] = /(\d+)\+(\d+)/.exec(text) ?? [];
          return { prompts: [`T${answer}-${right}`], expected: left };
        },
      },
    };
    const settings = { steps: 1, groupSize: 12, minAgreement: 0.1, labelRule: "quorum" } as const;
    const voted = await play(newFolder(), settings, { engine, topic });
    expect(voted.steps[0].metrics["taughtLabelAccuracy"]).toBeLessThan(0.5);
    const { steps, events } = await play(newFolder(), { ...settings, inverseAnswers: 3 }, { engine, topic });
    const [{ metrics, groups }] = steps;
    expect(metrics).toMatchObject({ taughtLabelAccuracy: 1, triedConfirmedShare: 1 });
    expect(metrics["triedAgainstVoteShare"]).toBeGreaterThan(0.3);
    // Also of fewer than would be enough for a vote.
    const few = await play(newFolder(), { ...settings, minAgreement: 0.9, inverseAnswers: 3 }, { engine, topic });
    expect(few.steps[0].metrics).toMatchObject({ "groups.trained": 12, "groups.low-agreement": 0 });
    expect(groups.every(({ verdict }) => verdict.kind === "vote" && (verdict.tried?.length ?? 0) > 0)).toBe(true);
    expect(events.some((event) => event.type === "anomaly")).toBe(false);
    const form = await play(newFolder(), { ...settings, inverseAnswers: 3, solverReward: "format" }, { engine, topic });
    expect(form.steps[0].metrics).not.toHaveProperty("triedConfirmedShare");
    const idle = await play(newFolder(), { ...settings, inverseAnswers: 3 }, { engine });
    expect(idle.events).toContainEqual(expect.objectContaining({ type: "anomaly", kind: "try-idle" }));
  });

  test("the truth replaces a vote only where there are both", () => {
    expect(() => makeControl("oracle", coding)).toThrow("does not vote");
    expect(() => makeControl("oracle", { ...arithmetic, hidden: null })).toThrow("no hidden checker");
  });

  test("no step is played under a control that the record does not name, and none without the one that it names", async () => {
    const folder = newFolder();
    const control = makeControl("oracle", arithmetic);
    await expect(play(folder, {}, { control })).rejects.toThrow(UsageError);
    {
      await using workspace = openWorkspace(newFolder());
      const config = runConfigSchema.parse(quick);
      const trial = { experiment: "controls", variant: "truth", control: "oracle" };
      await using store = workspace.createRun(config, { trial });
      const options = { topic: arithmetic, config, store, engine: halfTrained() };
      await expect(selfPlay(options).next()).rejects.toThrow("recorded under control oracle");
      expect((await selfPlay({ ...options, control }).next()).value).toMatchObject({ type: "run-start" });
    }
    // The refused run has nothing in its record and can be played as what it was made for.
    expect((await play(folder, {})).steps).toHaveLength(4);
  });

  test("the same seed gives the same run, another seed another", async () => {
    const [first, second, other] = [
      await play(newFolder(), {}),
      await play(newFolder(), {}),
      await play(newFolder(), { seed: 2 }),
    ];
    expect(second.steps.map(timeless)).toEqual(first.steps.map(timeless));
    expect(other.steps.map(timeless)).not.toEqual(first.steps.map(timeless));
  });

  test("an interrupted run saves a checkpoint, and resumed equals an uninterrupted one", async () => {
    const whole = await play(newFolder(), {});
    const folder = newFolder();
    const interrupt = new AbortController();
    const first = await play(
      folder,
      {},
      {
        signal: interrupt.signal,
        until: (event) => event.type === "step-end" && event.record.step === 3 && interrupt.abort(),
      },
    );
    expect(first.events.slice(-2)).toMatchObject([
      { type: "checkpoint-saved", step: 3 },
      { type: "run-end", reason: "interrupted" },
    ]);
    const rest = await play(folder, {});
    expect(rest.events[0]).toMatchObject({ type: "run-start", fromStep: 3 });
    expect([...first.steps, ...rest.steps].map(timeless)).toEqual(whole.steps.map(timeless));
  });

  test("a question is asked once in a run, and never one that evaluation keeps", async () => {
    const { steps } = await play(newFolder(), {});
    const keys = steps.flatMap(({ groups }) => groups.map(({ question }) => question.key));
    expect(new Set(keys).size).toBe(keys.length);
    const heldOut = steps.flatMap(({ proposals }) => proposals.filter(({ refusal }) => refusal?.kind === "held-out"));
    for (const { question } of heldOut) expect(keys).not.toContain(question?.key);
  });

  test("a frozen proposer is never trained", async () => {
    const { engine, data } = recording(halfTrained());
    const { steps } = await play(newFolder(), { proposerEvery: 0 }, { engine });
    expect(data.flat().some(({ tokens }) => tokens[0] === "P".codePointAt(0))).toBe(false);
    expect(steps.every(({ proposals }) => proposals.every(({ advantage }) => advantage === 0))).toBe(true);
  });
});

describe("the wall: what knows the truth cannot reach training", () => {
  const { topic, hidden } = arithmetic;
  const lying: DefinedTopic = {
    topic,
    hidden: { ...hidden!, check: (question, answer) => !hidden!.check(question, answer) },
  };

  test.each(["sqlm", "band", "variance", "r-zero", "learnability"] as const)(
    "a checker that lies changes no training data (%s)",
    async (proposerReward) => {
      const honest = recording(halfTrained());
      const deceived = recording(halfTrained());
      const a = await play(newFolder(), { proposerReward, steps: 3 }, { engine: honest.engine });
      const b = await play(newFolder(), { proposerReward, steps: 3 }, { engine: deceived.engine, topic: lying });
      expect(deceived.data).toEqual(honest.data);
      expect(honest.data.flat().length).toBeGreaterThan(0);
      // The lie is seen where it belongs: in the diagnostics.
      expect(b.steps[0].metrics["labelAccuracy"]).toBeCloseTo(1 - a.steps[0].metrics["labelAccuracy"], 10);
    },
  );
});

test("the reference of the KL penalty is the starting model, also after a resume", async () => {
  const folder = newFolder();
  const settings: RunConfigInput = { klPenaltyCoef: 0.1, steps: 4, saveEvery: 2 };
  const interrupt = new AbortController();
  const until = (event: RunEvent): void => {
    if (event.type === "step-end" && event.record.step === 2) interrupt.abort();
  };
  await play(folder, settings, { signal: interrupt.signal, until });
  const { engine, data } = recording(halfTrained());
  const loaded: string[] = [];
  const freezing: Engine = {
    ...engine,
    openPolicy: async () => {
      const policy = await engine.openPolicy();
      return {
        ...policy,
        freeze: () => {
          loaded.push("freeze");
          return policy.freeze();
        },
        load: (...call) => {
          loaded.push("load");
          return policy.load(...call);
        },
      };
    },
  };
  const { steps } = await play(folder, settings, { engine: freezing });
  expect(loaded).toEqual(["freeze", "load"]);
  expect(steps.every(({ metrics }) => "kl" in metrics)).toBe(true);
  expect(data.flat().every(({ referenceLogprobs }) => referenceLogprobs !== undefined)).toBe(true);
});

describe("what cannot go on", () => {
  test("a NaN stops the run, keeps the checkpoint and says how to go on", async () => {
    const folder = newFolder();
    let calls = 0;
    const broken = withGradients(halfTrained(), async (policy, ...call) => {
      const result = await policy.forwardBackward(...call);
      return ++calls < 4 ? result : { ...result, metrics: { ...result.metrics, loss: Number.NaN } };
    });
    const seen: RunEvent[] = [];
    const run = play(folder, {}, { engine: broken, until: (event) => seen.push(event) });
    await expect(run).rejects.toThrow(RunStoppedError);
    expect(seen.at(-1)).toMatchObject({ type: "run-end", step: 3, reason: "stopped" });
    await using workspace = openWorkspace(folder);
    const { run: name } = workspace.list()[0];
    expect(readdirSync(join(folder, "runs", name, "checkpoints"))).toContain("step-000002");
    const { events } = await play(folder, {});
    expect(events.at(-1)).toMatchObject({ type: "run-end", reason: "finished", step: 4 });
  });

  test.each([
    [{ topP: 0.9 }, /topP/],
    [{ topK: 5 }, /topK/],
  ])("refuses %j before any work", async (settings, message) => {
    const { engine, data } = recording(halfTrained());
    const run = play(newFolder(), settings, { engine });
    await expect(run).rejects.toThrow(UnsupportedError);
    await expect(play(newFolder(), settings, { engine })).rejects.toThrow(message);
    expect(data).toEqual([]);
  });
});
