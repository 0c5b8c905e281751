// The commands that show runs: a dashboard of its own, one beside a run, a report, and curves in the terminal.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { liveCurves } from "../../src/cli/live-curves.ts";
import { openTerminal } from "../../src/cli/terminal.ts";
import { UsageError } from "../../src/errors.ts";
import { hostileText, recordRun } from "../dashboard/example-workspace.ts";
import { runCli, scriptedParts, temporaryFolder } from "./scripted-parts.ts";

let workspace: string;
let model: string;
beforeEach(() => {
  workspace = join(temporaryFolder(), ".sqlm");
  mkdirSync(workspace);
  model = temporaryFolder();
  writeFileSync(join(model, "config.json"), "{}");
});

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** The real command in a process of its own. */
function start(...args: string[]): {
  readonly child: ChildProcess;
  readonly output: Promise<string>;
  line(): Promise<string>;
} {
  const main = resolve(import.meta.dirname, "../../src/cli/main.ts");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      text += chunk;
    });
  }
  const output = new Promise<string>((settle) => child.on("close", () => settle(text)));
  const line = async (): Promise<string> => {
    for (let waited = 0; waited < 60_000; waited += 50) {
      const url = /http:\/\/\S+/.exec(text)?.[0];
      if (url !== undefined) return url;
      await new Promise((settle) => setTimeout(settle, 50));
    }
    throw new Error(`No address within a minute: ${text}`);
  };
  return { child, output, line };
}

