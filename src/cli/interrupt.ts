// How a run is ended from outside: by Ctrl-C and other signals, or because nobody reads its output any more. The first
// asks for an orderly end; Ctrl-C or TERM a second time ends the process at once.
//
// Never by `process.exit` while an engine is open: it stops the engine's thread in the middle of native code, which ends
// the process with an abort (134) and a core dump. The kernel's own end of a process touches no thread.
import { exitCodes } from "./command.ts";
import type { Terminal } from "./terminal.ts";

const samePressMilliseconds = 500;

/** What asks for an orderly end; a terminal that was closed sends SIGHUP. */
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Those who end in an orderly way when nobody reads the output any more. */
const readers = new Set<() => void>();

/**
 * Listens until disposed. `signal` is aborted by the first signal, or when the reader of the output has gone.
 * @param last what is still done before the end
 */
export function listenForInterrupt(
  terminal: Terminal,
  last = "Ending after the current step, with a checkpoint.",
): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  let asked: number | null = null;
  const listener = (signal: NodeJS.Signals): void => {
    if (asked !== null) {
      // npm and npx pass on a signal that the terminal has already sent to us: one key press may arrive twice. A shell
      // that ends hangs up more than once, and means no more by it.
      if (performance.now() - asked < samePressMilliseconds || signal === "SIGHUP") return;
      // What is recorded is durable at every moment: leaving in mid-step loses that step and nothing else.
      dieOf(signal);
    }
    asked = performance.now();
    if (controller.signal.aborted) return;
    controller.abort();
    terminal.note(`${last} Press Ctrl-C again to quit at once.`);
  };
  const readerGone = (): void => controller.abort();
  readers.add(readerGone);
  for (const signal of signals) process.on(signal, listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      readers.delete(readerGone);
      for (const signal of signals) process.off(signal, listener);
    },
  };
}

/** Ends the process by the default action of a signal, which runs none of our code and none of Node's. */
function dieOf(signal: NodeJS.Signals): never {
  // Node ignores SIGPIPE from the start; to listen and to stop listening is what brings a default action back.
  process.once(signal, () => {});
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // Only the first process of a container comes here: it has no default actions.
  process.exit(exitCodes.interrupted);
}

let engines = false;

/** True once a run was ended because its reader has gone: the little that is still to be said is said to nobody. */
let ended = false;

/** Says that this process has a thread in native code from now on. */
export function engineOpened(): void {
  engines = true;
}

/** To be called once: from now on a reader that goes away (`sqlm run | head`) is no error. */
export function watchOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      // EIO: the terminal was closed.
      if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
      if (readers.size > 0) {
        ended = true;
        for (const gone of readers) gone();
      }
      // What is beside the result may be lost; work for a result that nobody reads ends, as that of `cat` does.
      else if (stream === process.stdout && !ended) {
        if (engines) dieOf("SIGPIPE");
        process.exit(exitCodes.ok);
      }
    });
  }
}
