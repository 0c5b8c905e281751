// The guard in the loop: probes are asked and never taught, a collapse is undone, and a run that is killed in the middle of it all
// equals one that was not. The model is scripted: it forgets how to add after so many updates.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type RunConfigInput, runConfigSchema } from "../src/config/config.ts";
import type { Engine, Policy } from "../src/engine/engine.ts";
import { createScriptedEngine } from "../src/engine/scripted.ts";
import type { RunEvent, StepRecord } from "../src/events.ts";
import type { GuardMemory } from "../src/guarding.ts";
import { selfPlay } from "../src/self-play.ts";
import { openWorkspace } from "../src/store/workspace.ts";
import { arithmetic } from "../src/topics/arithmetic.ts";
import { readWrittenSum, writeNumber } from "../src/topics/arithmetic-notation.ts";
import { truth } from "../src/topics/arithmetic-truth.ts";
import type { DefinedTopic } from "../src/topics/define-topic.ts";
import type { Datum } from "../src/types.ts";
import { type Played, playOrKill } from "./killed-play.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/**
 * A model that adds rightly nine times in ten, until it has had so many updates: then it answers everything with 7, or is wrong by
 * one where the smaller number is first. A model that is loaded from a checkpoint has the updates of that checkpoint.
 */
function forgetful(
  updatesLeft: number,
  smallerFirst: "right" | "one more" = "right",
  forgotten: "everything" | "smaller first" = "everything",
): { engine: Engine; data: Datum[][] } {
  const scripted = createScriptedEngine({
    reply: ({ prompt, random, updates, temperature }) => {
      if (prompt === "P") {
        const number = () => writeNumber(String(random.integer(100, 99999)));
        return `${number()}+${number()}=`;
      }
      const sum = readWrittenSum(prompt.slice(1));
      const forgot = updates >= updatesLeft;
      if (!sum.ok || (forgot && forgotten === "everything")) return "7";
      const wrong = temperature > 0 && random.next() > 0.9;
      const { left, right } = sum.value;
      const always = (forgot || smallerFirst === "one more") && BigInt(left) < BigInt(right) ? 1n : 0n;
      return writeNumber(String(BigInt(truth(sum.value)) + always + (wrong ? BigInt(random.integer(2, 50)) : 0n)));
    },
  });
  const data: Datum[][] = [];
  const openPolicy = async (): Promise<Policy> => {
    const policy = await scripted.openPolicy();
    return {
      ...policy,
      forwardBackward: (batch, ...rest) => {
        data.push([...batch]);
        return policy.forwardBackward(batch, ...rest);
      },
    };
  };
  return { engine: { ...scripted, openPolicy }, data };
}

const settings: RunConfigInput = {
  topic: "arithmetic",
  steps: 20,
  groupsPerBatch: 6,
  groupSize: 9,
  evalEvery: 0,
  evalQuestions: 2,
  saveEvery: 4,
  guard: "act",
  probeQuestions: 16,
  probeAnswers: 9,
};

interface WatchedPlay extends Played {
  readonly data: Datum[][];
}

async function play(
  folder: string,
  given: RunConfigInput,
  { updatesLeft = 1000, smallerFirst = "right", topic = arithmetic, killAt = () => false }: PlayedAs = {},
): Promise<WatchedPlay> {
  const { engine, data } = forgetful(updatesLeft, smallerFirst);
  return { ...(await playOrKill(folder, { ...settings, ...given }, { topic, engine, killAt })), data };
}

interface PlayedAs {
  readonly updatesLeft?: number;
  /** What it makes of a sum whose first operand is the smaller one. */
  readonly smallerFirst?: "right" | "one more";
  readonly topic?: DefinedTopic;
  readonly killAt?: (event: RunEvent) => boolean;
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-guard-"));
  folders.push(folder);
  return folder;
}

