// The sandbox that the project uses: a pool of watched processes, Pyodide for Python and QuickJS for JavaScript. Requests
// wait in line for a process of their language; a process that hung, died or grew is replaced. Leaves out: what one
// process does (worker-process.ts, worker.ts) and what a request may look like to scripts (script-interface.ts).
import { SqlmError, UnsupportedError } from "../errors.ts";
import { testBubblewrap } from "./bubblewrap.ts";
import { type Confine, unconfined } from "./confine.ts";
import { type PlainValue, plainValueProblem } from "./plain-values.ts";
import { forgetPythonSnapshot, pythonSnapshot } from "./python-snapshot.ts";
import {
  defaultLimits,
  largestLimits,
  type ProgramLanguage,
  type ProgramLimits,
  type ProgramOutcome,
  type ProgramRequest,
  type ProgramStatus,
  programLanguages,
  type Sandbox,
} from "./sandbox.ts";
import { javaScriptCommand, pythonCommand } from "./worker-command.ts";
import { WorkerProcess } from "./worker-process.ts";
import type { WorkerRequest } from "./worker-protocol.ts";

/** Longest program, in UTF-8 bytes, and most bytes of arguments that one request may carry. */
const largestProgramBytes = 512 * 1024;
const largestArgumentBytes = 4 * 1024 * 1024;
const mostCalls = 10_000;

/** Processes that die in a row before they are ready, after which the sandbox counts as broken. */
const mostFailedStarts = 3;

export interface SandboxOptions {
  /** Processes for each language; started when first needed. Default 1. */
  readonly workers?: number;
  /** `auto` puts bubblewrap and seccomp around each process where a self-test shows that they work. Default `auto`. */
  readonly outerLayer?: "auto" | "none";
}

/** Opens a sandbox. Nothing is started until the first program arrives. Dispose it to end its processes. */
export function createSandbox(options: SandboxOptions = {}): Sandbox {
  return new ProcessSandbox(options.workers ?? 1, options.outerLayer ?? "auto");
}

interface Job {
  readonly request: WorkerRequest;
  readonly resolve: (outcome: ProgramOutcome) => void;
  readonly reject: (error: unknown) => void;
}

class ProcessSandbox implements Sandbox {
  readonly languages = programLanguages;
  readonly #lines: Readonly<Record<ProgramLanguage, Line>>;
  #closed = false;

  constructor(workers: number, outerLayer: "auto" | "none") {
    if (!Number.isInteger(workers) || workers < 1) {
      throw new UnsupportedError(`A sandbox cannot have ${workers} workers.`, "Give a whole number of at least 1.");
    }
    const confine = async (): Promise<Confine> =>
      (outerLayer === "auto" ? (await testBubblewrap()).confine : null) ?? unconfined;
    this.#lines = {
      python: new Line("python", workers, confine),
      javascript: new Line("javascript", workers, confine),
    };
  }

  async run(request: ProgramRequest): Promise<ProgramOutcome> {
    if (this.#closed) throw new SqlmError("The sandbox is closed.", "Open a new one with createSandbox().");
    const limits = { ...defaultLimits, ...request.limits };
    const refused = refusal(request, limits);
    if (refused !== null) return { ...refused, results: [], output: "", milliseconds: 0 };
    const { program, calls } = request;
    return this.#lines[request.language].run({ program, calls: calls as WorkerRequest["calls"], limits });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(Object.values(this.#lines).map((line) => line.close()));
  }
}

/** Why a request is not run at all, or null. */
function refusal(
  { language, program, calls }: ProgramRequest,
  limits: ProgramLimits,
): { readonly status: ProgramStatus; readonly reason: string } | null {
  if (!programLanguages.includes(language)) return { status: "error", reason: `unknown language ${String(language)}` };
  for (const name of ["seconds", "memoryMiB"] as const) {
    if (!(limits[name] > 0 && limits[name] <= largestLimits[name])) {
      return { status: "error", reason: `limits.${name} must be above 0 and at most ${largestLimits[name]}` };
    }
  }
  const bytes = Buffer.byteLength(program);
  if (bytes > largestProgramBytes) {
    return { status: "too-large", reason: `the program has ${bytes} bytes; the sandbox takes ${largestProgramBytes}` };
  }
  if (!program.isWellFormed()) return { status: "error", reason: "the program is not valid Unicode" };
  if (calls.length > mostCalls) return { status: "too-large", reason: `more than ${mostCalls} calls` };
  for (const [index, call] of calls.entries()) {
    const problem = plainValueProblem(call.args as readonly PlainValue[]);
    if (problem !== null) return { status: "error", reason: `arguments of call ${index + 1}: ${problem}` };
  }
  if (JSON.stringify(calls).length > largestArgumentBytes) {
    return { status: "too-large", reason: `the calls have more than ${largestArgumentBytes} characters` };
  }
  return null;
}

function closedError(): SqlmError {
  return new SqlmError("The sandbox was closed before the program ran.", "Await all runs before you close it.");
}

/** The processes of one language and the requests that wait for them. */
class Line {
  readonly #language: ProgramLanguage;
  readonly #confine: () => Promise<Confine>;
  readonly #workers: number;
  readonly #idle: WorkerProcess[] = [];
  readonly #all = new Set<WorkerProcess>();
  readonly #waiting: Job[] = [];
  #busy = 0;
  #failedStarts = 0;
  #closed = false;

  constructor(language: ProgramLanguage, workers: number, confine: () => Promise<Confine>) {
    this.#language = language;
    this.#workers = workers;
    this.#confine = confine;
  }

  run(request: WorkerRequest): Promise<ProgramOutcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#dispatch();
    });
  }

  /** Refuses what waits, ends every process and waits until they are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new SqlmError(
      "The sandbox was closed before the program ran.",
      "Await all runs before you close it.",
    );
    for (const job of this.#waiting.splice(0)) job.reject(error);
    await Promise.all([...this.#all].map((worker) => worker.stop()));
  }

  #dispatch(): void {
    while (this.#busy < this.#workers) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      this.#busy++;
      void this.#serve(job).finally(() => {
        this.#busy--;
        this.#dispatch();
      });
    }
  }

  async #serve(job: Job): Promise<void> {
    try {
      const worker = await this.#take();
      worker.setBusy(true);
      const outcome = await worker.run(job.request);
      if (worker.usable) this.#idle.push(worker);
      else this.#discard(worker);
      worker.setBusy(false);
      job.resolve(outcome);
    } catch (error) {
      job.reject(error);
    }
  }

  /** A process that is ready for a program. */
  async #take(): Promise<WorkerProcess> {
    for (let worker = this.#idle.pop(); worker !== undefined; worker = this.#idle.pop()) {
      if (worker.usable) return worker;
      this.#discard(worker);
    }
    for (;;) {
      const confine = await this.#confine();
      const command = this.#language === "python" ? pythonCommand(await pythonSnapshot(confine)) : javaScriptCommand();
      if (this.#closed) throw closedError();
      const worker = new WorkerProcess(command, confine);
      this.#all.add(worker);
      try {
        await worker.ready();
        this.#failedStarts = 0;
        return worker;
      } catch (error) {
        this.#discard(worker);
        if (this.#closed || ++this.#failedStarts >= mostFailedStarts) throw error;
        if (this.#language === "python") await forgetPythonSnapshot();
      }
    }
  }

  #discard(worker: WorkerProcess): void {
    this.#all.delete(worker);
    void worker.stop();
  }
}
