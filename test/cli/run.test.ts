import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Parts } from "../../src/cli/parts.ts";
import { notFiniteHint } from "../../src/errors.ts";
import type { RunSummary } from "../../src/events.ts";
import { createModel } from "../../src/model/create-model.ts";
import { lockRun } from "../../src/store/run-lock.ts";
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
const run = (args: readonly string[], parts?: Partial<Parts>): Promise<CliResult> =>
  play(["run", "--model", model, "--steps", "3", ...args], parts);

/** The one object on standard output; fails where there is anything else. */
function summaryOf<Value = RunSummary>({ stdout }: CliResult): Value {
  expect(stdout.endsWith("\n")).toBe(true);
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  return JSON.parse(stdout) as Value;
}

describe("run", () => {
  test("--json: one object with the summary on standard output, everything else on standard error", async () => {
    const result = await run(["arithmetic", "--json"]);
    expect(result.code).toBe(0);
    const summary = summaryOf(result);
    expect(Object.keys(summary)).toEqual([
      "run",
      "checkpoint",
      "steps",
      "seconds",
      "frontier",
      "before",
      "after",
      "best",
      "proposedDifficulty",
    ]);
    expect(summary).toMatchObject({ steps: 3, frontier: 3, best: { step: 3, passAt1: 0.4 } });
    expect(summary.before?.levels.map(({ passAt1 }) => passAt1)).toEqual([0.9, 0.5, 0.1]);
    expect(summary.after?.levels.map(({ passAt1 }) => passAt1)).toEqual([1, 0.9, 0.4]);
    expect(summary.proposedDifficulty.last).toBeGreaterThan(summary.proposedDifficulty.first);
    expect(result.stderr).toContain("step 3/3");
  });

  test("without --json: a line a step, an example with its vote, the table of before and after", async () => {
    const { code, stdout } = await run([]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /step 2\/3 {2}agreement \.\d+ {2}labels right \.\d+ {2}difficulty [\d.]+ {2}taught 2\/3 \(tie 1\)/,
    );
    expect(stdout).toMatch(/10\+10= → 20 ×1, 21 ×1, 1 unreadable · tie/);
    expect(stdout).toMatch(/3 s left/);
    expect(stdout).toMatch(/^ *2 +\.500 → \.900 .* 80 %$/m);
    expect(stdout).not.toContain("\u001b");
  });

  test("an interrupt ends the run after the current step with a checkpoint, and resume finishes it", async () => {
    const script = scriptedParts({ beforeStep: (step) => step === 2 && process.emit("SIGINT") });
    const interrupted = await run(["--json"], script);
    expect(interrupted.code).toBe(3);
    const { run: name, steps } = summaryOf(interrupted);
    expect(steps).toBe(2);
    expect(interrupted.stderr).toMatch(new RegExp(`Go on with: (npx )?sqlm resume ${name} --workspace ${workspace}`));
    expect(process.listenerCount("SIGINT")).toBe(0);

    const resumed = await play(["resume", name, "--json"]);
    expect(resumed.code).toBe(0);
    const whole = summaryOf(await run(["--json"]));
    const { run: _, checkpoint: __, seconds: ___, ...resumedResult } = summaryOf(resumed);
    expect(whole).toMatchObject(resumedResult);
  });

  test("a second interrupt, but not the echo of the first, ends the process by the signal's own action", async () => {
    const kill = vi.spyOn(process, "kill").mockImplementation((pid, signal) => {
      expect(pid).toBe(process.pid);
      throw new Error(`killed by ${signal}`);
    });
    const later = vi.spyOn(performance, "now");
    const script = scriptedParts({
      beforeStep: (step) => {
        if (step !== 1) return;
        process.emit("SIGINT", "SIGINT");
        process.emit("SIGINT", "SIGINT");
        later.mockReturnValue(Number.MAX_SAFE_INTEGER);
        // A shell that ends hangs up more than once.
        process.emit("SIGHUP", "SIGHUP");
        expect(kill).not.toHaveBeenCalled();
        process.emit("SIGTERM", "SIGTERM");
      },
    });
    const { stderr } = await run([], script);
    kill.mockRestore();
    later.mockRestore();
    expect(stderr).toContain("killed by SIGTERM");
  });

  test("a run that has to stop exits with 3, says why and how to go on", async () => {
    const { code, stdout, stderr } = await run([], scriptedParts({ failAt: 2 }));
    expect(code).toBe(3);
    expect(stderr).toContain("sqlm: The loss is NaN.\n  Lower the learning rate.");
    expect(stdout).toMatch(/Go on with: (npx )?sqlm resume arithmetic-/);
  });

  test("what is advised where numbers are no longer finite can be done", async () => {
    const interrupted = summaryOf(await run(["--json"], scriptedParts({ beforeStep: () => process.emit("SIGINT") })));
    const command = /`sqlm (run .*?)`/.exec(notFiniteHint)?.[1] ?? expect.fail("no command");
    const given = { TOPIC: "arithmetic", CHECKPOINT: interrupted.checkpoint, SMALLER: "1e-6" };
    const args = command.replaceAll(/[A-Z]+/g, (word) => given[word as keyof typeof given]).split(" ");
    const flag = /--grad-clip\S+/.exec(notFiniteHint)?.[0] ?? expect.fail("no flag");
    const restarted = await play([...args, "--steps", "1", flag, "0.5", "--json"]);
    expect(restarted.code).toBe(0);
    const { config } = summaryOf<{ config: object }>(await play(["show", summaryOf(restarted).run, "--json"]));
    expect(config).toMatchObject({ model: interrupted.checkpoint, learningRate: 1e-6, gradClipNorm: 0.5 });
  });

  test("what cannot work leaves no run behind", async () => {
    const { code, stderr } = await run(["--loss-fn", "ppo"]);
    expect(code).toBe(2);
    expect(stderr).toContain('has no loss "ppo"');
    expect(summaryOf<{ runs: unknown[] }>(await play(["list", "--json"])).runs).toEqual([]);
  });

  test.each([
    [["run", "arithmtic"], 'Did you mean "arithmetic"?'],
    [["run", "--topic", "a", "b"], "Two topics were given: b and a."],
    [["run", "--stpes", "3"], "unknown option '--stpes'. Did you mean --steps?"],
    [["rum"], "unknown command 'rum'. Did you mean one of rm, run?"],
    [["run", "--workspace", "w", "--steps"], "option '--steps <count>' argument missing."],
    [["run", "--steps", "many"], '--steps must be a number, not "many".'],
    [["run", "--loss-fn", "pppo"], 'Did you mean "ppo"?'],
    [["run", "arithmetic", "algebra"], "too many arguments"],
    [["run", "--model", "nowhere"], 'There is no model "nowhere".'],
    [["resume"], "missing required argument 'run'."],
    [["resume", "nothing"], "There is no run nothing."],
    [["help", "shwo"], 'Did you mean "show"?'],
    [["evaluate", "m", "--questions", "0"], "--questions must be a whole number of at least 1"],
    [["questions", "r", "--agreement", "x"], "--agreement is not a range"],
    [["questions", "r", "--verdict", "tied"], 'Unknown verdict "tied".'],
  ])("%j is refused with exit code 2 and one sentence", async (args, sentence) => {
    const asIs = args[0] === "help" || args.includes("--workspace");
    const { code, stdout, stderr } = await (asIs ? runCli(args, scriptedParts()) : play(args));
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain("    at ");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

describe("recorded runs", () => {
  test("list, show, questions and diff tell what was recorded", async () => {
    const first = summaryOf(await run(["--json"])).run;
    const second = summaryOf(await run(["--json", "--seed", "2"])).run;

    const { runs } = summaryOf<{ runs: { run: string; status: string }[] }>(await play(["list", "--json"]));
    expect(runs.map(({ run: name, status }) => [name, status])).toEqual([
      [second, "finished"],
      [first, "finished"],
    ]);

    const shown = await play(["show", first]);
    expect(shown.stdout).toMatch(/^agreement +[▁▂▃▄▅▆▇█]+ +0\.61 +0\.63/m);
    expect(shown.stdout).toMatch(/^ *3 +\.100 → \.400/m);
    expect(summaryOf<{ totals: { questions: number } }>(await play(["show", first, "--json"])).totals.questions).toBe(
      9,
    );

    const ties = await play(["questions", first, "--verdict", "tie", "--limit", "2"]);
    expect(ties.stdout).toContain("2 of 3 questions.");
    const found = summaryOf<{ total: number; questions: { step: number }[] }>(
      await play(["questions", first, "--difficulty", "3..", "--steps", "2", "--json"]),
    );
    expect(found).toMatchObject({ total: 1, questions: [{ step: 2 }] });

    const diff = await play(["diff", first, second]);
    expect(diff.stdout).toMatch(/^seed +1 +2$/m);
    expect(diff.stdout).toContain("Every step that both have is the same.");
  });
});

test("questions --answers shows answers with the texts that their tokens stand for", async () => {
  const { run: name, checkpoint } = summaryOf(await run(["--json"]));
  // The scripted loop saves no tokenizer.
  const shape = { hiddenSize: 16, intermediateSize: 16, layers: 1, heads: 1, maxPositions: 8, seed: 1 };
  createModel(checkpoint, { architecture: "LlamaForCausalLM", characters: "abc", ...shape });
  const shown = await play(["questions", name, "--steps", "1", "--difficulty", "1", "--answers"]);
  expect(shown.stdout).toMatch(/^step 1: 1\+1=$/m);
  expect(shown.stdout).toMatch(/^ *2 +0 +1 +0 +-0\.3 +a$/m);
  interface Answered {
    questions: { answers: { value: string; text: string }[] }[];
  }
  const answered = summaryOf<Answered>(await play(["questions", name, "--answers", "--limit", "1", "--json"]));
  expect(answered.questions[0].answers.map(({ value, text }) => [value, text])).toEqual([
    ["2", "a"],
    ["2", "a"],
    ["3", "a"],
  ]);
});

describe("export and gc", () => {
  test("data leaves as JSON lines, Parquet and TensorBoard events", async () => {
    const name = summaryOf(await run(["--json"])).run;
    const to = join(temporaryFolder(), "out");
    expect((await play(["export", "jsonl", name, "--to", to, "--tables", "questions,steps"])).code).toBe(0);
    const lines = readFileSync(join(to, "questions.jsonl"), "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(9);
    expect(JSON.parse(lines[0])).toMatchObject({ step: 1, question: "1+1=" });
    expect((await play(["export", "parquet", name, "--to", to, "--tables", "answers"])).code).toBe(0);
    expect(readFileSync(join(to, "answers.parquet")).subarray(0, 4).toString()).toBe("PAR1");
    expect((await play(["export", "tensorboard", name, "--to", to])).code).toBe(0);
    const wrong = await play(["export", "jsonl", name, "--to", to, "--tables", "answer"]);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean "answers"?') });
  });

  test("a model leaves without what only the loop needs, and never over another", async () => {
    const name = summaryOf(await run(["--json"])).run;
    const to = join(temporaryFolder(), "model");
    const exported = summaryOf<{ files: string[] }>(await play(["export", "model", name, "--to", to, "--json"]));
    expect(exported.files).toEqual([join(to, "config.json")]);
    expect(await play(["export", "model", name, "--to", to])).toMatchObject({ code: 2 });
    expect(await play(["export", "model", name, "--to", `${to}2`, "--step", "1"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("It keeps those of steps 3."),
    });
  });

  test("gc removes superseded rows and what was half-written, after saying so, and nothing of the run itself", async () => {
    // Checkpoint at 2 (interrupt), then step 3 fails after being recorded once: the next resume supersedes nothing,
    // so step 3 is recorded by a run that dies before its checkpoint.
    const interrupt = scriptedParts({ beforeStep: (step) => step === 2 && process.emit("SIGINT") });
    const name = summaryOf(await run(["--steps", "4", "--json"], interrupt)).run;
    await play(["resume", name], scriptedParts({ failAt: 4 }));
    const { code } = await play(["resume", name]);
    expect(code).toBe(0);
    mkdirSync(join(workspace, "runs", name, "checkpoints", ".writing-step-000009"));
    const before = (await play(["show", name, "--json"])).stdout;

    interface Report {
      runs: { run: string; rows: number; folders: string[] }[];
    }
    const dry = summaryOf<Report>(await play(["gc", "--dry-run", "--json"]));
    expect(dry.runs[0].rows).toBeGreaterThan(8);
    expect(dry.runs[0].folders.map((folder) => basename(folder))).toEqual([".writing-step-000009"]);
    const done = summaryOf<Report>(await play(["gc", name, "--json"]));
    expect(done.runs).toEqual(dry.runs);
    const again = summaryOf<Report>(await play(["gc", "--json"]));
    expect(again.runs[0]).toMatchObject({ rows: 0, folders: [] });
    const after = (await play(["show", name, "--json"])).stdout;
    expect(JSON.parse(after)).toEqual({ ...JSON.parse(before), supersededSteps: 0 });
  });

  test("gc --keep 1 keeps the newest checkpoint", async () => {
    const interrupt = scriptedParts({ beforeStep: (step) => step === 2 && process.emit("SIGINT") });
    const name = summaryOf(await run(["--json"], interrupt)).run;
    await play(["resume", name]);
    const { runs } = summaryOf<{ runs: { folders: string[] }[] }>(await play(["gc", "--keep", "1", "--json"]));
    expect(runs[0].folders.map((folder) => basename(folder))).toEqual(["step-000002"]);
    const { checkpoints } = summaryOf<{ checkpoints: { step: number }[] }>(await play(["show", name, "--json"]));
    expect(checkpoints.map(({ step }) => step)).toEqual([3]);
    expect(existsSync(join(workspace, "runs", name, "checkpoints", "step-000003"))).toBe(true);
  });
});

describe("experiments", () => {
  const write = (variants: object[]): string => {
    const file = join(temporaryFolder(), "experiment.mjs");
    const experiment = { name: "two", config: { model, steps: 2 }, variants };
    writeFileSync(file, `export const experiment = ${JSON.stringify(experiment)};`);
    return file;
  };

  test("every variant with every seed, in one object", async () => {
    const file = write([{ name: "plain" }, { name: "shuffled", control: "shuffled-vote", config: { groupSize: 4 } }]);
    const result = await play(["experiment", file, "--seeds", "1,5", "--parallel", "2", "--json"]);
    expect(result.code).toBe(0);
    interface Variant {
      name: string;
      seeds: { seed: number; before: object; after: object }[];
      errorRemoved: { mean: number; sd: number };
    }
    const { variants } = summaryOf<{ variants: Variant[] }>(result);
    expect(variants.map(({ name, seeds }) => [name, seeds.map(({ seed }) => seed)])).toEqual([
      ["plain", [1, 5]],
      ["shuffled", [1, 5]],
    ]);
    expect(variants[0].errorRemoved).toEqual({ mean: expect.closeTo(1 / 3), sd: expect.closeTo(0) });
    const { runs } = summaryOf<{ runs: { status: string }[] }>(await play(["list", "--json"]));
    expect(runs.map(({ status }) => status)).toEqual(Array(4).fill("finished"));
  });

  test("--model is every variant's that names none, and is looked for from here", async () => {
    const other = join(temporaryFolder(), "other");
    cpSync(model, other, { recursive: true });
    const file = write([{ name: "any" }, { name: "its own", config: { model } }]);
    const result = await play([
      "experiment",
      file,
      "--seeds",
      "1",
      "--model",
      relative(process.cwd(), other),
      "--json",
    ]);
    expect(result.code).toBe(0);
    const { runs } = summaryOf<{ runs: { run: string; trial: { variant: string } }[] }>(await play(["list", "--json"]));
    const models = await Promise.all(
      runs.map(async ({ run, trial }) => {
        const { config } = summaryOf<{ config: { model: string } }>(await play(["show", run, "--json"]));
        return [trial.variant, config.model];
      }),
    );
    expect(Object.fromEntries(models)).toEqual({ any: other, "its own": model });

    const lost = await play(["experiment", file, "--seeds", "1", "--model", "./nowhere"]);
    expect(lost).toMatchObject({ code: 2, stderr: expect.stringContaining("nowhere") });
  });

  test("a mistake in the last variant is found before the first run", async () => {
    const result = await play(["experiment", write([{ name: "a" }, { name: "b", config: { stepz: 3 } }])]);
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('variant b: unknown setting "stepz"') });
    expect(existsSync(workspace)).toBe(false);
  });

  interface Results {
    variants: { seeds: RunSummary[] }[];
  }
  interface Listed {
    runs: { run: string; status: string; trial: object | null }[];
  }
  const controls = [{ name: "plain" }, { name: "truth", control: "oracle" }];
  /** What of an experiment's result no clock and no workspace decides. */
  const table = (result: CliResult): object =>
    JSON.parse(result.stdout, (key, value: unknown) =>
      ["run", "checkpoint", "seconds"].includes(key) ? undefined : value,
    ) as object;
  const listed = async (): Promise<Listed["runs"]> =>
    summaryOf<Listed>(await play(["list", "--json"])).runs.toReversed();

  test.each(["1", "2", "4"])(
    "interrupted, the same command goes on and ends in the same table, %s at a time",
    async (parallel) => {
      const file = write(controls);
      const command = ["experiment", file, "--seeds", "1,2", "--parallel", parallel, "--json"];
      let steps = 0;
      const script = scriptedParts({ beforeStep: () => ++steps === 5 && process.emit("SIGINT") });
      const interrupted = await play(command, script);
      expect(interrupted).toMatchObject({ code: 3, stdout: "" });
      expect(interrupted.stderr).toContain("The same command goes on from here");
      const before = await listed();

      const resumed = await play(command);
      expect(resumed.code).toBe(0);
      const after = await listed();
      expect(after.slice(0, before.length).map(({ run: name }) => name)).toEqual(before.map(({ run: name }) => name));
      expect(after).toHaveLength(4);
      expect(new Set(after.map(({ trial }) => JSON.stringify(trial))).size).toBe(2);
      expect(after.map(({ status }) => status)).toEqual(Array(4).fill("finished"));
      for (const { run: name, status } of before) {
        const line = status === "finished" ? `(${name}, from the record)` : `going on with ${name} from step `;
        expect(resumed.stderr).toContain(line);
      }

      workspace = join(temporaryFolder(), ".sqlm");
      expect(table(resumed)).toEqual(table(await play(command)));
    },
  );

  test("a run that was killed is gone on with; one that has other settings, control or name is not taken for it", async () => {
    const file = write(controls);
    const whole = await play(["experiment", file, "--seeds", "1", "--json"]);
    const known = (await listed()).map(({ run: name }) => name);
    const database = new DatabaseSync(join(workspace, "sqlm.db"));
    database.exec("UPDATE runs SET status = 'running' WHERE control IS NULL");
    const killed = await play(["experiment", file, "--seeds", "1", "--json"]);
    expect(killed.stderr).toContain(`plain, seed 1: going on with ${known[0]} from step 2`);
    expect(killed.stderr).toContain(`(${known[1]}, from the record)`);
    expect(table(killed)).toEqual(table(whole));

    for (const change of [
      "variant = 'other'",
      "control = 'shuffled-vote'",
      "experiment = 'one'",
      "config = json_set(config, '$.groupSize', 3)",
    ]) {
      const count = (await listed()).length;
      database.exec(`UPDATE runs SET ${change} WHERE id = (SELECT max(id) FROM runs WHERE control = 'oracle')`);
      const again = await play(["experiment", file, "--seeds", "1", "--json"]);
      expect(again.code).toBe(0);
      expect(await listed()).toHaveLength(count + 1);
    }
    database.close();
  });

  test("what is reused is what the run printed; --fresh plays all anew", async () => {
    const command = ["experiment", write([{ name: "plain" }]), "--seeds", "1,2", "--json"];
    const printed = summaryOf<Results>(await play(command));
    expect(
      summaryOf<Results>(await play(command, { ...scriptedParts(), selfPlay: () => expect.fail("played") })),
    ).toEqual(printed);
    const fresh = summaryOf<Results>(await play([...command, "--fresh"]));
    expect(fresh.variants[0].seeds.map(({ run: name }) => name)).not.toEqual(
      printed.variants[0].seeds.map(({ run: name }) => name),
    );
    expect(await listed()).toHaveLength(4);
  });

  test("a trial that another process plays is not played twice", async () => {
    const command = ["experiment", write([{ name: "plain" }]), "--seeds", "1", "--json"];
    await play(command);
    const [{ run: name }] = await listed();
    const database = new DatabaseSync(join(workspace, "sqlm.db"));
    database.exec("UPDATE runs SET status = 'running'");
    database.close();
    using _lock = lockRun(name, join(workspace, "runs", name));
    expect(await play(command)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is open in another process"),
    });
    expect(await play([...command, "--fresh"])).toMatchObject({ code: 0 });
  });

  test("the first failure ends the other trials with a checkpoint, and is what is reported", async () => {
    let steps = 0;
    // Long enough that none finishes before it hears of the failure.
    const long = ["a", "b", "c"].map((name) => ({ name, config: { steps: 60 } }));
    const parts = scriptedParts({
      beforeStep: () => {
        if (++steps === 3) throw new Error("out of memory");
      },
    });
    const result = await play(["experiment", write(long), "--seeds", "1", "--parallel", "2"], parts);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining("sqlm: out of memory") });
    expect((await listed()).map(({ status }) => status).sort()).toEqual(["crashed", "interrupted"]);
  });

  test.each([
    [["--seeds", "1,2,1"], controls, "--seeds names 1 twice"],
    [[], [{ config: {} }], "The variant has no name."],
  ])("%j with %j is refused", async (flags, variants, sentence) => {
    const result = await play(["experiment", write(variants), ...flags]);
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) });
  });

  test("the record says which runs are controls, and resume goes on under the control", async () => {
    const seen: (string | null)[] = [];
    const watched = (script: Parameters<typeof scriptedParts>[0] = {}): Partial<Parts> => {
      const parts = scriptedParts(script);
      return {
        ...parts,
        selfPlay: (options) => {
          seen.push(options.control?.name ?? null);
          return parts.selfPlay!(options);
        },
      };
    };
    const interrupt = watched({ beforeStep: () => process.emit("SIGINT") });
    await play(["experiment", write(controls.toReversed()), "--seeds", "1"], interrupt);
    await run([], watched());
    const [control, plain] = await listed();
    expect([control.trial, plain.trial]).toEqual([{ experiment: "two", variant: "truth", control: "oracle" }, null]);

    const resumed = await play(["resume", control.run], watched());
    expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining("two: truth (control oracle)") });
    expect(seen).toEqual(["oracle", null, "oracle"]);

    expect((await play(["list"])).stdout).toContain("two: truth (control oracle)");
    expect((await play(["show", control.run])).stdout).toContain("two: truth (control oracle)");
    expect(summaryOf<object>(await play(["show", control.run, "--json"]))).toMatchObject({ trial: control.trial });
    expect(summaryOf<object>(await play(["diff", control.run, plain.run, "--json"]))).toMatchObject({
      trial: [
        { key: "experiment", a: "two", b: null },
        { key: "variant", a: "truth", b: null },
        { key: "control", a: "oracle", b: null },
      ],
    });
    expect((await play(["diff", control.run, plain.run])).stdout).toMatch(/^control +oracle +-$/m);
    expect(await run(["--control", "oracle"])).toMatchObject({ code: 2 });
  });
});

