// Ctrl-C twice: the first asks for an orderly end, the second ends the process at once.
import { exitCodes } from "./command.ts";
import type { Terminal } from "./terminal.ts";

const samePressMilliseconds = 500;

/** Listens until disposed. `signal` is aborted by the first SIGINT or SIGTERM. */
export function listenForInterrupt(terminal: Terminal): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  let asked = 0;
  const listener = (): void => {
    if (controller.signal.aborted) {
      // npm and npx pass on a signal that the terminal has already sent to us: one key press may arrive twice.
      if (performance.now() - asked < samePressMilliseconds) return;
      // What is recorded is durable at every moment: leaving in mid-step loses that step and nothing else.
      process.exit(exitCodes.interrupted);
    }
    asked = performance.now();
    controller.abort();
    terminal.note("Ending after the current step, with a checkpoint. Press Ctrl-C again to quit at once.");
  };
  process.on("SIGINT", listener);
  process.on("SIGTERM", listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      process.off("SIGINT", listener);
      process.off("SIGTERM", listener);
    },
  };
}
