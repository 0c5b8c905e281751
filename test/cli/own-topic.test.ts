// A model is tried on the topic that it was trained on, unless another is asked for, and then it is said.
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Parts } from "../../src/cli/parts.ts";
import { judgeLevels } from "../../src/evaluate/evaluate.ts";
import type { Examinee } from "../../src/evaluate/exam.ts";
import type { RunSummary } from "../../src/events.ts";
import { packageRoot } from "../../src/model/find-model.ts";
import { judgedLevels, runCli, scriptedParts, temporaryFolder } from "./scripted-parts.ts";

let folder: string;
let workspace: string;
let model: string;
beforeEach(() => {
  folder = temporaryFolder();
  workspace = join(folder, ".sqlm");
  model = join(folder, "model");
  mkdirSync(model);
  writeFileSync(join(model, "config.json"), "{}");
  cpSync(join(packageRoot, "templates", "topic", "topic.ts"), join(folder, "sums.ts"));
});

const play = (args: readonly string[], parts: Partial<Parts> = scriptedParts()) =>
  runCli([...args, "--workspace", workspace], parts);

/** Plays a run and gives its summary. */
async function run(topic: string, parts?: Partial<Parts>): Promise<RunSummary> {
  const result = await play(["run", topic, "--model", model, "--steps", "2", "--json"], parts);
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout) as RunSummary;
}

/** The exit code of success, and nothing said of the topic. */
const quiet = { code: 0, stderr: expect.not.stringContaining("trained on") };

/** Scripted parts that note the topic of each evaluation. */
function noting(topics: string[]): Partial<Parts> {
  return {
    ...scriptedParts(),
    judgeLevels: async (_examinee, { topic }) => {
      topics.push(topic.name);
      return judgedLevels(0.9);
    },
  };
}

describe("the topic of a run", () => {
  test("evaluate and ask take it, by the run's name and by the path of a checkpoint", async () => {
    const { run: name, checkpoint } = await run(join(folder, "sums.ts"));
    const topics: string[] = [];
    for (const given of [name, checkpoint]) {
      expect(await play(["evaluate", given, "--json"], noting(topics))).toMatchObject(quiet);
      const asked = await play(["ask", given, "123+456=", "--json"]);
      expect(asked).toMatchObject(quiet);
      // The topic's one restatement: arithmetic would have two.
      const { forms } = JSON.parse(asked.stdout) as { forms: { question: string }[] };
      expect(forms.map(({ question }) => question)).toEqual(["123+456=", "456+123="]);
    }
    expect(topics).toEqual(["sums", "sums"]);
  });

  test("another is taken when it is asked for, and said", async () => {
    const { run: name } = await run(join(folder, "sums.ts"));
    const topics: string[] = [];
    const result = await play(["evaluate", name, "--topic", "arithmetic"], noting(topics));
    expect(result).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/was trained on the topic .*sums\.ts, not on arithmetic/),
    });
    expect(topics).toEqual(["arithmetic"]);
  });

  test("in words: recorded as it is, and resumed from another folder", async () => {
    // The scripted engine is too small for it; what it says does not matter here.
    const fits = { checkFit: async () => {} };
    const interrupt = { ...scriptedParts({ beforeStep: (step) => step === 1 && process.emit("SIGINT") }), ...fits };
    const started = await play(
      ["run", "plain:geometry with circles", "--model", model, "--steps", "2", "--json"],
      interrupt,
    );
    expect(started.code, started.stderr).toBe(3);
    const { run: name } = JSON.parse(started.stdout) as RunSummary;
    const cwd = process.cwd();
    process.chdir(temporaryFolder());
    try {
      expect(await play(["resume", name, "--json"], { ...scriptedParts(), ...fits })).toMatchObject({ code: 0 });
      const listed = await play(["show", name, "--json"]);
      expect(listed.stdout).toContain('"topic":"plain:geometry with circles"');
    } finally {
      process.chdir(cwd);
    }
  });
});

describe("the topic of a folder", () => {
  test("a shipped model is tried on its own topic", async () => {
    const topics: string[] = [];
    expect(await play(["evaluate", "models/multiplication", "--json"], noting(topics))).toMatchObject(quiet);
    expect(topics).toEqual(["multiplication"]);
  });

  test("of any other it is asked for: nothing is guessed", async () => {
    for (const command of [
      ["evaluate", model],
      ["ask", model, "1+2="],
    ]) {
      const result = await play(command);
      expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining("Name it with --topic") });
    }
  });
});

describe("figures of nothing are no figures", () => {
  /** Parts whose model answers every question with this text. */
  const answering = (text: string): Partial<Parts> => ({
    ...scriptedParts(),
    judgeLevels: (examinee, topic, options) => {
      const reply = { tokens: examinee.tokenizer.encode(text), stopReason: "stop" as const };
      const sample: Examinee["sample"] = async (asks) => asks.map(({ numSamples }) => Array(numSamples).fill(reply));
      return judgeLevels({ ...examinee, sample }, topic, options);
    },
  });

  test("no readable answer at all: an error that names the last reason", async () => {
    const result = await play(["evaluate", "models/arithmetic", "--questions", "1"], answering("what?"));
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/Not one of \d+ answers could be read .* topic arithmetic: .*\n.*--topic/);
  });

  test("readable answers, none right: said", async () => {
    const result = await play(["evaluate", "models/arithmetic", "--questions", "1"], answering("1"));
    expect(result).toMatchObject({ code: 0, stderr: expect.stringContaining("No answer was right") });
  });
});
