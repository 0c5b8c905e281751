// How fast the store takes answers while another process reads, and how fast it answers about a run of a million of
// them. `npm run bench` calls benchStore(); `node bench/store.ts [answers]` prints its numbers alone.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runConfigSchema } from "../src/config/config.ts";
import { openWorkspace } from "../src/store/workspace.ts";
import { exampleStep } from "../src/testing/example-step.ts";

export interface StoreBench {
  /** Answer rows recorded a second, in steps of the main job's size (96 questions × 16 answers), a reader beside it. */
  readonly answerRowsPerSecond: number;
  /** The same by processor time of the writing process, which other work on the machine does not change much. */
  readonly answerRowsPerCpuSecond: number;
  /** Median time to record such a step durably, in milliseconds. */
  readonly stepMilliseconds: number;
  /** Queries that the other process finished meanwhile. */
  readonly readsMeanwhile: number;
  readonly bytesPerAnswer: number;
  /** Answers of each of the two runs that the queries are about. */
  readonly answers: number;
  /** Median of five after one warm-up, in milliseconds. */
  readonly queryMilliseconds: Readonly<Record<string, number>>;
  /** Peak memory of the process that made these queries, and its growth from the first to the last, in MiB. */
  readonly queryPeakMebibytes: number;
  readonly queryGrowthMebibytes: number;
}

const questionsPerStep = 96;
const groupSize = 16;

/** Writes two runs of `answers` answers into a temporary workspace and asks about them from another process. */
export async function benchStore(answers = 1_000_000): Promise<StoreBench> {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-bench-store-"));
  try {
    const steps = Math.ceil(answers / (questionsPerStep * groupSize));
    // Records are made before the clock starts: what is timed is the store.
    const records = Array.from({ length: 8 }, (_, i) => exampleStep(i, { questions: questionsPerStep, groupSize }));
    await using workspace = openWorkspace(folder);
    const runs: string[] = [];
    const times: number[] = [];
    let reads = 0;
    let cpuMicroseconds = 0;
    for (const seed of [1, 2]) {
      const config = runConfigSchema.parse({ seed, steps });
      await using run = workspace.createRun(config);
      runs.push(run.run);
      const reader = seed === 1 ? startReader("read", folder, run.run) : null;
      await reader?.ready;
      const cpu = process.cpuUsage();
      for (let step = 1; step <= steps; step++) {
        const record = { ...records[(step + seed) % records.length], step };
        const start = performance.now();
        run.append({ type: "step-end", record });
        if (seed === 1) times.push(performance.now() - start);
        // Lets messages of the reader in; not timed.
        if (step % 50 === 0) await new Promise(setImmediate);
      }
      const { user, system } = process.cpuUsage(cpu);
      if (seed === 1) cpuMicroseconds = user + system;
      if (reader !== null) reads = Number((await reader.stop())["reads"]);
    }
    const queries = await startReader("time", folder, ...runs).stop();
    const total = times.reduce((sum, time) => sum + time, 0);
    return {
      answerRowsPerSecond: Math.round((times.length * questionsPerStep * groupSize) / (total / 1000)),
      answerRowsPerCpuSecond: Math.round((times.length * questionsPerStep * groupSize) / (cpuMicroseconds / 1e6)),
      stepMilliseconds: times.toSorted((a, b) => a - b)[times.length >> 1],
      readsMeanwhile: reads,
      bytesPerAnswer: statSync(join(folder, "sqlm.db")).size / (2 * steps * questionsPerStep * groupSize),
      answers: steps * questionsPerStep * groupSize,
      queryMilliseconds: queries["milliseconds"] as Record<string, number>,
      queryPeakMebibytes: Number(queries["peakMebibytes"]),
      queryGrowthMebibytes: Number(queries["growthMebibytes"]),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Another process that uses the workspace; `stop` ends it and gives its last message. */
function startReader(
  mode: "read" | "time",
  folder: string,
  ...runs: string[]
): { readonly ready: Promise<void>; stop(): Promise<Record<string, unknown>> } {
  const script = join(import.meta.dirname, "store-reader.ts");
  const child: ChildProcess = spawn(process.execPath, [script, mode, folder, ...runs], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  let last: Record<string, unknown> = {};
  const ready = Promise.withResolvers<void>();
  child.on("message", (message) => {
    last = message as Record<string, unknown>;
    ready.resolve();
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`The reader ended with code ${code}.`))));
  });
  return {
    ready: ready.promise,
    stop: async () => {
      if (child.connected) child.send("stop");
      await ended;
      return last;
    },
  };
}

if (import.meta.main) console.log(JSON.stringify(await benchStore(Number(process.argv[2] ?? 1_000_000)), null, 2));
