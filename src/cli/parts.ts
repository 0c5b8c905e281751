// The seam between the command line and everything that it drives. Commands know these names only; heavy modules load
// when a command first needs them, so `sqlm --help` stays quick, and tests put scripted parts in their place.
import { availableParallelism } from "node:os";
import type { Engine } from "../engine/engine.ts";
import type { OpenEngineOptions } from "../engine/open-engine.ts";
import type { EnginePlan, StepWork } from "../engine/work.ts";
import type { judgeLevels } from "../evaluate/evaluate.ts";
import type { RunEvent } from "../events.ts";
import type { ModelFiles } from "../model/model-files.ts";
import type { SelfPlayOptions } from "../run-options.ts";
import type { DoctorCheck } from "../sandbox/containment.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Workspace } from "../store/store.ts";
import { engineOpened } from "./interrupt.ts";
import type { AnswerRequest } from "./json-lines.ts";
import type { DashboardProcess } from "./open-dashboard.ts";

/** Answers of the script commands about programs. */
export interface ProgramScripts extends AsyncDisposable {
  readonly runProgram: AnswerRequest;
  readonly judge: AnswerRequest;
  /** Reads a request without losing what JavaScript numbers lose. */
  readonly parse: (text: string) => unknown;
  /** Requests that the sandbox works on at once. */
  readonly concurrency: number;
}

export interface Parts {
  openEngine(options: OpenEngineOptions): Promise<Engine>;
  /** All of a model on this machine but its weights. */
  openModelFiles(model: string): Promise<ModelFiles>;
  /** What a step would take of that engine; null for one that computes elsewhere. */
  planEngine(
    options: OpenEngineOptions,
    work: StepWork,
    how: { readonly measure: boolean },
  ): Promise<EnginePlan | null>;
  openWorkspace(folder: string): Promise<Workspace>;
  /** A sandbox that has been seen to contain hostile programs. Throws UnsupportedError where it does not. */
  openSandbox(): Promise<Sandbox>;
  /** Throws UnsupportedError where engine, topic and config do not fit together. */
  checkFit(options: Omit<SelfPlayOptions, "store">): Promise<void>;
  selfPlay(options: SelfPlayOptions): Promise<AsyncGenerator<RunEvent, void>>;
  judgeLevels: typeof judgeLevels;
  compareAnswers(): Promise<AnswerRequest>;
  openProgramScripts(): Promise<ProgramScripts>;
  sandboxChecks(): Promise<readonly DoctorCheck[]>;
  /** A dashboard of this workspace in a process of its own. Throws UsageError where it does not start. */
  startDashboard(workspace: string): Promise<DashboardProcess>;
  /** Runs a tiny graph; says which runtime it was. Throws when it does not load or gives a wrong result. */
  checkRuntime(): Promise<string>;
}

/** One process a core, but one core stays free for the engine, and more than four gain little. */
const sandboxWorkers = Math.max(1, Math.min(4, availableParallelism() - 1));

/** Containment is a matter of the machine: seen once in a process, it holds for every sandbox of the process. */
let contained: Promise<void> | undefined;

/** The project's own parts. */
export const projectParts: Parts = {
  openEngine: async (options) => {
    engineOpened();
    return (await import("../engine/open-engine.ts")).openEngine(options);
  },
  openModelFiles: async (model) => (await import("../model/model-files.ts")).openModelFiles(model),
  planEngine: async (...options) => (await import("../engine/open-engine.ts")).planEngine(...options),
  openWorkspace: async (folder) => (await import("../store/workspace.ts")).openWorkspace(folder),
  openSandbox: async () => {
    const { createSandbox } = await import("../sandbox/process-sandbox.ts");
    const { assertContainment } = await import("../sandbox/containment.ts");
    const sandbox = createSandbox({ workers: sandboxWorkers });
    try {
      contained ??= assertContainment(sandbox);
      await contained;
    } catch (error) {
      await sandbox[Symbol.asyncDispose]();
      throw error;
    }
    return sandbox;
  },
  checkFit: async (options) => (await import("../run-options.ts")).checkFit(options),
  selfPlay: async (options) => (await import("../self-play.ts")).selfPlay(options),
  judgeLevels: async (...options) => (await import("../evaluate/evaluate.ts")).judgeLevels(...options),
  compareAnswers: async () => {
    const { compareAnswers } = await import("../answer/compare-answers.ts");
    // Other keys are the script's own business.
    return ({ expected, given }) => compareAnswers({ expected, given });
  },
  openProgramScripts: async () => {
    const [{ createSandbox }, { runProgram, judge }, { parseExactJson }] = await Promise.all([
      import("../sandbox/process-sandbox.ts"),
      import("./script-interface.ts"),
      import("../sandbox/plain-values.ts"),
    ]);
    const sandbox = createSandbox({ workers: sandboxWorkers });
    return {
      runProgram: (request) => runProgram(request, sandbox),
      judge: (request) => judge(request, sandbox),
      parse: parseExactJson,
      concurrency: sandboxWorkers,
      [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
    };
  },
  sandboxChecks: async () => (await import("../sandbox/containment.ts")).runDoctorChecks(),
  startDashboard: async (workspace) => (await import("./open-dashboard.ts")).startDashboardProcess(workspace),
  checkRuntime: async () => (await import("../engine/onnx/runtime/check-runtime.ts")).checkRuntime(),
};
