// The stack of a sandbox process. An interpreter in WebAssembly recurses on two stacks: its own, whose end it checks for,
// and that of the process, whose end it cannot see and does not survive. So the process gets a stack that is large
// beside the part of its own that the interpreter may use. Leaves out: what happens where a program overflows all the
// same (run-calls.ts).
import { execFileSync } from "node:child_process";

/** Enough for a hundred thousand levels of most C functions; macOS allows no more. */
const wantedKiB = 65_520;
/** What V8 must leave to functions outside of JavaScript. */
const spareKiB = 1024;
/** The stack of the process for each byte of Python's own: the most that was measured is below 30. */
const nativePerPythonByte = 42;

export interface NativeStack {
  /** For the shell's `ulimit -s`. */
  readonly kib: number;
  /** For V8. */
  readonly flags: readonly string[];
  /** How much of its own stack Python may use. */
  readonly pythonBytes: number;
}

let found: NativeStack | null | undefined;

/** The stack that a process may be given on this machine; null where that cannot be chosen (Windows, no shell). */
export function nativeStack(): NativeStack | null {
  if (found === undefined) found = process.platform === "win32" ? null : measure();
  return found;
}

function measure(): NativeStack | null {
  let limit: string;
  try {
    limit = execFileSync("/bin/sh", ["-c", "ulimit -H -s"], { encoding: "utf8", env: {} }).trim();
  } catch {
    return null;
  }
  const kib = limit === "unlimited" ? wantedKiB : Math.min(wantedKiB, Number(limit));
  if (!(kib >= 4 * spareKiB)) return null;
  return {
    kib,
    flags: [`--stack-size=${kib - spareKiB}`],
    pythonBytes: Math.floor(kib / nativePerPythonByte) * 1024,
  };
}

/** A command line that gives the command this machine's largest sensible stack. */
export function withNativeStack(command: readonly string[]): readonly string[] {
  const stack = nativeStack();
  if (stack === null) return command;
  return ["/bin/sh", "-c", 'ulimit -S -s "$0" && exec "$@"', String(stack.kib), ...command];
}

/** True for what V8 throws where the stack of the process ends. */
export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes("call stack");
}
