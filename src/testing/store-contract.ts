// What every implementation of Workspace and RunStore must do. Each case is a name and a function that throws when the
// claim does not hold, so that any test runner can run them on a fresh, empty folder.
import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runConfigSchema } from "../config/config.ts";
import { FileFormatError, UsageError } from "../errors.ts";
import type { GroupRecord, StepRecord } from "../events.ts";
import type { LoopState, RunStore, Workspace } from "../store/store.ts";
import type { LevelResult } from "../types.ts";
import { exampleEvaluation, exampleStep } from "./example-step.ts";

export type RecordedGroup = Omit<GroupRecord, "answers">;

/** A step as it is read back. */
export type RecordedStep = Pick<StepRecord, "step" | "metrics" | "seconds"> & {
  readonly groups: readonly RecordedGroup[];
};

/** What a store has of a run, without superseded steps and evaluations. */
export interface RecordedRun {
  readonly steps: readonly RecordedStep[];
  readonly evaluations: readonly { readonly step: number; readonly levels: readonly LevelResult[] }[];
}

/** The store under test. */
interface StoreUnderTest {
  /** Opens the workspace in a folder; it may be called again. */
  open(folder: string): Workspace;
  /** Reads a run of the workspace in a folder, beside whoever has it open. */
  read(folder: string, run: string): RecordedRun;
}

export interface StoreContractCase {
  readonly name: string;
  /** `folder` is an empty folder of this case alone. */
  run(store: StoreUnderTest, folder: string): Promise<void>;
}

/** The part of a step that a store gives back. */
function recorded({ step, metrics, seconds, groups }: StepRecord): RecordedStep {
  return {
    step,
    metrics,
    seconds,
    groups: groups.map(({ answers: _, ...group }) => group),
  };
}

function appendSteps(run: RunStore, from: number, to: number, seed = 1): void {
  for (let step = from; step <= to; step++) run.append({ type: "step-end", record: exampleStep(step, { seed }) });
}

function stateAt(step: number, best: LoopState["best"] = null): LoopState {
  return { step, seenKeys: [`1+${step}`, "ключ"], recent: [exampleStep(step).groups[0].question], best };
}

/** Stands in for an engine: weights that tell the step that they are of. */
function writeWeights(step: number): (folder: string) => Promise<void> {
  return async (folder) => {
    writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "llama", hidden_size: 8 }));
    writeFileSync(join(folder, "model.safetensors"), `weights of step ${step}`);
  };
}

const config = runConfigSchema.parse({ seed: 7, keepCheckpoints: 2 });

