// What the engine says of its long calls, as one line: stage, how far, tokens a second and time left. Redrawn in place for a
// person, a plain line now and then in a log, nothing with --json.
import type { EngineCapabilities, EngineProgress } from "../engine/engine.ts";
import { formatDuration } from "./format.ts";
import type { Terminal } from "./terminal.ts";

const quietSeconds = 2;
const logSeconds = 15;

/** What is counted by `done` and `total`. */
const units: Readonly<Record<Exclude<EngineProgress["stage"], "waiting">, string>> = {
  loading: "weights",
  sampling: "answers",
  scoring: "tokens",
  training: "tokens",
};

/**
 * A listener for the engine's `onProgress`. Calls that follow each other in one stage are timed apart.
 * @param now milliseconds of a clock that never goes back: beside one that does, nothing would be said for as long
 */
export function engineProgress(terminal: Terminal, now = () => performance.now()): (progress: EngineProgress) => void {
  let call = { stage: "", done: 0, started: now(), before: now() };
  let lastLine = now();
  return (progress) => {
    const time = now();
    const { stage, done } = progress;
    if (stage === "waiting") {
      // It comes now and then, and only when there is something to say.
      if (terminal.json) return;
      if (terminal.interactive) terminal.status(progress.waiting ?? null);
      else if ((time - lastLine) / 1000 >= logSeconds) {
        terminal.note(progress.waiting ?? "");
        lastLine = time;
      }
      return;
    }
    // A call reports when a part of it is done, so it began when the report before it came.
    if (stage !== call.stage || done < call.done) call = { stage, done, started: call.before, before: time };
    call = { ...call, done, before: time };
    const seconds = (time - call.started) / 1000;
    if (terminal.json || terminal.streaming || seconds < quietSeconds) return;
    const line = progressLine(progress, seconds);
    if (terminal.interactive) terminal.status(done < progress.total ? line : null);
    else if ((time - lastLine) / 1000 >= logSeconds) {
      terminal.note(line);
      lastLine = time;
    }
  };
}

/** Says what trains and how weights are held, where it is not all of them in float32. */
export function sayWeights(terminal: Terminal, { weights, coarseSampling = false }: EngineCapabilities): void {
  if (weights === undefined || weights.startsWith("all")) return;
  terminal.note(`${weights}${coarseSampling ? "; --weights f32 is exact and takes more memory" : ""}`);
}

/** `sampling 24/128 answers, 210 tokens/s, 31 s left`. */
export function progressLine(progress: EngineProgress, seconds: number): string {
  const { stage, done, total, tokens } = progress;
  if (stage === "waiting") return "";
  const share = stage === "loading" ? `${Math.floor((100 * done) / total)} %` : `${done}/${total}`;
  const rate = tokens > 0 && seconds > 0 ? `, ${Math.round(tokens / seconds)} tokens/s` : "";
  const secondsLeft = seconds * relativeLeft(progress);
  const left = Number.isFinite(secondsLeft) && done < total ? `, ${formatDuration(secondsLeft)} left` : "";
  return `${stage} ${share} ${units[stage]}${rate}${left}`;
}

/**
 * What is left to do over what has been done. Answers that are sampled side by side end together: by those that have ended the first
 * would seem to have all the others before it, so what they may still draw at most counts where it is less. Before one has ended there is
 * no telling.
 */
function relativeLeft({ done, total, tokens, mostLeft = Number.POSITIVE_INFINITY }: EngineProgress): number {
  if (done === 0) return Number.POSITIVE_INFINITY;
  return Math.min((total - done) / done, tokens === 0 ? Number.POSITIVE_INFINITY : mostLeft / tokens);
}
