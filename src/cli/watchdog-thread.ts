// The thread of watchdog.ts: sees when the main thread stands still, asks it through the inspector what it is in (a call that
// interrupts running JavaScript), and says so. Time is counted in its own ticks, so that a process that was stopped (Ctrl-Z)
// and goes on has not stood still.
import { writeSync } from "node:fs";
import { type Runtime, Session } from "node:inspector";
import { workerData } from "node:worker_threads";
import type { WatchdogData } from "./watchdog.ts";

const { beats, expression, noteSeconds, endSeconds } = workerData as WatchdogData;

/** Beats of the main thread are expected several times in each. */
const tickMilliseconds = 60;

const session = new Session();
session.connectToMainThread();

let lastBeat = -1;
let ticks = 0;
let noted = false;
/** What the main thread is in, as it last said. */
let call: string | null = null;

setInterval(() => {
  const beat = Atomics.load(beats, 0);
  if (beat !== lastBeat) {
    lastBeat = beat;
    ticks = 0;
    noted = false;
    call = null;
    return;
  }
  ticks++;
  // Asked once more before each thing that is said: the main thread may be in something else by now.
  const seconds = (ticks * tickMilliseconds) / 1000;
  session.post("Runtime.evaluate", { expression, returnByValue: true }, (error, reply) => {
    if (error === null) call = callIn(reply);
  });
  if (call === null) return;
  if (seconds >= noteSeconds && !noted) {
    noted = true;
    say(`${call} has not returned for ${noteSeconds} seconds. Ctrl-C ends the process; what is recorded stays.`);
  }
  if (seconds >= endSeconds) {
    say(`${call} has not returned for ${endSeconds} seconds, so the process ends; what is recorded stays.`);
    process.kill(process.pid, "SIGTERM");
  }
}, tickMilliseconds);

function callIn({ result }: Runtime.EvaluateReturnType): string | null {
  return typeof result.value === "string" ? result.value : null;
}

function say(sentence: string): void {
  // Streams of a thread are written by the main thread, which stands still.
  writeSync(2, `\nsqlm: ${sentence}\n`);
}
