// What explores, in the loop: questions are asked for by level and begun as earlier ones were, and a run that is killed in the middle
// of it equals one that was not. The model is scripted: with each update it adds a digit more.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type RunConfigInput, runConfigSchema } from "../src/config/config.ts";
import { createScriptedEngine } from "../src/engine/scripted.ts";
import type { RunEvent, StepRecord } from "../src/events.ts";
import { climbProbeKeys } from "../src/exploring.ts";
import { randomStream } from "../src/random.ts";
import { addition } from "../src/topics/addition.ts";
import { readColumns, writeColumns, writeResult } from "../src/topics/addition-notation.ts";
import { drawAddition, sumOf } from "../src/topics/addition-truth.ts";
import { arithmetic } from "../src/topics/arithmetic.ts";
import type { DefinedTopic } from "../src/topics/define-topic.ts";
import { type Played, playOrKill } from "./killed-play.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-explore-"));
  folders.push(folder);
  return folder;
}

/** Adds rightly up to two digits and one more for each update, anything longer at random; three answers in a hundred are wrong. */
const engine = createScriptedEngine({
  reply: ({ prompt, random, updates, temperature }) => {
    if (prompt.startsWith("A")) {
      const [letters, begun] = prompt.slice(1).split("=");
      const written = writeColumns(drawAddition(letters.length, randomStream(random.next())), letters);
      return written.slice(begun.length);
    }
    const columns = prompt.slice(1, -1);
    const sum = readColumns(columns.slice(0, -1));
    if (!sum.ok) return "";
    const letters = columns.replace(/[0-9]/g, "");
    const known = letters.length - 1 <= 2 + updates && !(temperature > 0 && random.next() > 0.97);
    const result = BigInt(sumOf(sum.value)) + (known ? 0n : BigInt(random.integer(1, 9)));
    return writeResult(sum.value, String(result), letters);
  },
});

const settings: RunConfigInput = {
  topic: "addition",
  steps: 8,
  groupsPerBatch: 20,
  groupSize: 9,
  evalEvery: 0,
  evalQuestions: 2,
  saveEvery: 3,
  climb: "on",
  replayShare: 0.2,
  rareCellBonus: 0.1,
  progressBonus: 1,
  chooseQuestions: "teaching",
};

async function play(
  folder: string,
  given: RunConfigInput = {},
  topic: DefinedTopic = addition,
  killAt: (event: RunEvent) => boolean = () => false,
): Promise<Played> {
  return await playOrKill(folder, { ...settings, ...given }, { topic, engine, killAt });
}

const timeless = ({ seconds: _, timing: __, ...record }: StepRecord): object => record;
const askedLevels = ({ proposals }: StepRecord): number[] =>
  proposals.flatMap(({ question }) => (question === null ? [] : [question.difficulty]));

describe("the climb", () => {
  test("asks one level above what is solved, and follows the model up", async () => {
    const { steps } = await play(newFolder(), { replayShare: 0 });
    const frontiers = steps.map(({ metrics }) => metrics["climbFrontier"]);
    expect(frontiers).toEqual([...frontiers].sort((a, b) => a - b));
    expect(frontiers[0]).toBe(2);
    expect(frontiers.at(-1)).toBeGreaterThan(4);
    for (const [i, step] of steps.entries()) {
      const frontier = i === 0 ? 2 : frontiers[i - 1];
      const levels = askedLevels(step);
      expect(Math.max(...levels)).toBe(frontier + 1);
      expect(levels.filter((level) => level === frontier + 1)).toHaveLength(8);
      // What is asked above the frontier is solved too, not only proposed.
      expect(step.groups.some(({ question }) => question.difficulty === frontier + 1)).toBe(true);
    }
  });

  test("neither proposes nor teaches its probes", async () => {
    const config = runConfigSchema.parse(settings);
    const probes = climbProbeKeys({ topic: addition.topic, config, heldOutKeys: new Set() });
    expect(probes.size).toBe(24 * 12);
    const { steps } = await play(newFolder(), { steps: 6 });
    for (const { groups } of steps) for (const { question } of groups) expect(probes).not.toContain(question.key);
  });

  test("is idle, and says why, with a topic that cannot be asked for levels", async () => {
    const idle = async (topic: DefinedTopic): Promise<string[]> => {
      const { events, steps } = await play(newFolder(), { steps: 1, replayShare: 0 }, topic);
      expect(steps[0].metrics).not.toHaveProperty("climbFrontier");
      return events.flatMap((event) =>
        event.type === "anomaly" && event.kind === "explore-idle" ? [event.message] : [],
      );
    };
    expect(await idle(arithmetic)).toEqual(["climb: the topic arithmetic cannot be asked for a level"]);
    const { generator: _, ...rest } = addition.topic;
    expect(await idle({ topic: rest, hidden: addition.hidden })).toEqual([
      "climb: the topic addition cannot draw probes of all its levels",
    ]);
  });
});

