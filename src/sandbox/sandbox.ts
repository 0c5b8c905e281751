// The sandbox contract: a program and calls go in, plain values per call come out. Expected values never enter;
// whoever judges compares outside.

export interface ProgramLimits {
  /** Wall-clock seconds for the whole program with all its calls. */
  readonly seconds: number;
  readonly memoryMiB: number;
}

export interface ProgramCall {
  readonly function: string;
  /** Plain JSON data. */
  readonly args: readonly unknown[];
}

export interface ProgramRequest {
  readonly language: "python" | "javascript";
  readonly program: string;
  readonly calls: readonly ProgramCall[];
  readonly limits?: Partial<ProgramLimits>;
}

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
export type CallResult = { readonly value: unknown } | { readonly error: string };

export interface ProgramOutcome {
  readonly status: ProgramStatus;
  /** One entry for each call, in order; empty when the program itself did not load. */
  readonly results: readonly CallResult[];
  /** What the program printed, capped. */
  readonly output: string;
  readonly milliseconds: number;
}

/** Runs programs that a model wrote. A bad program is an outcome; only a broken sandbox throws. */
export interface Sandbox extends AsyncDisposable {
  readonly languages: readonly ("python" | "javascript")[];
  run(request: ProgramRequest): Promise<ProgramOutcome>;
}