describe("sqlm dashboard", () => {
  test("serves the page and the runs of its workspace until it is told to end", async () => {
    const run = await recordRun(workspace, { steps: 3 });
    const { child, output, line } = start("dashboard", "--workspace", workspace, "--port", "0");
    const url = await line();
    const page = await fetch(url);
    expect(await page.text()).toContain("<title>sqlm</title>");
    const runs = (await (await fetch(new URL("/api/runs", url))).json()) as { runs: { run: string }[] };
    expect(runs.runs.map((row) => row.run)).toEqual([run]);
    child.kill("SIGINT");
    expect(await output).toContain("Ctrl-C ends it");
    expect(child.exitCode).toBe(0);
  });

  test("a port that is taken is said, and the next free one used", async () => {
    const server = createServer();
    await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : expect.fail("no port");
    const { child, output, line } = start("dashboard", "--workspace", workspace, "--port", String(port));
    expect(Number(new URL(await line()).port)).toBeGreaterThan(port);
    child.kill("SIGTERM");
    expect(await output).toContain(`Port ${port} is taken`);
    server.close();
  });

  test.each([
    [["--port", "many"], '--port must be a whole number from 0 to 65535, not "many".'],
    [["--port", "70000"], "--port must be a whole number"],
  ])("%j is refused", async (args, sentence) => {
    const { code, stderr } = await runCli(["dashboard", "--workspace", workspace, ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(sentence);
  });
});

describe("a dashboard beside a run", () => {
  const run = (parts: Parameters<typeof runCli>[1], ...args: string[]) =>
    runCli(["run", "--model", model, "--steps", "3", "--workspace", workspace, ...args], {
      ...scriptedParts(),
      ...parts,
    });

  test("is started before the run, said, and ended with it where nobody watches", async () => {
    let [started, ended] = ["", false];
    const startDashboard = async (folder: string) => {
      started = folder;
      const end = (): void => {
        ended = true;
      };
      return { url: "http://127.0.0.1:1/", [Symbol.dispose]: end };
    };
    const { code, stderr } = await run({ startDashboard }, "--dashboard");
    expect(code).toBe(0);
    expect(started).toBe(resolve(workspace));
    expect(ended).toBe(true);
    expect(stderr).toMatch(/watch it at http:\/\/127\.0\.0\.1:1\/#\/run\/arithmetic-/);
  });

  test("one that does not start is missed, and nothing more", async () => {
    const startDashboard = async () => {
      throw new UsageError("The dashboard did not start.", "");
    };
    const { code, stdout, stderr } = await run({ startDashboard }, "--dashboard", "--json");
    expect(code).toBe(0);
    expect(stderr).toContain("The dashboard did not start.");
    expect(JSON.parse(stdout)).toMatchObject({ steps: 3 });
  });

  test("none is started where none is wanted", async () => {
    const startDashboard = async () => expect.fail("nobody asked for one");
    expect((await run({ startDashboard })).code).toBe(0);
  });

  test("in a process of its own, it ends when the run's process does, however that ends", async () => {
    const script = join(temporaryFolder(), "run.ts");
    const source = resolve(import.meta.dirname, "../../src/cli/open-dashboard.ts");
    writeFileSync(
      script,
      `import { startDashboardProcess } from ${JSON.stringify(source)};
       const { url } = await startDashboardProcess(${JSON.stringify(workspace)});
       console.log(url);
       setInterval(() => {}, 1000);`,
    );
    await recordRun(workspace, { steps: 1 });
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    const url = await new Promise<string>((settle) =>
      child.stdout?.once("data", (chunk) => settle(String(chunk).trim())),
    );
    expect((await fetch(new URL("/api/runs", url))).status).toBe(200);
    child.kill("SIGKILL");
    let gone = false;
    for (let waited = 0; waited < 20_000 && !gone; waited += 100) {
      await new Promise((settle) => setTimeout(settle, 100));
      gone = await fetch(url).then(
        () => false,
        () => true,
      );
    }
    expect(gone).toBe(true);
  });
});

describe("sqlm report", () => {
  test("writes one file of a run, of several, of an experiment", async () => {
    const trial = { experiment: "mine", variant: "a", control: null };
    const runs = [
      await recordRun(workspace, { steps: 3, trial }),
      await recordRun(workspace, { steps: 3, trial, config: { seed: 2 } }),
    ];
    const out = join(temporaryFolder(), "deep", "one.html");
    const report = (...args: string[]) => runCli(["report", ...args, "--workspace", workspace]);
    const one = await report(runs[0], "--out", out, "--json");
    expect(one.code).toBe(0);
    expect(JSON.parse(one.stdout)).toEqual({ file: out, runs: [runs[0]] });
    expect(readFileSync(out, "utf8")).toContain(runs[0]);
    const markdown = join(temporaryFolder(), "two.md");
    expect((await report(...runs, "--out", markdown)).code).toBe(0);
    expect(readFileSync(markdown, "utf8")).toContain("## Side by side");
    expect(readdirSync(markdown.replace(".md", "-pictures")).length).toBeGreaterThan(10);
    const experiment = join(temporaryFolder(), "e.html");
    expect((await report("--experiment", "mine", "--out", experiment)).stdout).toContain("2 runs");
    expect(readFileSync(experiment, "utf8")).toContain("a (2 seeds)");
  });

  test("what cannot be reported is said, and writes nothing", async () => {
    const run = await recordRun(workspace, { steps: 1, trial: { experiment: "mine", variant: "a", control: null } });
    const out = join(temporaryFolder(), "x.html");
    const cases: [string[], string][] = [
      [[], "No run was named."],
      [["nothing"], "There is no run nothing."],
      [["--experiment", "mime"], 'Did you mean "mine"?'],
      [[run, "--experiment", "mine"], "Both runs and an experiment"],
    ];
    for (const [args, sentence] of cases) {
      const { code, stderr } = await runCli(["report", ...args, "--out", out, "--workspace", workspace]);
      expect(stderr).toContain(sentence);
      expect(code).toBe(2);
    }
    expect((await runCli(["report", run, "--out", "x.pdf", "--workspace", workspace])).stderr).toContain(
      ".html or .md",
    );
    expect(existsSync(out)).toBe(false);
  });
});

describe("in the terminal", () => {
  test("curves of what is known, as many as fit on a line", () => {
    const curves = liveCurves();
    expect(curves.line("step 1/9 …", 120)).toBe("step 1/9 …");
    for (const value of [0.2, 0.5, 0.9]) curves.add({ metrics: { agreement: value, difficulty: 3 + value } });
    const line = curves.line("step 4/9 …", 120);
    expect(line).toBe("step 4/9 …  agreement ▁▄█ .900  difficulty ▁▄█ 3.90");
    curves.add({ metrics: { labelAccuracy: 0.5 } });
    for (let columns = 10; columns < 200; columns++) {
      const shown = curves.line("step 4/9 …", columns);
      expect([...shown].length).toBeLessThan(Math.max(columns, 12));
    }
    expect(curves.line("step 4/9 …", 120)).toContain("labels right ▄ .500");
    expect(curves.line("step 4/9 …", 46)).not.toContain("difficulty");
  });

  test("nothing that a model wrote commands it", () => {
    const written = { output: "", error: "" };
    const stream = (name: "output" | "error"): PassThrough => {
      const own = new PassThrough();
      own.on("data", (chunk) => {
        written[name] += chunk;
      });
      return own;
    };
    const terminal = openTerminal(false, { output: stream("output"), error: stream("error") });
    terminal.say(`a line\tof ${hostileText}\nand the next`);
    terminal.note(hostileText);
    for (const text of [written.output, written.error]) {
      expect(text.replaceAll(/[\t\n]/g, "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
    expect(written.output).toContain("a line\tof ⟨ESC⟩]0;owned⟨BEL⟩⟨ESC⟩[31m");
    expect(written.output.split("\n")).toHaveLength(3);
  });
});
