// Going on with runs: what is checked and said before, and what may be changed.
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Parts } from "../../src/cli/parts.ts";
import { changesOf, sourcesOf } from "../../src/cli/run-sources.ts";
import type { RunSummary } from "../../src/events.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { type CliResult, runCli, scriptedParts, temporaryFolder } from "./scripted-parts.ts";

let workspace: string;
let model: string;
beforeEach(() => {
  workspace = join(temporaryFolder(), ".sqlm");
  model = temporaryFolder();
  writeFileSync(join(model, "config.json"), "{}");
});

const play = (args: readonly string[], parts: Partial<Parts> = scriptedParts()): Promise<CliResult> =>
  runCli([...args, "--workspace", workspace], parts);
const run = (args: readonly string[] = [], parts?: Partial<Parts>): Promise<CliResult> =>
  play(["run", "--model", model, "--steps", "3", ...args], parts);

/** A loop that is interrupted after this step, with a checkpoint. */
const interruptedAt = (step: number) =>
  scriptedParts({ beforeStep: (now) => now === step && process.emit("SIGINT", "SIGINT") });

function resultOf<Value = RunSummary>({ stdout, stderr }: CliResult): Value {
  expect(stdout, stderr).not.toBe("");
  return JSON.parse(stdout) as Value;
}

interface Shown {
  run: string;
  status: string;
  lastStep: number;
  config: Record<string, unknown>;
  anomalies: { step: number; kind: string; message: string }[];
}
const show = async (name: string): Promise<Shown> => resultOf<Shown>(await play(["show", name, "--json"]));

/** A topic file that imports another file and reads a third. */
function writeTopic(): { readonly topic: string; readonly folder: string } {
  const folder = temporaryFolder();
  const source = `import { prompt } from "./prompt.mjs";
    import { readFileSync } from "node:fs";
    readFileSync(new URL("./words.txt", import.meta.url));
    const topic = { name: "mine", description: "Nothing.", verification: "vote", maxTokens: { propose: 4, solve: 4 },
      proposePrompt: () => prompt, readQuestion: () => ({ ok: false, reason: "no" }), solvePrompt: () => "S",
      readAnswer: () => ({ ok: false, reason: "no" }) };
    export { defined as topic };
    const defined = { topic, hidden: null };`;
  writeFileSync(join(folder, "mine.mjs"), source);
  writeFileSync(join(folder, "prompt.mjs"), `export const prompt = "P";`);
  writeFileSync(join(folder, "words.txt"), "one two");
  return { topic: join(folder, "mine.mjs"), folder };
}

