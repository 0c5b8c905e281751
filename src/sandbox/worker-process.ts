// A sandbox process seen from its owner: started with an empty environment inside Node's permission model, watched, and
// killed when it does not answer in time. Every request ends in an outcome, whatever happens to the process. Leaves out:
// which process gets which request (process-sandbox.ts).
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { SqlmError } from "../errors.ts";
import { type Confine, spawnConfined } from "./confine.ts";
import type { CallResult, ProgramOutcome } from "./sandbox.ts";
import type { WorkerCommand } from "./worker-command.ts";
import type { WorkerMessage, WorkerOutcome, WorkerRequest } from "./worker-protocol.ts";

/** Seconds beyond a program's own limit after which a silent process is killed. */
const graceSeconds = 0.5;
/** Seconds that a process may take to start or to make itself ready between programs. */
const bootSeconds = 180;

interface Pending {
  readonly request: WorkerRequest;
  readonly results: (CallResult | undefined)[];
  readonly sent: number;
  loaded: boolean;
  readonly resolve: (outcome: ProgramOutcome) => void;
}

/** One process; takes one request at a time. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  #settleReady: { resolve: () => void; reject: (error: Error) => void } = { resolve: () => {}, reject: () => {} };
  #pending: Pending | null = null;
  #timer: NodeJS.Timeout | undefined;
  #complaint = "";
  #hung = false;
  #dead = false;
  #worn = false;

  constructor({ command, readable }: WorkerCommand, confine: Confine) {
    this.#child = spawnConfined(confine(command, readable), readable[0]);
    this.#ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    // A process that nobody waits for any more may fail to start without being an unhandled rejection.
    this.#ready.catch(() => {});
    const { stdin, stdout, stderr } = this.#child;
    stdin?.on("error", () => {});
    stderr?.on("data", (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString()).slice(-2000);
    });
    if (stdout) createInterface({ input: stdout }).on("line", (line) => this.#receive(line));
    this.#child.on("error", (error) => this.#died(error.message));
    this.#child.on("close", (code, signal) => this.#died(signal ?? `exit code ${code}`));
    this.#watch(bootSeconds);
  }

  /** False when the process has ended, or should take no further program. */
  get usable(): boolean {
    return !this.#dead && !this.#worn;
  }

  /** Resolves when the process takes requests; rejects with SqlmError when it cannot start. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** Runs one request. Never rejects: a process that dies or hangs is an outcome too. */
  run(request: WorkerRequest): Promise<ProgramOutcome> {
    return new Promise((resolve) => {
      this.#pending = { request, results: [], sent: performance.now(), loaded: false, resolve };
      if (this.#dead) {
        this.#finish({ status: "crash", reason: "the sandbox process had ended", output: "" });
        return;
      }
      this.#watch(bootSeconds);
      this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Lets an idle process not keep this one alive. */
  setBusy(busy: boolean): void {
    const parts = [this.#child, this.#child.stdin, this.#child.stdout, this.#child.stderr] as unknown[];
    for (const part of parts as { ref?: () => void; unref?: () => void }[]) busy ? part.ref?.() : part.unref?.();
  }

  /** Ends the process; resolves when it is gone. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
    this.setBusy(true);
    child.kill("SIGKILL");
    await gone;
  }

  #receive(line: string): void {
    let message: WorkerMessage;
    try {
      message = JSON.parse(line) as WorkerMessage;
    } catch {
      return;
    }
    switch (message.kind) {
      case "ready":
        clearTimeout(this.#timer);
        this.#settleReady.resolve();
        return;
      case "started":
        this.#watch((this.#pending?.request.limits.seconds ?? 0) + graceSeconds);
        return;
      case "loaded":
        if (this.#pending !== null) this.#pending.loaded = true;
        return;
      case "call":
        if (this.#pending !== null) this.#pending.results[message.index] = message.result;
        return;
      case "done":
        this.#worn = message.worn;
        this.#finish(message.outcome, message.milliseconds);
    }
  }

  #watch(seconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#hung = true;
      this.#child.kill("SIGKILL");
    }, seconds * 1000);
  }

  #died(how: string): void {
    if (this.#dead) return;
    this.#dead = true;
    clearTimeout(this.#timer);
    this.#settleReady.reject(
      new SqlmError(
        `A sandbox process could not start (${how}). ${this.#complaint.trim().split("\n").slice(-3).join(" ")}`.trim(),
        "Run `sqlm doctor` to see which part of the sandbox fails on this machine.",
      ),
    );
    if (this.#pending === null) return;
    const outcome: WorkerOutcome = this.#hung
      ? { status: "timeout", reason: "the program did not stop at the time limit; its process was killed", output: "" }
      : { status: "crash", reason: `the sandbox process ended (${how})`, output: "" };
    this.#finish(outcome);
  }

  #finish(outcome: WorkerOutcome, milliseconds?: number): void {
    clearTimeout(this.#timer);
    const pending = this.#pending;
    if (pending === null) return;
    this.#pending = null;
    const { status, reason, output } = outcome;
    // Calls that were never made say why.
    const unmade: CallResult = { error: `${status}: ${reason ?? "the call was not made"}` };
    pending.resolve({
      status,
      ...(reason === undefined ? {} : { reason }),
      results: pending.loaded ? pending.request.calls.map((_, index) => pending.results[index] ?? unmade) : [],
      output,
      milliseconds: milliseconds ?? performance.now() - pending.sent,
    });
  }
}