export const storeContract: readonly StoreContractCase[] = [
  {
    name: "gives back the steps that it recorded, and only what a step is said to be",
    async run({ open, read }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      const steps = [1, 2, 3].map((step) => exampleStep(step, { notANumber: step === 2 }));
      for (const record of steps) run.append({ type: "step-end", record });
      assert.deepEqual(read(folder, run.run).steps, steps.map(recorded));
    },
  },
  {
    name: "records steps in order, each once",
    async run({ open, read }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      assert.throws(() => appendSteps(run, 2, 2), UsageError);
      appendSteps(run, 1, 2);
      assert.throws(() => appendSteps(run, 2, 2), UsageError);
      assert.throws(() => appendSteps(run, 4, 4), UsageError);
      assert.deepEqual(
        read(folder, run.run).steps.map(({ step }) => step),
        [1, 2],
      );
    },
  },
  {
    name: "keeps everything over closing and opening again",
    async run({ open, read }, folder) {
      let name: string;
      {
        await using workspace = open(folder);
        await using run = workspace.createRun(config);
        name = run.run;
        appendSteps(run, 1, 3);
        run.append({ type: "evaluation-end", step: 3, evaluation: exampleEvaluation(3) });
      }
      await using workspace = open(folder);
      await using run = workspace.openRun(name);
      assert.deepEqual(workspace.info(name).config, config);
      assert.equal(workspace.info(name).lastStep, 3);
      assert.deepEqual(
        read(folder, run.run).steps,
        [1, 2, 3].map((step) => recorded(exampleStep(step))),
      );
      assert.deepEqual(read(folder, run.run).evaluations, [{ step: 3, levels: exampleEvaluation(3).levels }]);
      appendSteps(run, 4, 4);
    },
  },
  {
    name: "rewinds: later steps and evaluations are in nothing that it gives back, and others take their place",
    async run({ open, read }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      appendSteps(run, 1, 5);
      for (const step of [0, 2, 4]) {
        run.append({ type: "evaluation-end", step, evaluation: exampleEvaluation(step) });
      }
      run.rewindTo(2);
      assert.deepEqual(
        read(folder, run.run).evaluations.map(({ step }) => step),
        [0, 2],
      );
      appendSteps(run, 3, 4, 2);
      assert.deepEqual(
        read(folder, run.run).steps,
        [1, 2]
          .map((step) => recorded(exampleStep(step)))
          .concat([3, 4].map((step) => recorded(exampleStep(step, { seed: 2 })))),
      );
      run.rewindTo(0);
      assert.deepEqual(read(folder, run.run).steps, []);
      appendSteps(run, 1, 1);
    },
  },
  {
    name: "keeps the last evaluation of a step that was evaluated again",
    async run({ open, read }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      for (const quality of [1, 2]) {
        run.append({ type: "evaluation-end", step: 0, evaluation: exampleEvaluation(quality) });
      }
      assert.deepEqual(read(folder, run.run).evaluations, [{ step: 0, levels: exampleEvaluation(2).levels }]);
    },
  },
  {
    name: "tells which trial of an experiment a run is, before and after opening it again",
    async run({ open }, folder) {
      const trials = [
        undefined,
        { experiment: "контроль", variant: "plain", control: null },
        { experiment: "контроль", variant: "truth", control: "oracle" },
      ];
      const names: string[] = [];
      {
        await using workspace = open(folder);
        for (const trial of trials) {
          await using run = workspace.createRun(config, { trial });
          names.push(run.run);
          assert.deepEqual(run.trial, trial ?? null);
        }
      }
      await using workspace = open(folder);
      assert.deepEqual(
        workspace.list().map(({ trial }) => trial),
        trials.map((trial) => trial ?? null),
      );
      for (const [i, name] of names.entries()) {
        assert.deepEqual(workspace.info(name).trial, trials[i] ?? null);
        await using run = workspace.openRun(name);
        assert.deepEqual(run.trial, trials[i] ?? null);
      }
    },
  },
  {
    name: "lets one at a time append to a run",
    async run({ open }, folder) {
      await using workspace = open(folder);
      await using other = open(folder);
      const run = workspace.createRun(config);
      assert.throws(() => workspace.openRun(run.run), UsageError);
      assert.throws(() => other.openRun(run.run), UsageError);
      assert.equal(other.info(run.run).status, "running");
      await run[Symbol.asyncDispose]();
      await using again = other.openRun(run.run);
      appendSteps(again, 1, 1);
    },
  },
  {
    name: "says how a run ended, and that one ended without saying so",
    async run({ open }, folder) {
      await using workspace = open(folder);
      const names: string[] = [];
      for (const reason of ["finished", "interrupted", "stopped", null] as const) {
        await using run = workspace.createRun(config);
        names.push(run.run);
        run.append({ type: "run-start", run: run.run, fromStep: 0, steps: 1 });
        if (reason !== null) run.append({ type: "run-end", step: 0, reason });
      }
      assert.equal(new Set(names).size, 4);
      assert.deepEqual(
        workspace.list().map(({ run, status }) => [run, status]),
        names.map((name, i) => [name, ["finished", "interrupted", "stopped", "crashed"][i]]),
      );
    },
  },
  {
    name: "names the nearest run when there is none of a name",
    async run({ open }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      const wrong = `${run.run}x`;
      for (const ask of [() => workspace.info(wrong), () => workspace.openRun(wrong)]) {
        assert.throws(ask, (error) => error instanceof UsageError && error.hint.includes(run.run));
      }
    },
  },
  {
    name: "takes a name for a run, once, and finds it by its beginning",
    async run({ open }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config, { name: "my-run" });
      await using _other = workspace.createRun(config, { name: "my-other" });
      assert.equal(run.run, "my-run");
      assert.equal(workspace.info("my-r").run, "my-run");
      assert.equal(workspace.info("latest").run, "my-other");
      for (const name of ["my-run", "latest", "", "a/b"]) {
        assert.throws(() => workspace.createRun(config, { name }), UsageError);
      }
      assert.throws(() => workspace.info("my-"), UsageError);
      assert.equal(workspace.list().length, 2);
    },
  },
  {
    name: "changes what is recorded of a run, with a note that stays",
    async run({ open }, folder) {
      const sources = { topic: { "a.ts": "1" }, model: {} };
      const other = { topic: { "a.ts": "2" }, model: {} };
      await using workspace = open(folder);
      await using run = workspace.createRun(config, { sources });
      assert.deepEqual(workspace.info(run.run).sources, sources);
      appendSteps(run, 1, 2);
      await run.saveCheckpoint(stateAt(1), writeWeights(1));
      run.amend({ steps: 999, sources: other, step: 1, kind: "example", note: "as it is" });
      run.rewindTo(1);
      const info = workspace.info(run.run);
      assert.equal(info.config.steps, 999);
      assert.deepEqual({ ...info.config, steps: 0 }, { ...config, steps: 0 });
      assert.deepEqual(info.sources, other);
    },
  },
  {
    name: "gives back the newest checkpoint, with its state and what the engine wrote",
    async run({ open }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      assert.equal(await run.latestCheckpoint(), null);
      appendSteps(run, 1, 4);
      for (const step of [2, 4]) await run.saveCheckpoint(stateAt(step), writeWeights(step));
      const latest = await run.latestCheckpoint();
      assert.deepEqual(latest?.state, stateAt(4));
      assert.equal(latest?.step, 4);
      assert.equal(readFileSync(join(latest?.folder ?? "", "model.safetensors"), "utf8"), "weights of step 4");
    },
  },
  {
    name: "keeps the newest checkpoints and the best",
    async run({ open }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      appendSteps(run, 1, 6);
      const folders: string[] = [];
      for (let step = 1; step <= 6; step++) {
        const state = stateAt(step, step < 2 ? null : { step: 2, passAt1: 0.5 });
        folders.push((await run.saveCheckpoint(state, writeWeights(step))).folder);
      }
      assert.deepEqual(folders.map(existsSync), [false, true, false, false, true, true]);
    },
  },
  {
    name: "keeps the checkpoint that the state says, with what parts of the loop remember, and finds it by its step",
    async run({ open }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      appendSteps(run, 1, 6);
      const memory = { guard: { looks: [1, 0.5], of: "text" } };
      for (let step = 1; step <= 6; step++) {
        await run.saveCheckpoint({ ...stateAt(step), memory, keep: 3 }, writeWeights(step));
      }
      const kept = await run.checkpointOf(3);
      assert.deepEqual(kept?.state, { ...stateAt(3), memory, keep: 3 });
      assert.equal(readFileSync(join(kept?.folder ?? "", "model.safetensors"), "utf8"), "weights of step 3");
      assert.equal(await run.checkpointOf(2), null);
      truncateSync(join(kept?.folder ?? "", "model.safetensors"), 3);
      await assert.rejects(run.checkpointOf(3), FileFormatError);
    },
  },
  {
    name: "leaves the last checkpoint as it was when writing the next one fails",
    async run({ open }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      appendSteps(run, 1, 2);
      const { folder: good } = await run.saveCheckpoint(stateAt(1), writeWeights(1));
      const failing = async (target: string): Promise<void> => {
        await writeWeights(2)(target);
        throw new Error("lost");
      };
      await assert.rejects(run.saveCheckpoint(stateAt(2), failing), /lost/);
      assert.deepEqual(readdirSync(dirname(good)).length, 1);
      assert.equal((await run.latestCheckpoint())?.step, 1);
    },
  },
  {
    name: "skips a broken checkpoint, and overwrites it when that step is reached again",
    async run({ open }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      appendSteps(run, 1, 2);
      for (const step of [1, 2]) await run.saveCheckpoint(stateAt(step), writeWeights(step));
      const broken = await run.latestCheckpoint();
      truncateSync(join(broken?.folder ?? "", "model.safetensors"), 3);
      const whole = await run.latestCheckpoint();
      assert.equal(whole?.step, 1);
      run.rewindTo(1);
      appendSteps(run, 2, 2);
      await run.saveCheckpoint(stateAt(2), writeWeights(2));
      assert.equal((await run.latestCheckpoint())?.step, 2);
    },
  },
  {
    name: "finishes the clean-up that a killed process had begun",
    async run({ open }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      appendSteps(run, 1, 3);
      const { folder: first } = await run.saveCheckpoint(stateAt(1), writeWeights(1));
      const copy = join(folder, "copy");
      cpSync(first, copy, { recursive: true });
      for (const step of [2, 3]) await run.saveCheckpoint(stateAt(step), writeWeights(step));
      assert.equal(existsSync(first), false);
      cpSync(copy, first, { recursive: true });
      assert.equal((await run.latestCheckpoint())?.step, 3);
      assert.equal(existsSync(first), false);
    },
  },
  {
    name: "never goes on from a checkpoint after the step that it was rewound to",
    async run({ open }, folder) {
      await using workspace = open(folder);
      await using run = workspace.createRun(config);
      appendSteps(run, 1, 4);
      for (const step of [2, 4]) await run.saveCheckpoint(stateAt(step), writeWeights(step));
      run.rewindTo(2);
      assert.equal((await run.latestCheckpoint())?.step, 2);
    },
  },
];