describe("replay", () => {
  test("begins a share of the proposals as solved questions did, and reads them whole", async () => {
    const { steps } = await play(newFolder(), { climb: "off", steps: 3, replayShare: 0.25 });
    const begun = steps.map(({ proposals }) => proposals.filter(({ given }) => given !== undefined));
    expect(begun.map(({ length }) => length)).toEqual([0, 10, 10]);
    for (const { promptTokens, tokens, text, given = 0 } of begun.flat()) {
      const { tokenizer } = engine;
      expect(text).toBe(tokenizer.decode([...promptTokens.slice(promptTokens.length - given), ...tokens.slice(0, -1)]));
      expect(readColumns(text).ok).toBe(true);
    }
    expect(steps.at(-1)?.metrics).toMatchObject({ archivedCells: expect.any(Number), rareCells: expect.any(Number) });
  });

  test("a share of 0 changes nothing and keeps nothing", async () => {
    const nothing = { climb: "off", replayShare: 0, rareCellBonus: 0, progressBonus: 0 } as const;
    const off = await play(newFolder(), { ...nothing, steps: 2 });
    expect(off.steps[0].metrics).not.toHaveProperty("archivedCells");
    expect(off.steps[0].metrics).not.toHaveProperty("solveRateError");
    expect(off.steps.flatMap(({ proposals }) => proposals).every(({ given }) => given === undefined)).toBe(true);
  });
});

test("the counterforce is idle, and says why, where forms cannot be split", async () => {
  const idle = async (topic: DefinedTopic, given: RunConfigInput = {}): Promise<string[]> => {
    const { events } = await play(newFolder(), { steps: 1, climb: "off", splitReward: 0.1, ...given }, topic);
    return events.flatMap((event) =>
      event.type === "anomaly" && event.kind === "explore-idle" ? [event.message] : [],
    );
  };
  expect(await idle(addition)).toEqual([]);
  expect(await idle(addition, { consistentVote: false })).toEqual([
    "splitReward: without consistentVote all answers are to one form",
  ]);
  const { restatements: _, ...rest } = addition.topic;
  expect(await idle({ topic: rest, hidden: addition.hidden })).toEqual([
    "splitReward: the topic addition has no restatements and no paraphrases, so its forms cannot be split",
  ]);
});

test("what teaches is chosen from more good questions than are solved, without asking for more answers", async () => {
  const given: RunConfigInput = { climb: "off", replayShare: 0, proposalsPerQuestion: 8, groupsPerBatch: 5, steps: 6 };
  const first = await play(newFolder(), { ...given, chooseQuestions: "first" });
  const chosen = await play(newFolder(), given);
  const solved = ({ steps }: Played): number[] => steps.map(({ groups }) => groups.length);
  expect(solved(chosen)).toEqual(solved(first));
  // Nothing is known in the first step, and a random choice is another one than the first.
  const asked = ({ steps }: Played): string[] => steps[0].groups.map(({ question }) => question.key);
  expect(asked(chosen)).not.toEqual(asked(first));
  const shares = chosen.steps.map(({ metrics }) => metrics["correctedShare"]);
  expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
});

test("a choice is idle, and says why, where there is nothing to choose from", async () => {
  const { events } = await play(newFolder(), { steps: 1, chooseQuestions: "teaching", proposalsPerQuestion: 1 });
  expect(events).toContainEqual(
    expect.objectContaining({
      kind: "explore-idle",
      message: "chooseQuestions: with proposalsPerQuestion 1 there is nothing to choose from",
    }),
  );
});

test.each([4, 6, 7])("a run that is killed at step %i and goes on equals one that was not", async (at) => {
  const whole = await play(newFolder());
  const folder = newFolder();
  const first = await play(folder, {}, addition, (event) => event.type === "step-end" && event.record.step === at);
  const rest = await play(folder);
  const from = rest.steps[0].step;
  expect(from).toBeGreaterThan(1);
  const steps = [...first.steps.filter(({ step }) => step < from), ...rest.steps];
  expect(steps.map(timeless)).toEqual(whole.steps.map(timeless));
});