const timeless = ({ seconds: _, timing: __, ...record }: StepRecord): object => record;
const guardEvents = ({ events }: Played) => events.flatMap((event) => (event.type === "guard" ? [event] : []));

describe("probes", () => {
  test("are looked at every other step, and neither proposed nor taught", async () => {
    const { steps, data } = await play(newFolder(), { steps: 4 });
    const looked = steps.filter(({ metrics }) => metrics["probe.agreement"] !== undefined);
    expect(looked.map(({ step }) => step)).toEqual([2, 4]);
    expect(looked[0].metrics).toMatchObject({ "probe.lost": expect.any(Number), "probe.kl": 0 });
    expect(data.flat().length).toBeGreaterThan(0);
    expect(steps.every(({ metrics }) => metrics["updates"] === 1)).toBe(true);
  });

  test("are solved where the run would take their vote for a label", async () => {
    const idle = async (labelRule: RunConfigInput["labelRule"]) => {
      const { events } = await play(newFolder(), { steps: 2, labelRule }, { smallerFirst: "one more" });
      return events.flatMap((event) =>
        event.type === "anomaly" && event.kind === "guard-idle" ? [event.message] : [],
      );
    };
    // A sum and the same turned round are never of one mind; two of the three forms are.
    expect(await idle("consistent")).toEqual([expect.stringMatching(/the vote is sure of [0-7] of 16 probes/)]);
    expect(await idle("quorum")).toEqual([]);
  });

  test("change nothing where they are only looked at", async () => {
    const off = await play(newFolder(), { guard: "off", steps: 4 });
    const note = await play(newFolder(), { guard: "note", steps: 4 });
    expect(note.data).toEqual(off.data);
    expect(note.steps.map(({ groups }) => groups)).toEqual(off.steps.map(({ groups }) => groups));
    expect(off.steps.some(({ metrics }) => "probe.agreement" in metrics || "kinds" in metrics)).toBe(false);
  });

  test("of a topic that cannot draw are its own first questions, kept from teaching", async () => {
    const { generator: _, ...rest } = arithmetic.topic;
    const topic: DefinedTopic = { topic: rest, hidden: arithmetic.hidden };
    const { events, steps, data } = await play(newFolder(), { steps: 12 }, { topic });
    const idle = events.flatMap((event) =>
      event.type === "anomaly" && event.kind === "guard-idle" ? [event.message] : [],
    );
    expect(idle).toEqual([expect.stringContaining("probes: topic arithmetic cannot draw questions")]);
    const withheld = steps.flatMap(({ groups }) => groups.filter(({ signal }) => signal === "withheld"));
    expect(withheld.length).toBeGreaterThan(0);
    const taught = new Set(data.flat().map(({ tokens }) => tokens.join()));
    for (const { answers } of withheld) {
      for (const { promptTokens, tokens } of answers) expect(taught).not.toContain([...promptTokens, ...tokens].join());
    }
    expect(steps.at(-1)?.metrics["probe.lost"]).toBeDefined();
  });

  test("a checker that lies changes nothing that the guard sees or does", async () => {
    const hidden = arithmetic.hidden!;
    const lying: DefinedTopic = { topic: arithmetic.topic, hidden: { ...hidden, check: () => false } };
    const honest = await play(newFolder(), {}, { updatesLeft: 6 });
    const deceived = await play(newFolder(), {}, { updatesLeft: 6, topic: lying });
    expect(guardEvents(honest).length).toBeGreaterThan(0);
    expect(guardEvents(deceived)).toEqual(guardEvents(honest));
    expect(deceived.data).toEqual(honest.data);
  });
});

