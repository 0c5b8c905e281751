// A whole self-play step of a real checkpoint, through the command line and in a process of its own, beside what `sqlm plan` says of it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import type { EnginePlan } from "../src/engine/work.ts";
import type { StepTiming } from "../src/events.ts";

export interface WholeStep {
  /** Peak resident memory; NaN where the system does not tell it of another process (only Linux does). */
  readonly peakBytes: number;
  readonly plannedBytes: number;
  readonly seconds: number;
  /** Where replies are as long as they may be, and as long as they were on average. */
  readonly plannedSeconds: number;
  readonly plannedForLengths: number;
  readonly stages: Readonly<Record<string, number>>;
  /** Tokens of answers and proposals that were learned from. */
  readonly trainedTokens: number;
}

const root = join(import.meta.dirname, "..");

/** One step of 16 questions with 8 answers each, of up to 256 tokens. */
export async function playWholeStep(model: string, weights: string): Promise<WholeStep> {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-bench-step-"));
  try {
    const sizes = [
      "--groups-per-batch",
      "16",
      "--group-size",
      "8",
      "--max-answer-tokens",
      "256",
      "--min-agreement",
      "0",
    ];
    const settings = [
      ...sizes,
      "--weights",
      weights,
      "--threads",
      String(availableParallelism()),
      "--no-consistent-vote",
    ];
    const topic = join(import.meta.dirname, "real-topic.ts");
    const planned = await runCli(["plan", topic, "--model", model, ...settings, "--proposer-every", "1", "--json"]);
    const plan = JSON.parse(planned.output) as EnginePlan & { readonly peakBytes: number };
    const run = ["run", topic, "--model", model, ...settings, "--proposer-every", "1", "--steps", "1"];
    const workspace = join(folder, "workspace");
    const { peakBytes } = await runCli([...run, "--workspace", workspace, "--json"]);
    using database = new DatabaseSync(join(workspace, "sqlm.db"), { readOnly: true });
    const step = database.prepare("SELECT seconds, timing FROM steps").get();
    const trained = database.prepare("SELECT value FROM metrics WHERE name = 'tokens'").get();
    if (step === undefined) throw new Error("The run had no step.");
    const trainedTokens = Number(trained?.["value"] ?? 0);
    return {
      peakBytes,
      plannedBytes: plan.peakBytes,
      seconds: Number(step["seconds"]),
      ...plannedTimes(plan, trainedTokens),
      stages: (JSON.parse(String(step["timing"])) as StepTiming).stages,
      trainedTokens,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The plan says what a step takes at two lengths of its replies; between them time grows about evenly. */
function plannedTimes({ time, timeAtHalf }: EnginePlan, tokens: number) {
  const [whole, half] = [time, timeAtHalf].map((stages) => ({
    seconds: (stages ?? []).reduce((sum, { seconds }) => sum + seconds, 0),
    tokens: stages?.find(({ stage }) => stage === "learn")?.tokens ?? 0,
  }));
  const growth = (whole.seconds - half.seconds) / (whole.tokens - half.tokens);
  return { plannedSeconds: whole.seconds, plannedForLengths: whole.seconds + growth * (tokens - whole.tokens) };
}

/** Runs the command line; the peak of its memory is the last one that the system told while it ran. */
async function runCli(args: readonly string[]): Promise<{ readonly output: string; readonly peakBytes: number }> {
  const command = [join(root, "src", "cli", "main.ts"), ...args];
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let peakBytes = Number.NaN;
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      const found = /^VmHWM:\s+(\d+) kB/m.exec(status);
      if (found !== null) peakBytes = Number(found[1]) * 1024;
    } catch {
      // It has ended, or this is no Linux.
    }
  }, 100);
  const ended = once(child, "exit");
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await ended) as [number | null];
  clearInterval(watch);
  if (code !== 0) throw new Error(`sqlm ${args[0]} ended with ${code}: ${errors}`);
  return { output, peakBytes };
}
