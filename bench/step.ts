// What recording costs in the main job: a few steps of `npm start`'s self-play, with the time inside the store apart.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runConfigSchema } from "../src/config/config.ts";
import { openOnnxEngine } from "../src/engine/onnx/onnx-engine.ts";
import { selfPlay } from "../src/self-play.ts";
import type { RunStore } from "../src/store/store.ts";
import { openWorkspace } from "../src/store/workspace.ts";
import { arithmetic } from "../src/topics/arithmetic.ts";

export interface StepBench {
  readonly steps: number;
  /** Median milliseconds of a whole step, recording included. */
  readonly stepMilliseconds: number;
  /** Median milliseconds of recording one step. */
  readonly storeMilliseconds: number;
  readonly storeShare: number;
}

/** Plays `steps` steps with the default settings; the first two warm up. */
export async function benchStep(steps = 12): Promise<StepBench> {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-bench-"));
  try {
    const config = runConfigSchema.parse({ model: "models/arithmetic", steps, evalEvery: 0, evalQuestions: 1 });
    await using engine = await openOnnxEngine({ model: config.model, threads: config.threads });
    await using workspace = openWorkspace(folder);
    await using store = workspace.createRun(config);
    const stored: number[] = [];
    const timed: RunStore = Object.create(store, {
      append: {
        value: (event: Parameters<RunStore["append"]>[0]) => {
          const start = performance.now();
          store.append(event);
          if (event.type === "step-end") stored.push(performance.now() - start);
        },
      },
      saveCheckpoint: { value: store.saveCheckpoint.bind(store) },
      latestCheckpoint: { value: store.latestCheckpoint.bind(store) },
      rewindTo: { value: store.rewindTo.bind(store) },
      run: { value: store.run },
    });
    const played: number[] = [];
    for await (const event of selfPlay({ topic: arithmetic, engine, store: timed, config })) {
      if (event.type === "step-end") played.push(event.record.seconds * 1000);
    }
    const [step, record] = [median(played.slice(2)), median(stored.slice(2))];
    return { steps, stepMilliseconds: step + record, storeMilliseconds: record, storeShare: record / (step + record) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