describe("a collapse", () => {
  test("is undone: the run comes back to a model of before it, and stops when that is lost a third time", async () => {
    const constant = { learningRateSchedule: "constant", warmupSteps: 0, learningRate: 1 } as const;
    const played = await play(newFolder(), { steps: 60, ...constant }, { updatesLeft: 10 });
    const actions = guardEvents(played).map(({ step, action }) => [step, action]);
    expect(actions.filter(([, action]) => action === "roll-back").length).toBeGreaterThanOrEqual(2);
    expect(actions.at(-1)?.[1]).toBe("stop");
    expect(played.events.at(-1)).toMatchObject({ type: "run-end", reason: "stopped" });
    // What is left is a model that adds.
    const [last] = played.events
      .flatMap((event) => (event.type === "evaluation-end" ? [event.evaluation] : []))
      .slice(-1);
    expect(last.levels.every(({ greedy }) => greedy === 1)).toBe(true);
    // The learning rate is halved with each return.
    const rates = played.steps.map(({ metrics }) => metrics["learningRate"]);
    expect(rates[0]).toBe(1);
    expect(rates.at(-1)).toBe(0.25);
  });

  test("that began before a checkpoint and was seen behind it leads back to the one before", async () => {
    // Forgotten in step 10, which is saved; the looks are at 8 and 12.
    const every = { steps: 12, probeEvery: 4, saveEvery: 5 };
    const { events } = await play(newFolder(), every, { updatesLeft: 9 });
    const acted = events.flatMap((event) => (event.type === "guard" ? [[event.step, event.action]] : []));
    expect(new Set(acted.map((one) => one.join(" ")))).toEqual(new Set(["12 roll-back"]));
    const [last] = events.flatMap((event) => (event.type === "evaluation-end" ? [event.evaluation] : [])).slice(-1);
    expect(last.levels.slice(0, 2).map(({ greedy }) => greedy)).toEqual([1, 1]);
  });

  test("is only said with `note`", async () => {
    const played = await play(newFolder(), { guard: "note" }, { updatesLeft: 6 });
    const said = guardEvents(played);
    expect(said.length).toBeGreaterThan(0);
    expect(new Set(said.map(({ action }) => action))).toEqual(new Set(["note"]));
    expect(said.some(({ message }) => message.includes("probes that were solved at the start"))).toBe(true);
    expect(played.events.at(-1)).toMatchObject({ reason: "finished" });
  });

  test.each([
    [
      "behind a return, before its checkpoint",
      (event: RunEvent) => event.type === "guard" && event.action === "roll-back",
    ],
    ["between two checkpoints", (event: RunEvent) => event.type === "step-end" && event.record.step === 10],
    ["before the first step", (event: RunEvent) => event.type === "run-start"],
  ])("a run that is killed %s and goes on equals one that was not", async (_, killAt) => {
    const whole = await play(newFolder(), {}, { updatesLeft: 6 });
    expect(guardEvents(whole).some(({ action }) => action === "roll-back")).toBe(true);
    const folder = newFolder();
    const first = await play(folder, {}, { updatesLeft: 6, killAt });
    const rest = await play(folder, {}, { updatesLeft: 6 });
    const from = rest.steps[0].step;
    const steps = [...first.steps.filter(({ step }) => step < from), ...rest.steps];
    expect(steps.map(timeless)).toEqual(whole.steps.map(timeless));
    const guards = [...guardEvents(first).filter(({ step }) => step < from), ...guardEvents(rest)];
    expect(guards).toEqual(guardEvents(whole));
  });

  test("that ended a run leaves nothing to go on with", async () => {
    const folder = newFolder();
    await play(folder, { steps: 60 }, { updatesLeft: 10 });
    const again = await play(folder, { steps: 60 }, { updatesLeft: 10 });
    expect(again.events.map(({ type }) => type)).toEqual(["run-start", "run-end"]);
  });
});

