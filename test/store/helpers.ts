// Temporary workspaces for the tests of the store.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunConfigInput, runConfigSchema } from "../../src/config/config.ts";
import type { LoopState, RunStore } from "../../src/store/store.ts";
import { exampleStep } from "../../src/testing/example-step.ts";

/** Runs `work` on a new folder, which is removed afterwards. */
export async function inFolder<Result>(work: (folder: string) => Result | Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-store-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function exampleConfig(input: RunConfigInput = {}): ReturnType<typeof runConfigSchema.parse> {
  return runConfigSchema.parse({ seed: 3, ...input });
}

export function appendSteps(run: RunStore, from: number, to: number, seed = 1): void {
  for (let step = from; step <= to; step++) run.append({ type: "step-end", record: exampleStep(step, { seed }) });
}

export function stateAt(step: number): LoopState {
  return { step, seenKeys: [`1+${step}`], recent: [], best: null };
}

/** Stands in for an engine's save. */
export function writeWeights(step: number, hiddenSize = 8): (folder: string) => Promise<void> {
  return async (folder) => {
    writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "llama", hidden_size: hiddenSize }));
    writeFileSync(join(folder, "model.safetensors"), `weights of step ${step}`.repeat(100));
  };
}

/** The error that `work` throws; fails when it throws none. */
export async function errorOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("Nothing was thrown.");
}