describe("what a run was made from", () => {
  test.each(["mine.mjs", "prompt.mjs", "words.txt"])("another %s is refused, or noted with --changed", async (name) => {
    const { topic, folder } = writeTopic();
    const { run: made } = resultOf(await run([topic, "--json"], interruptedAt(2)));
    writeFileSync(join(folder, name), `${readFileSync(join(folder, name), "utf8")}\n//`);
    const refused = await play(["resume", made]);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain(`the topic file ${name} has changed since it was made`);
    expect(refused.stderr).toContain(`sqlm resume ${made} --changed`);
    expect(await show(made)).toMatchObject({ status: "interrupted", lastStep: 2, anomalies: [] });

    const resumed = await play(["resume", made, "--changed"]);
    expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining(`the topic file ${name} has changed`) });
    const { anomalies, status } = await show(made);
    expect(status).toBe("finished");
    expect(anomalies).toEqual([{ step: 2, kind: "changed-source", message: expect.stringContaining(name) }]);
    // What is noted once is what the run is made of from then on.
    expect(await play(["resume", made])).toMatchObject({ code: 0 });
  });

  test("another model is refused; the same in place again is not", async () => {
    const { run: made } = resultOf(await run(["--json"], interruptedAt(2)));
    writeFileSync(join(model, "model.safetensors"), "other weights");
    const refused = await play(["resume", made]);
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("the model file model.safetensors is new"),
    });
    rmSync(join(model, "model.safetensors"));
    expect(await play(["resume", made])).toMatchObject({ code: 0 });
  });

  test("a starting model that is gone whole is not missed where a checkpoint is", async () => {
    const { run: made, checkpoint } = resultOf(await run(["--json"], interruptedAt(2)));
    rmSync(model, { recursive: true });
    const parts = scriptedParts();
    const opened: string[] = [];
    const watched: Partial<Parts> = {
      ...parts,
      openEngine: (options) => {
        opened.push(options.model);
        return parts.openEngine!(options);
      },
    };
    expect(await play(["resume", made], watched)).toMatchObject({ code: 0 });
    expect(opened).toEqual([checkpoint]);
  });

  test("so where there is none, it is said", async () => {
    await run([], scriptedParts({ failAt: 2 }));
    rmSync(model, { recursive: true });
    expect(await play(["resume", "latest"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("There is no model"),
    });
  });

  test("an experiment plays a trial anew whose topic file is another since, and finds files beside its own", async () => {
    const { topic, folder } = writeTopic();
    const file = join(folder, "experiment.mjs");
    const experiment = { name: "one", config: { topic: "./mine.mjs", model, steps: 1 }, variants: [{ name: "a" }] };
    writeFileSync(file, `export const experiment = ${JSON.stringify(experiment)};`);
    const names = async (): Promise<string> => (await play(["list", "--names"])).stdout;
    const command = ["experiment", file, "--seeds", "1"];
    expect(await play(command)).toMatchObject({ code: 0 });
    const first = await names();
    await play(command);
    expect(await names()).toBe(first);
    writeFileSync(topic, `${readFileSync(topic, "utf8")}\n// changed`);
    await play(command);
    expect((await names()).split("\n")).toHaveLength(first.split("\n").length + 1);
  });

  test("a model of one file has its own checksum", async () => {
    const file = join(model, "some.gguf");
    writeFileSync(file, "weights");
    const before = await sourcesOf({ topic: "arithmetic", model: file });
    expect(Object.keys(before.model)).toEqual(["some.gguf"]);
    writeFileSync(file, "others");
    const now = await sourcesOf({ topic: "arithmetic", model: file });
    expect(changesOf(before, now)).toEqual(["the model file some.gguf has changed"]);
  });

  test("a run without checksums resumes as it is", async () => {
    const { run: made } = resultOf(await run(["--json"], interruptedAt(2)));
    const database = new DatabaseSync(join(workspace, "sqlm.db"));
    database.exec("UPDATE runs SET sources = NULL");
    database.close();
    writeFileSync(join(model, "tokenizer.json"), "other");
    expect(await play(["resume", made])).toMatchObject({ code: 0 });
  });
});

describe("lost work", () => {
  /** A run interrupted at steps 1 and 2, so that it has two checkpoints. */
  async function withTwoCheckpoints(): Promise<{ readonly name: string; readonly folder: string }> {
    const { run: name } = resultOf(await run(["--json"], interruptedAt(1)));
    await play(["resume", name], interruptedAt(2));
    return { name, folder: join(workspace, "runs", name, "checkpoints") };
  }

  test("a broken newest checkpoint is said before anything is opened", async () => {
    const { name, folder } = await withTwoCheckpoints();
    truncateSync(join(folder, "step-000002", "optimizer.safetensors"), 1);
    let opened = "";
    const parts = scriptedParts();
    const write = vi.spyOn(process.stderr, "write");
    const resumed = await play(["resume", name], {
      ...parts,
      openEngine: (options) => {
        opened = write.mock.calls.map(([text]) => text).join("");
        return parts.openEngine!(options);
      },
    });
    expect(resumed.code).toBe(0);
    for (const text of [resumed.stderr]) {
      expect(text).toContain("Checkpoint step-000002 is broken and was skipped");
      expect(text).toContain(
        "Going on from step 1: step 2 is played again, since the newest checkpoint (step 2) is lost.",
      );
    }
    expect(resumed.stderr.indexOf("is played again")).toBeLessThan(resumed.stderr.indexOf("checkpoint of step 3"));
    expect(opened).toContain("");
  });

  test("with no checkpoint left a run is not begun again unasked", async () => {
    const { name, folder } = await withTwoCheckpoints();
    for (const step of readdirSync(folder)) rmSync(join(folder, step, "manifest.json"));
    const refused = await play(["resume", name]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("has no checkpoint left that is whole") });
    expect(await show(name)).toMatchObject({ lastStep: 2 });
    const again = await play(["resume", name, "--from-start"]);
    expect(again).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("from the start: steps 1 to 2 are played again"),
    });
  });

  test("so where its folders are gone", async () => {
    const { name, folder } = await withTwoCheckpoints();
    rmSync(folder, { recursive: true });
    expect(await play(["resume", name])).toMatchObject({ code: 2 });
  });

  test("a run that ended before its first checkpoint begins again, and says so", async () => {
    const stopped = await run([], scriptedParts({ failAt: 3 }));
    expect(stopped.code).toBe(3);
    const resumed = await play(["resume", "latest"]);
    expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining("steps 1 to 2 are played again") });
  });
});