describe("models", () => {
  test("evaluate --json gives the levels, also of a run's newest checkpoint", async () => {
    const name = summaryOf(await run(["--json"])).run;
    for (const given of [model, name]) {
      const result = await play(["evaluate", given, "--topic", "arithmetic", "--json"]);
      const evaluation = summaryOf<{ model: string; topic: string; levels: object[] }>(result);
      expect(evaluation).toMatchObject({ model: given, topic: "arithmetic" });
      expect(Object.keys(evaluation.levels[0])).toEqual([
        "difficulty",
        "passAt1",
        "passAt1Interval",
        "greedy",
        "majAt16",
        "questions",
        "greedyInterval",
        "majAt16Interval",
      ]);
    }
  });

  test("ask lets answers vote over all forms of the question", async () => {
    const { stdout } = await play(["ask", model, "123+456=", "--topic", "arithmetic", "--votes", "7"]);
    expect(stdout).toMatch(/^123\+456= → 579$/m);
    // The scripted solver always says 579: right for the question and its swapped form, wrong for the moved operand.
    expect(stdout).toMatch(/^456\+123= +579 +2$/m);
    expect(stdout).toMatch(/^123\+567= +468 +2$/m);
    expect(stdout).toMatch(/^579 +3 +\.429/m);
    expect(stdout).toContain("The forms do not agree");
    const asked = await play(["ask", model, "123+456=", "--topic", "arithmetic", "--votes", "7", "--json"]);
    expect(summaryOf<object>(asked)).toMatchObject({ verdict: { winner: "579", groupSize: 7, unreadable: 3 } });
  });

  test("ask refuses what is no question of the topic", async () => {
    const { code, stderr } = await play(["ask", model, "how are you?", "--topic", "arithmetic"]);
    expect(code).toBe(2);
    expect(stderr).toContain("how are you?");
  });
});
