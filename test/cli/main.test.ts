// The command line as a process: what only a real process can show. Each start takes a few tenths of a second.
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { completionScript } from "../../src/cli/commands/completion.ts";
import { projectParts } from "../../src/cli/parts.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { packageRoot } from "../../src/model/find-model.ts";
import { runCli, temporaryFolder } from "./scripted-parts.ts";

function sqlm(args: readonly string[], options: { input?: string; cwd?: string } = {}) {
  const executable = join(packageRoot, "bin", "sqlm.js");
  return spawnSync(process.execPath, [executable, ...args], { encoding: "utf8", ...options });
}

describe("the process", () => {
  test("a config file here is in force, under the flags; --json is one line", () => {
    const cwd = temporaryFolder();
    // Nothing is installed in this folder: the name is that of the package that reads the file.
    const configFile = `import { defineConfig } from "sqlm";
      export default defineConfig({ steps: 7 as number, preset: "paper" });`;
    writeFileSync(join(cwd, "sqlm.config.ts"), configFile);
    const { status, stdout } = sqlm(["config", "--seed", "3", "--topic", "multiplication", "--json"], { cwd });
    expect(status).toBe(0);
    const { config, origins } = JSON.parse(stdout.trimEnd()) as {
      config: Record<string, unknown>;
      origins: Record<string, { layer: string }>;
    };
    expect(config).toMatchObject({ steps: 7, seed: 3, groupSize: 4 });
    expect(origins).toMatchObject({
      steps: { layer: "file" },
      seed: { layer: "flag" },
      groupSize: { layer: "preset" },
      bandHigh: { layer: "topic" },
      topK: { layer: "default" },
    });
  });

  test("errors are a sentence and a hint on standard error, and an exit code", () => {
    const { status, stdout, stderr } = sqlm(["cofnig"]);
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: "",
      stderr: "sqlm: unknown command 'cofnig'. Did you mean config?\n",
    });
  });

  test("without arguments it shows help", () => {
    const { status, stdout } = sqlm([]);
    expect(status).toBe(0);
    expect(stdout).toContain("Start here:");
  });

  test("a reader that goes away is no error", () => {
    const executable = join(packageRoot, "bin", "sqlm.js");
    const command = `"${process.execPath}" "${executable}" config | head -1; echo "\${PIPESTATUS[0]}"`;
    const output = execFileSync("bash", ["-c", command], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
    expect(output).toMatch(/^setting .*\n0\n$/);
  });
});

describe("JSON lines for scripts", () => {
  const lines = (stdout: string): unknown[] =>
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);

  test("compare-answers answers every line, in its own shape", () => {
    const input =
      '{"expected": "1/2", "given": "0.5", "id": 7}\n{"expected": 1}\nnot JSON\n{"expected": "2", "given": "3"}';
    const { status, stdout, stderr } = sqlm(["compare-answers", "--json"], { input });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(lines(stdout)).toEqual([
      { equal: true, expectedParsed: "1/2", givenParsed: "1/2" },
      {
        equal: false,
        expectedParsed: null,
        givenParsed: null,
        error: expect.stringContaining("not a pair of answers"),
      },
      { equal: false, expectedParsed: null, givenParsed: null, error: expect.stringContaining("not JSON") },
      { equal: false, expectedParsed: "2", givenParsed: "3" },
    ]);
  });

  test("run-program and judge answer every line, in their own shapes", () => {
    const program = "function double(x) { return 2 * x; }";
    const call = { language: "javascript", program, calls: [{ function: "double", args: [4] }] };
    // Scripts in Python write 5.0 for a float; limits are numbers all the same.
    const input = `${JSON.stringify(call).slice(0, -1)}, "limits": {"seconds": 5.0}}\n{"language": "cobol"}\n{`;
    const ran = sqlm(["run-program", "--json"], { input });
    expect(ran.status).toBe(0);
    expect(lines(ran.stdout)).toMatchObject([
      { status: "ok", results: [{ value: 8 }] },
      { status: "error", reason: expect.stringContaining("language"), results: [] },
      { status: "error", reason: expect.stringContaining("not JSON"), results: [] },
    ]);
    const tests = [
      { function: "double", args: [4], expected: 8 },
      { function: "double", args: [4], expected: 9 },
    ];
    const judged = sqlm(["judge", "--json"], {
      input: `${JSON.stringify({ language: "javascript", program, tests })}\n[]`,
    });
    expect(judged.status).toBe(0);
    expect(lines(judged.stdout)).toMatchObject([
      { passed: 1, total: 2, tests: [{ passed: true }, { passed: false, reason: expect.any(String) }] },
      { passed: 0, total: 0, tests: [], reason: expect.stringContaining("not a JSON object") },
    ]);
  });
});

describe("completion", () => {
  const program = buildProgram(projectParts);

  /** What bash offers after these words. */
  function complete(...words: string[]): string[] {
    const script = `${completionScript(program, "bash")}
COMP_WORDS=(${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _sqlm
printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["-c", `sqlm() { echo "run-b run-a"; }\n${script}`], { encoding: "utf8" })
      .trim()
      .split("\n");
  }

  test("bash completes commands, options and values", () => {
    expect(complete("sqlm", "res")).toEqual(["resume"]);
    expect(complete("sqlm", "run", "--group")).toEqual(["--groups-per-batch", "--group-size"]);
    expect(complete("sqlm", "run", "--preset", "p")).toEqual(["paper"]);
    expect(complete("sqlm", "completion", "--")).toContain("--help");
    expect(complete("sqlm", "")).not.toContain("start");
  });

  test("bash offers topics, runs, models and choices where they belong", () => {
    expect(complete("sqlm", "run", "arith")).toEqual(["arithmetic"]);
    expect(complete("sqlm", "run", "--topic", "mul")).toEqual(["multiplication"]);
    for (const command of ["show", "resume", "questions", "diff", "rm", "gc"]) {
      expect(complete("sqlm", command, "run-"), command).toEqual(["run-b", "run-a"]);
    }
    expect(complete("sqlm", "ask", "run-")).toEqual(["run-b", "run-a"]);
    expect(complete("sqlm", "run", "--model", "cod")).toEqual(["coding"]);
    expect(complete("sqlm", "export", "par")).toEqual(["parquet"]);
    expect(complete("sqlm", "export", "parquet", "run-")).toEqual(["run-b", "run-a"]);
  });

  test.each(["zsh", "fish"] as const)("%s knows every command and option", (shell) => {
    const script = completionScript(program, shell);
    for (const command of program.createHelp().visibleCommands(program)) {
      expect(script).toContain(command.name());
      for (const { long } of command.options)
        expect(script).toContain(shell === "fish" ? `-l ${long?.slice(2)}` : long);
    }
    // Every quote that the script opens is closed: bash reads strings as these shells do.
    expect((script.match(/'/g) ?? []).length % 2).toBe(0);
  });

  test("an unknown shell is refused", async () => {
    const { code, stderr } = await runCli(["completion", "tcsh"]);
    expect(code).toBe(2);
    expect(stderr).toContain("Allowed choices are bash, zsh, fish");
  });
});

describe("help", () => {
  test("every command has a description and an example that names it", () => {
    for (const command of buildProgram(projectParts).commands) {
      if (command.name() === "help") continue;
      let help = "";
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(command.description(), command.name()).toMatch(/\.$|\)\.$/);
      expect(help, command.name()).toMatch(/Examples:\n[\s\S]*sqlm /);
    }
  });
});
