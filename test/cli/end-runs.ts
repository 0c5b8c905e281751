// Ends runs of the real command line at random moments, by one or two signals or by closing the pipe that reads them, and
// checks that none ends in native code's abort and that each goes on to the weights of a run that nobody ended.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { packageRoot } from "../../src/model/find-model.ts";
import { type Random, randomStream } from "../../src/random.ts";
import { listRuns, openReader, runOverview } from "../../src/store/queries.ts";

const executable = join(packageRoot, "bin", "sqlm.js");
const fixture = join(packageRoot, "test", "store", "fixtures", "workspace-be9f86a");

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type Signal = (typeof signals)[number];

/** How a run is ended, and after how many milliseconds. */
type Ending = { readonly after: number } & (
  | { readonly close: true }
  | { readonly first: Signal; readonly second: { readonly signal: Signal; readonly after: number } | null }
);

/** Draws one of the ways to end a run, up to `longest` milliseconds after its start. */
function drawEnding(random: Random, longest: number): Ending {
  const after = random.next() * longest;
  if (random.next() < 0.25) return { after, close: true };
  const second = random.next() < 0.5 ? null : { signal: random.pick(signals), after: random.next() * 900 };
  return { after, first: random.pick(signals), second };
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

function sqlm(cwd: string, args: readonly string[], ending: Ending | null): Promise<Ended> {
  const child = spawn(process.execPath, [executable, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const timers: NodeJS.Timeout[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  if (ending !== null) {
    const end = (): void => {
      if ("close" in ending) {
        child.stdout.destroy();
        return;
      }
      child.kill(ending.first);
      const { second } = ending;
      if (second !== null) timers.push(setTimeout(() => child.kill(second.signal), second.after));
    };
    timers.push(setTimeout(end, ending.after));
  }
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      for (const timer of timers) clearTimeout(timer);
      resolve({ code, signal, output });
    });
  });
}

const play = [
  ...["run", "./digits.mjs", "--model", "./model", "--steps", "12", "--groups-per-batch", "48", "--group-size", "8"],
  ...["--min-agreement", "0", "--no-consistent-vote", "--learning-rate", "0.01", "--warmup-steps", "0"],
  ...["--save-every", "3", "--threads", "1", "--seed", "3"],
];

/** Plays a run to its end, then `count` that are ended at some moment of the time that it took, and resumed. */
export async function endRuns(count: number, seed: number): Promise<void> {
  const random = randomStream("end-runs", seed);
  const folder = mkdtempSync(join(tmpdir(), "sqlm-end-"));
  try {
    cpSync(join(fixture, "model"), join(folder, "model"), { recursive: true });
    cpSync(join(fixture, "digits.mjs"), join(folder, "digits.mjs"));
    const started = performance.now();
    const whole = await sqlm(folder, [...play, "--workspace", "whole"], null);
    const longest = performance.now() - started;
    expect(whole).toMatchObject({ code: 0 });
    let landed = 0;
    const expected = weightsOf(join(folder, "whole"));
    for (let i = 0; i < count; i++) {
      const ending = drawEnding(random, longest);
      if (await endAndResume(folder, `w${i}`, ending, expected)) landed++;
      rmSync(join(folder, `w${i}`), { recursive: true, force: true });
    }
    // On a machine that is busy with other things some runs end before they are ended; not all of them.
    expect(landed).toBeGreaterThan(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** True where the run had begun and was not at its end yet. */
async function endAndResume(folder: string, workspace: string, ending: Ending, expected: string): Promise<boolean> {
  const ended = await sqlm(folder, [...play, "--workspace", workspace], ending);
  const what = `${JSON.stringify(ending)} → ${ended.code} ${ended.signal}\n${ended.output}`;
  expect(ended.output, what).not.toMatch(/Napi|terminate called|core dumped|FATAL/);
  // Orderly (0 finished, 3 to be gone on with), or by the signal itself; never an abort.
  if (ended.signal === null) expect([0, 3], what).toContain(ended.code);
  else expect([...signals, "SIGPIPE"], what).toContain(ended.signal);
  if (!existsSync(join(folder, workspace, "sqlm.db")) || !hasRun(join(folder, workspace))) return false;
  const resumed = await sqlm(folder, ["resume", "latest", "--workspace", workspace], null);
  expect(resumed.code, `${what}\n${resumed.output}`).toBe(0);
  expect(weightsOf(join(folder, workspace)), what).toBe(expected);
  return ended.code !== 0;
}

function hasRun(workspace: string): boolean {
  using reader = openReader(workspace);
  return listRuns(reader).length > 0;
}

function weightsOf(workspace: string): string {
  using reader = openReader(workspace);
  const checkpoint = runOverview(reader, "latest").checkpoints.at(-1)!;
  return createHash("sha256")
    .update(readFileSync(join(checkpoint.folder, "model.safetensors")))
    .digest("hex");
}
