// Progress of work that may take over two seconds: redrawn in place for a person, a plain line now and then in a log.
import { formatDuration } from "./format.ts";
import type { Terminal } from "./terminal.ts";

export interface Progress {
  /** Says how much is done; cheap enough to call often. */
  update(done: number): void;
  end(): void;
}

const quietSeconds = 2;
const logSeconds = 15;

/** Starts measuring `total` units of work. Nothing is shown in the first two seconds. */
export function startProgress(terminal: Terminal, label: string, total: number, now = () => Date.now()): Progress {
  const started = now();
  let lastLine = started;
  return {
    update: (done) => {
      const time = now();
      const seconds = (time - started) / 1000;
      if (seconds < quietSeconds) return;
      const line = `${label} ${done}/${total}${done > 0 && done < total ? `, ${formatDuration((seconds / done) * (total - done))} left` : ""}`;
      if (terminal.interactive) terminal.status(line);
      else if ((time - lastLine) / 1000 >= logSeconds) {
        terminal.note(line);
        lastLine = time;
      }
    },
    end: () => terminal.status(null),
  };
}
