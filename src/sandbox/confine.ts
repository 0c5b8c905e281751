// How a command line is confined further before it is started, and how it is started: with an empty environment and
// nothing but pipes. Leaves out: which confinement there is (bubblewrap.ts).
import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { withNativeStack } from "./native-stack.ts";

export interface ConfinedCommand {
  readonly command: readonly string[];
  /** Bytes that the command reads from its descriptor 3. */
  readonly descriptor3?: Uint8Array;
}

/** Wraps a command that needs to read `readable` (and the program it runs) into one that can do little else. */
export type Confine = (command: readonly string[], readable: readonly string[]) => ConfinedCommand;

/** No further confinement. */
export const unconfined: Confine = (command) => ({ command });

// Processes that are in the midst of a program do not notice that their owner ended.
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a command in `folder` with an empty environment and a large stack; descriptors 0, 1 and 2 are pipes. */
export function spawnConfined({ command, descriptor3 }: ConfinedCommand, folder: string): ChildProcess {
  const [file, ...args] = withNativeStack(command);
  const stdio = ["pipe", "pipe", "pipe", ...(descriptor3 === undefined ? [] : ["pipe"])] as "pipe"[];
  const child = spawn(file, args, { env: {}, cwd: folder, stdio, windowsHide: true });
  running.add(child);
  child.on("close", () => running.delete(child));
  if (descriptor3 !== undefined) {
    const pipe = child.stdio[3] as Writable;
    pipe.on("error", () => {});
    pipe.end(descriptor3);
  }
  return child;
}