describe("a teacher", () => {
  const steady = { ...settings, learningRateSchedule: "constant" } as const;

  /** Goes on with a run as if an alarm had called for a teacher before its checkpoint of step 4. */
  async function withTeacher(given: RunConfigInput, engine: Engine = forgetful(1000).engine): Promise<RunEvent[]> {
    const folder = newFolder();
    const { labelRule } = given;
    await play(folder, { steps: 4, ...(labelRule !== undefined && { labelRule }) });
    const config = runConfigSchema.parse({ ...steady, ...given });
    await using workspace = openWorkspace(folder);
    await using store = workspace.openRun(workspace.list()[0].run);
    const saved = (await store.latestCheckpoint())!;
    const guard = saved.state.memory!["guard"] as GuardMemory;
    const posture = { ...guard.posture, rung: "teacher" as const, calm: 0, taught: true, slowed: 1 };
    const checkpoint = { ...saved, state: { ...saved.state, memory: { guard: { ...guard, posture, honest: 4 } } } };
    const events: RunEvent[] = [];
    for await (const event of selfPlay({ topic: arithmetic, config, store, engine, checkpoint })) events.push(event);
    return events;
  }

  test("votes in place of the model that learns, with half of the answers each, until ten looks are calm", async () => {
    const events = await withTeacher({ steps: 28 });
    const steps = events.flatMap((event) => (event.type === "step-end" ? [event.record] : []));
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 24 }, (_, i) => i + 5));
    const taught = steps.filter(({ groups }) =>
      groups.some(({ verdict }) => verdict.kind === "vote" && verdict.taught),
    );
    expect(taught.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 5));
    for (const { groups } of taught) {
      for (const { verdict, answers } of groups) {
        expect(answers).toHaveLength(5);
        expect(verdict.scores).toEqual(answers.map(({ value }) => Number(value !== null && value === verdict.winner)));
        expect(verdict.successRate).toBeCloseTo(verdict.scores.reduce((sum, one) => sum + one, 0) / 5, 10);
      }
    }
    for (const { answers } of steps.at(-1)!.groups) expect(answers).toHaveLength(9);
    // The caution of the time ends with it.
    expect(steps.at(-1)!.metrics["learningRate"]).toBeGreaterThan(steps[19].metrics["learningRate"]);
    // All was calm at the end: there was nothing to look back for.
    expect(events.some((event) => event.type === "guard" && event.detector === "ending")).toBe(false);
  });

  test.each([
    ["has come apart ends with the model that was trusted", 8, "roll-back"],
    ["is as good as the one that was trusted ends as it is", 1000, "note"],
  ] as const)("still votes at the end: a run whose model %s", async (_, updatesLeft, action) => {
    // Two of three forms keep the vote: the alarm is one that a teacher meets.
    const { engine } = forgetful(updatesLeft, "right", "smaller first");
    const events = await withTeacher({ steps: 8, labelRule: "quorum" }, engine);
    const endings = events.flatMap((event) => (event.type === "guard" && event.detector === "ending" ? [event] : []));
    expect(endings).toMatchObject([
      { step: 8, action, message: expect.stringContaining("are right by the trusted model of step 4") },
    ]);
    const [last] = events.flatMap((e) => (e.type === "evaluation-end" ? [e.evaluation] : [])).slice(-1);
    expect(last.levels.slice(0, 2).map(({ greedy }) => greedy)).toEqual([1, 1]);
    expect(events.at(-2)).toMatchObject({ type: "checkpoint-saved", step: 8 });
  });
});

test("a checkpoint to come back to that is gone stops the run and says so, with all that was recorded", async () => {
  const folder = newFolder();
  const removing = (event: RunEvent): boolean => {
    if (event.type === "guard" && event.action === "roll-back") {
      const runs = join(folder, "runs");
      for (const run of readdirSync(runs)) rmSync(join(runs, run, "checkpoints"), { recursive: true });
      for (const run of readdirSync(runs)) mkdirSync(join(runs, run, "checkpoints"));
    }
    return false;
  };
  await expect(play(folder, { saveEvery: 100 }, { updatesLeft: 6, killAt: removing })).rejects.toThrow(/is gone/);
});
