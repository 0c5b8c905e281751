// Commands work exactly as they are printed: in the README, in the headers of examples, by `sqlm init`, and by a run at its
// end. Each is given to a shell, with the real engine and settings for a look; experiments, which take hours, are played
// by a scripted engine.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Parts } from "../../src/cli/parts.ts";
import { packageRoot } from "../../src/model/find-model.ts";
import { runCli, scriptedParts, temporaryFolder } from "./scripted-parts.ts";

/** Settings below what a command prints: every run ends after a step. */
const look = { steps: 1, groupsPerBatch: 8, groupSize: 4, evalQuestions: 4 };

let folder: string;
let bin: string;
beforeEach(() => {
  folder = temporaryFolder();
  writeFileSync(join(folder, "sqlm.config.json"), JSON.stringify(look));
  // Stand for an installed `sqlm`, and for `npx sqlm` in a folder that has it.
  bin = temporaryFolder();
  const call = (arguments_: string): string =>
    `#!/bin/sh\nexec "${process.execPath}" "${join(packageRoot, "bin", "sqlm.js")}" ${arguments_}\n`;
  writeFileSync(join(bin, "sqlm"), call('"$@"'));
  writeFileSync(join(bin, "npx"), call('"$@"').replace("exec", '[ "$1" = sqlm ] || exit 9; shift; exec'));
  for (const name of ["sqlm", "npx"]) chmodSync(join(bin, name), 0o755);
});

function shell(command: string, cwd = folder): { status: number | null; stdout: string; stderr: string } {
  const { npm_command: _, ...env } = process.env;
  const path = `${bin}:${process.env["PATH"]}`;
  const { status, stdout, stderr } = spawnSync("sh", ["-c", command], {
    cwd,
    encoding: "utf8",
    env: { ...env, PATH: path },
  });
  return { status, stdout, stderr };
}

/** The command after a sentence that a run or `init` printed. */
function printed(stdout: string, sentence: string): string {
  const line = stdout.split("\n").find((one) => one.startsWith(sentence));
  return line?.slice(line.indexOf(": ") + 2).trim() ?? expect.fail(`nothing says "${sentence}" in:\n${stdout}`);
}

const readme = readFileSync(join(packageRoot, "README.md"), "utf8");

describe("the README's topic", () => {
  test("saved as the README says, runs by the command that it prints, and so does what the run prints", () => {
    const [, code] = /^```ts\n(import \{ defineTopic \}[\s\S]*?)^```$/m.exec(readme) ?? expect.fail("no topic");
    writeFileSync(join(folder, "my-topic.ts"), code);
    const commands = [...readme.matchAll(/`(npx sqlm [^`]*\.\/my-topic\.ts[^`]*)`/g)].map(([, command]) => command);
    expect(commands).toEqual(["npx sqlm run ./my-topic.ts", "npx sqlm check ./my-topic.ts"]);
    const [run, check] = commands.map((command) => shell(command));
    expect(check).toMatchObject({ status: 0, stdout: expect.stringContaining("of 8 replies are questions") });
    expect(run, run.stderr).toMatchObject({ status: 0 });
    expect(run.stdout).toMatch(/step 1\/1 /);

    expect(shell(printed(run.stdout, "Look at the run with"))).toMatchObject({ status: 0 });
    const asked = shell(printed(run.stdout, "Ask its model with"));
    expect(asked, asked.stderr).toMatchObject({ status: 0 });
    expect(asked.stdout).toMatch(/^form of the question/m);
  });

  test("init writes a topic, a config and a test, which work as they are", () => {
    const [, command] = /`(npx sqlm init [^`]*)`/.exec(readme) ?? expect.fail("no init");
    const init = shell(command);
    expect(init).toMatchObject({ status: 0, stderr: "" });
    const here = join(folder, printed(init.stdout, "First").replace(/^cd /, ""));
    expect(readdirSync(here).sort()).toEqual(["sqlm.config.ts", "topic.test.ts", "topic.ts"]);
    for (const sentence of ["See what the topic reads", "Run its tests", "Let a model play it"]) {
      const result = shell(printed(init.stdout, sentence), here);
      expect(result, `${sentence}\n${result.stdout}${result.stderr}`).toMatchObject({ status: 0 });
      if (sentence === "Run its tests") expect(result.stdout).toMatch(/pass 4\n.*fail 0/);
    }
    expect(shell(command)).toMatchObject({ status: 2, stderr: expect.stringContaining("is there already") });
  });
});

describe("headers of examples", () => {
  const commands = readdirSync(join(packageRoot, "examples")).flatMap((name) => {
    const [header] = /^(?:\/\/.*\n)+/.exec(readFileSync(join(packageRoot, "examples", name), "utf8")) ?? [""];
    const found = [...header.matchAll(/^\/\/ {3}(npx sqlm .*)$/gm)].map(([, command]) => command);
    expect(found, name).not.toEqual([]);
    return found;
  });
  const isExperiment = (command: string): boolean => command.startsWith("npx sqlm experiment");

  beforeEach(() => cpSync(join(packageRoot, "examples"), join(folder, "examples"), { recursive: true }));

  test.each(commands.filter((command) => !isExperiment(command)))("%s", (command) => {
    // A model of the user's own, which none of the project's tests has.
    const { status, stderr } = shell(command.replace("FOLDER", join(packageRoot, "models", "arithmetic")));
    expect(status, stderr).toBe(0);
  });

  test.each([...new Set([...commands.filter(isExperiment), ...readmeExperiments()])])("%s", async (command) => {
    const cwd = process.cwd();
    process.chdir(folder);
    try {
      const result = await runCli(command.replace("npx sqlm ", "").split(" "), oneStep());
      expect(result, result.stderr).toMatchObject({ code: 0 });
      expect(result.stdout).toMatch(/^default +3 /m);
    } finally {
      process.chdir(cwd);
    }
  });
});

function readmeExperiments(): string[] {
  return [...readme.matchAll(/`(npx sqlm experiment examples[^`]*)`/g)].map(([, command]) => command);
}

/** Scripted parts whose runs end after one step, whatever their settings, and that need no sandbox. */
function oneStep(): Partial<Parts> {
  const parts = scriptedParts();
  return {
    ...parts,
    openSandbox: async () => ({
      languages: ["python", "javascript"],
      run: () => expect.fail("no program is run"),
      [Symbol.asyncDispose]: async () => {},
    }),
    checkFit: async () => {},
    selfPlay: (options) => parts.selfPlay!({ ...options, config: { ...options.config, steps: 1 } }),
  };
}

test("a run started by npm prints commands that npx finds; one of another workspace names it", () => {
  const workspace = join(folder, "all my runs");
  mkdirSync(workspace);
  const { npm_command: _, ...env } = process.env;
  const run = spawnSync("npx", ["sqlm", "run", "--workspace", workspace], {
    cwd: folder,
    encoding: "utf8",
    env: { ...env, PATH: `${bin}:${process.env["PATH"]}`, npm_command: "exec" },
  });
  expect(run.status, run.stderr).toBe(0);
  const show = printed(run.stdout, "Look at the run with");
  expect(show).toMatch(/^npx sqlm show \S+ --workspace ".*all my runs"$/);
  expect(shell(show)).toMatchObject({ status: 0, stdout: expect.stringContaining("arithmetic") });
});
