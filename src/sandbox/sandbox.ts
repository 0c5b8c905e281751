// The sandbox contract: a program and calls go in, plain values per call come out. Expected values never enter;
// whoever judges compares outside (src/verify/unit-tests.ts). How plain values are written: plain-values.ts.
import type { PlainValue } from "./plain-values.ts";

export const programLanguages = ["python", "javascript"] as const;
export type ProgramLanguage = (typeof programLanguages)[number];

export interface ProgramLimits {
  /** Wall-clock seconds for the whole program with all its calls. */
  readonly seconds: number;
  /** Memory beyond what the interpreter itself needs, in MiB. */
  readonly memoryMiB: number;
}

export const defaultLimits: ProgramLimits = { seconds: 5, memoryMiB: 64 };
/** What a caller may ask for; requests outside are refused as data, not clamped. */
export const largestLimits: ProgramLimits = { seconds: 120, memoryMiB: 1024 };

export interface ProgramCall {
  readonly function: string;
  /** Plain values: JSON data, or the tags of plain-values.ts. */
  readonly args: readonly unknown[];
}

export interface ProgramRequest {
  readonly language: ProgramLanguage;
  readonly program: string;
  readonly calls: readonly ProgramCall[];
  readonly limits?: Partial<ProgramLimits>;
}

/**
 * What became of the program as a whole. `ok`: it loaded and every call was made (a call may still have failed on its
 * own). `error`: it did not load, or the request makes no sense. `denied`: it reached for the host, a file to write,
 * the network or another process. `output`: it printed too much. `exit`: it asked to end the process. `crash`: it broke
 * the interpreter. `too-large`: program or arguments are larger than the sandbox takes.
 */
export type ProgramStatus =
  | "ok"
  | "timeout"
  | "memory"
  | "denied"
  | "error"
  | "output"
  | "exit"
  | "crash"
  | "too-large";

/** Result of one call: a plain value, or why there is none. */
export type CallResult = { readonly value: PlainValue } | { readonly error: string };

export interface ProgramOutcome {
  readonly status: ProgramStatus;
  /** Why `status` is not `ok`. */
  readonly reason?: string;
  /** One entry for each call, in order; empty when the program itself did not load. */
  readonly results: readonly CallResult[];
  /** What the program printed, capped. */
  readonly output: string;
  readonly milliseconds: number;
}

/** Runs programs that a model wrote. A bad program is an outcome; only a broken sandbox throws. */
export interface Sandbox extends AsyncDisposable {
  readonly languages: readonly ProgramLanguage[];
  run(request: ProgramRequest): Promise<ProgramOutcome>;
}