describe("going on", () => {
  test("a finished run gets more steps, which its record says", async () => {
    await run(["--name", "first"]);
    const again = await play(["resume", "first"]);
    expect(again.stderr).toContain("sqlm resume first --steps 103");
    expect(await play(["resume", "first", "--steps", "3"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("has 3 steps already"),
    });
    expect(await play(["resume", "first", "--steps", "5"])).toMatchObject({ code: 0 });
    const { config, lastStep, anomalies } = await show("first");
    expect({ steps: config["steps"], lastStep }).toEqual({ steps: 5, lastStep: 5 });
    expect(anomalies).toMatchObject([{ step: 3, kind: "other-steps" }]);
  });

  test("a run starts from where another ended", async () => {
    await run(["--name", "first"]);
    for (const name of ["first", "latest", "fir"]) {
      const second = resultOf(await play(["run", "--model", name, "--steps", "1", "--json"]));
      const { config } = await show(second.run);
      expect(config["model"]).toContain(join("runs"));
      await play(["rm", second.run, "--yes"]);
    }
    // A model's own name goes before runs that begin with it.
    await run([]);
    const shipped = resultOf(await play(["run", "--model", "arithmetic", "--steps", "1", "--json"]));
    expect((await show(shipped.run)).config["model"]).toMatch(/models.arithmetic$/);
  });

  test("names: whole, their only beginning, or latest; a name of one's own", async () => {
    await run(["--name", "alpha-1"]);
    await run(["--name", "alpha-2"]);
    await run(["--name", "beta"]);
    expect((await show("b")).run).toBe("beta");
    expect((await show("latest")).run).toBe("beta");
    expect((await show("alpha-1")).run).toBe("alpha-1");
    const ambiguous = await play(["show", "alpha"]);
    expect(ambiguous).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Give more of the name: alpha-1, alpha-2."),
    });
    const diff = await play(["diff", "alpha-1", "latest", "--json"]);
    expect(resultOf<{ b: string }>(diff).b).toBe("beta");
    expect((await play(["list", "--names"])).stdout).toBe("beta\nalpha-2\nalpha-1\n");
    for (const [name, sentence] of [
      ["latest", "it stands for the newest"],
      ["BETA", "There is a run BETA already"],
      ["../out", "cannot be the name of a run"],
      ["", "cannot be the name of a run"],
      [".hidden", "cannot be the name of a run"],
    ]) {
      expect(await run(["--name", name])).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) });
    }
    expect(resultOf<{ runs: object[] }>(await play(["list", "--json"])).runs).toHaveLength(3);
  });

  test("rm asks, removes a run whole, and not one that another started from", async () => {
    await run(["--name", "first"]);
    await play(["run", "--model", "first", "--steps", "1", "--name", "second"]);
    const unasked = await play(["rm", "first"]);
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
    const needed = await play(["rm", "first", "--yes"]);
    expect(needed).toMatchObject({ code: 2, stderr: expect.stringContaining("Run second started from a checkpoint") });
    expect(await play(["rm", "second", "--yes"])).toMatchObject({ code: 0 });
    expect(await play(["rm", "fir", "--yes"])).toMatchObject({ code: 0 });
    expect(readdirSync(join(workspace, "runs"))).toEqual([]);
    const database = new DatabaseSync(join(workspace, "sqlm.db"));
    for (const table of ["runs", "events", "steps", "metrics", "proposals", "questions", "prompts", "answers"]) {
      expect(database.prepare(`SELECT count(*) AS n FROM ${table}`).get(), table).toEqual({ n: 0 });
    }
    database.close();
  });
});

