// What a sandbox process and its owner say to each other: one JSON object a line, a request in on standard input; out on
// standard output one line for each call as soon as it is done (so that a killed process loses only the call it died
// in), then one line for the whole program. Leaves out who speaks it: worker.ts and worker-process.ts.
import type { PlainValue } from "./plain-values.ts";
import type { CallResult, ProgramLimits, ProgramStatus } from "./sandbox.ts";

/** Largest marshalled result of one call; larger ones are an error of that call. */
export const largestValueBytes = 1024 * 1024;

/** Most that a program may print; beyond it the program ends. */
export const outputLimitBytes = 64 * 1024;

export interface WorkerRequest {
  readonly program: string;
  readonly calls: readonly { readonly function: string; readonly args: readonly PlainValue[] }[];
  readonly limits: ProgramLimits;
}

export interface WorkerOutcome {
  readonly status: ProgramStatus;
  readonly reason?: string;
  readonly output: string;
  /** True when the last call that was made left no interpreter or no memory for those after it, which were not made. */
  readonly broken?: boolean;
}

export type WorkerMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "started" }
  | { readonly kind: "loaded" }
  | { readonly kind: "call"; readonly index: number; readonly result: CallResult }
  | {
      readonly kind: "done";
      readonly outcome: WorkerOutcome;
      readonly milliseconds: number;
      readonly worn: boolean;
    };

/** Hears how a program gets on, at once. */
export interface Listener {
  /** The program's top level has finished; calls follow. */
  loaded(): void;
  call(index: number, result: CallResult): void;
}

/** What runs inside a sandbox process. */
export interface Interpreter {
  /** True when the process should be replaced: its memory, which never shrinks, has grown, or it is damaged. */
  readonly worn: boolean;
  /** Runs a program; `listener` gets each call's result in order. Never throws for what a program does. */
  run(request: WorkerRequest, listener: Listener): WorkerOutcome;
  /** Makes ready for the next program; done between programs so that no request waits for it. */
  reset(): void | Promise<void>;
}
