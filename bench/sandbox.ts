// Programs a second through one sandbox process: a 10-line function with 5 tests, judged outside, one program after the
// other and with a full queue. Leaves out: printing a table of all benchmarks (bench/main.ts).
import { createSandbox } from "../src/sandbox/process-sandbox.ts";
import type { ProgramLanguage } from "../src/sandbox/sandbox.ts";
import type { UnitTest } from "../src/types.ts";
import { runTests } from "../src/verify/unit-tests.ts";

export interface SandboxBenchmark {
  readonly language: ProgramLanguage;
  /** Milliseconds until the first program has run: starting the process and its interpreter. */
  readonly startMilliseconds: number;
  /** Programs a second when each waits for the one before. */
  readonly sequentialPerSecond: number;
  /** Programs a second when all are asked for at once. */
  readonly queuedPerSecond: number;
}

const programs: Readonly<Record<ProgramLanguage, string>> = {
  python: `def solve(values, k):
    counts = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    best = []
    for value, count in sorted(counts.items()):
        if count >= k:
            best.append(value)
    total = sum(best)
    return total % 1000
`,
  javascript: `function solve(values, k) {
  const counts = new Map();
  for (const value of values) {
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  let total = 0;
  for (const [value, count] of counts) {
    if (count >= k) total += value;
  }
  return total % 1000; }
`,
};
const tests: readonly UnitTest[] = [
  { function: "solve", args: [[1, 2, 3, 1, 2], 2], expected: 3 },
  { function: "solve", args: [[], 1], expected: 0 },
  { function: "solve", args: [[5, 5, 5], 3], expected: 5 },
  { function: "solve", args: [[999, 1, 999, 1], 2], expected: 0 },
  { function: "solve", args: [[4, 7], 1], expected: 11 },
];

/** Measures one worker for each language, in the layers that this machine has. */
export async function benchSandbox(repetitions = 400): Promise<readonly SandboxBenchmark[]> {
  await using sandbox = createSandbox({ workers: 1 });
  const rows: SandboxBenchmark[] = [];
  for (const language of sandbox.languages) {
    const judgeOne = async (): Promise<void> => {
      const { results } = await runTests(sandbox, language, programs[language], tests);
      const failed = results.find(({ passed }) => !passed);
      if (failed !== undefined) throw new Error(`the benchmark's program failed: ${failed.reason}`);
    };
    const perSecond = async (work: () => Promise<unknown>): Promise<number> => {
      const start = performance.now();
      await work();
      return (repetitions * 1000) / (performance.now() - start);
    };
    const start = performance.now();
    await judgeOne();
    const startMilliseconds = performance.now() - start;
    // The WebAssembly engine compiles hot functions in the first programs.
    for (let i = 0; i < 50; i++) await judgeOne();
    const sequentialPerSecond = await perSecond(async () => {
      for (let i = 0; i < repetitions; i++) await judgeOne();
    });
    const queuedPerSecond = await perSecond(() => Promise.all(Array.from({ length: repetitions }, judgeOne)));
    rows.push({ language, startMilliseconds, sequentialPerSecond, queuedPerSecond });
  }
  return rows;
}

if (import.meta.main) console.table(await benchSandbox());