describe("who hears of a run", () => {
  test("--quiet says the result and nothing on the way", async () => {
    const { stdout, stderr } = await run(["--quiet"]);
    expect(stdout).not.toContain("step 1");
    expect(stdout).toContain("The result is a Hugging Face folder");
    expect(stderr).toBe("");
  });

  test("--events adds a line an event to a file, and has standard output to itself with -", async () => {
    const file = join(temporaryFolder(), "new", "events.jsonl");
    const { run: name } = resultOf(await run(["--json", "--events", file], interruptedAt(2)));
    await play(["resume", name, "--events", file]);
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const events = lines.map((line) => JSON.parse(line) as { type: string; step?: number });
    expect(events.filter(({ type }) => type === "step-end").map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(events.at(-1)).toMatchObject({ type: "run-end", reason: "finished" });

    const { stdout, stderr } = await run(["--events", "-"]);
    for (const line of stdout.trimEnd().split("\n")) expect(JSON.parse(line)).toHaveProperty("type");
    expect(stderr).toContain("step 3/3");
    expect(await run(["--events", "-", "--json"])).toMatchObject({ code: 2 });
    expect(await run(["--events", join(model, "config.json", "x")])).toMatchObject({ code: 2 });
  });

  test("--tensorboard writes while the run goes what export writes afterwards", async () => {
    const folder = temporaryFolder();
    const sizes: number[] = [];
    const sizeNow = (): void => {
      const [name] = readdirSync(folder);
      const [file] = readdirSync(join(folder, name));
      sizes.push(readFileSync(join(folder, name, file)).length);
    };
    await run(["--name", "one", "--tensorboard", folder], scriptedParts({ beforeStep: sizeNow }));
    expect(sizes[0]).toBeLessThan(sizes[1]);
    expect(sizes[1]).toBeLessThan(sizes[2]);
    const to = temporaryFolder();
    await play(["export", "tensorboard", "one", "--to", to]);
    const [live] = readdirSync(join(folder, "one"));
    const [exported] = readdirSync(to);
    expect(live).toBe(exported);
    expect(readFileSync(join(folder, "one", live)).length).toBe(readFileSync(join(to, exported)).length);
  });
});

test("at 40 columns no table is wider", async () => {
  await run(["--name", "one"]);
  vi.stubEnv("COLUMNS", "40");
  const commands = [["list"], ["config"], ["topics"], ["evaluate", model, "--topic", "arithmetic"]];
  for (const command of commands) {
    const { stdout } = await (command[0] === "config" || command[0] === "topics"
      ? runCli(command, scriptedParts())
      : play(command));
    const table = stdout.split("\n").filter((line) => !/^(sqlm|A topic)/.test(line));
    expect(Math.max(...table.map((line) => line.length)), stdout).toBeLessThanOrEqual(40);
  }
  vi.unstubAllEnvs();
});

describe("before a run", () => {
  test("a disk without room for a checkpoint is said, and no run is made", async () => {
    const parts: Partial<Parts> = {
      ...scriptedParts(),
      openWorkspace: async (folder) => openWorkspace(folder, { now: Date.now, freeBytes: async () => 1000 }),
      openEngine: () => expect.fail("opened"),
    };
    const refused = await run([], parts);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("has 0 MiB left") });
    expect(await play(["list"])).toMatchObject({ stdout: expect.stringContaining("no runs here yet") });
  });

  test("an unknown metric is refused with the nearest", async () => {
    await run(["--name", "one"]);
    const refused = await play(["show", "one", "--metrics", "agreemnt"]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean "agreement"?') });
  });
});

test("rebuild makes a database again with everything but questions, and runs go on", async () => {
  const { run: first } = resultOf(await run(["--json", "--name", "first"]));
  await run(["--name", "second"], interruptedAt(2));
  const before = [await show(first), await show("second")];
  expect(await play(["rebuild"])).toMatchObject({ code: 2, stderr: expect.stringContaining("is whole") });
  for (const end of ["", "-wal", "-shm"]) rmSync(join(workspace, `sqlm.db${end}`), { force: true });
  writeFileSync(join(workspace, "sqlm.db"), "not a database any more ".repeat(500));
  expect(await play(["list"])).toMatchObject({ code: 1, stderr: expect.stringContaining("sqlm rebuild") });
  // One that an older version left, a folder that is no run, and a torn line.
  mkdirSync(join(workspace, "runs", "old"));
  const log = join(workspace, "runs", "second", "events.jsonl");
  writeFileSync(log, `${readFileSync(log, "utf8")}{"type":"step-end","st`);
  const rebuilt = await play(["rebuild", "--json"]);
  expect(resultOf<object>(rebuilt)).toMatchObject({
    runs: [
      { run: "first", steps: 3, checkpoints: 1, unreadable: 0 },
      { run: "second", steps: 2, checkpoints: 1, unreadable: 1 },
    ],
    skipped: [{ run: "old", reason: expect.stringContaining("no run.json") }],
    movedTo: join(workspace, "sqlm.db.before-rebuild"),
  });
  for (const [index, name] of ["first", "second"].entries()) expect(await show(name)).toEqual(before[index]);
  expect(await play(["resume", "second"])).toMatchObject({ code: 0 });
  expect((await show("second")).status).toBe("finished");
});

test("rebuild in a copy of the workspace elsewhere", async () => {
  await run(["--name", "one"]);
  const copy = join(temporaryFolder(), "copy");
  cpSync(workspace, copy, { recursive: true });
  rmSync(join(copy, "sqlm.db"));
  renameSync(workspace, `${workspace}-gone`);
  workspace = copy;
  expect(await play(["rebuild"])).toMatchObject({ code: 0 });
  expect(await show("one")).toMatchObject({ status: "finished" });
});
