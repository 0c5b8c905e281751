// Ctrl-C for a topic whose function never returns. A listener for signals runs between two pieces of JavaScript; where one
// never ends, no listener ever runs, and the process cannot be ended. A thread beside it sees that, and has the interrupted
// main thread put its listeners away: the next signal then ends the process by the system's own default. It also names the
// function, and ends the process where it has not returned for long (watchdog-thread.ts). Leaves alone whatever is not
// inside a function of a topic.
import { url } from "node:inspector";
import { Worker } from "node:worker_threads";
import { placeInStack } from "../errors.ts";
import { topicCall } from "../topics/checked-topic.ts";

/** What ends a process that does not listen. */
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** How often the main thread shows that it goes on, in milliseconds. */
const beatMilliseconds = 20;

/** Name, among the global symbols, of what the thread calls in the main thread. */
const stalledName = "sqlm.stalled";

/** What the thread is given. */
export interface WatchdogData extends WatchdogLimits {
  /** Grows while the main thread goes on. */
  readonly beats: Int32Array;
  /** Says, evaluated in the main thread, which function of a topic it is in; null where in none. */
  readonly expression: string;
}

export interface WatchdogLimits {
  /** After so many seconds in one call, a note names the function. */
  readonly noteSeconds: number;
  /** After so many, the process ends. */
  readonly endSeconds: number;
}

/** Watches until disposed. To be called after those who listen for signals have begun to. */
export function watchTopicCalls(limits: WatchdogLimits = { noteSeconds: 5, endSeconds: 30 }): Disposable {
  // Somebody looks at the program with a debugger: it stands still when they say so.
  if (url() !== undefined) return { [Symbol.dispose]: () => {} };
  const beats = new Int32Array(new SharedArrayBuffer(4));
  let putAway: (readonly [signal: NodeJS.Signals, listeners: readonly NodeJS.SignalsListener[]])[] = [];
  const putBack = (): void => {
    for (const [signal, listeners] of putAway) for (const listener of listeners) process.on(signal, listener);
    putAway = [];
  };
  const timer = setInterval(() => {
    putBack();
    Atomics.add(beats, 0, 1);
  }, beatMilliseconds);
  timer.unref();

  // Called by the thread, in the middle of whatever the main thread is doing.
  const stalled = (): string | null => {
    const call = topicCall();
    if (call === null) return null;
    if (putAway.length === 0) {
      putAway = signals.map((signal) => [signal, process.listeners(signal) as NodeJS.SignalsListener[]]);
      for (const signal of signals) process.removeAllListeners(signal);
    }
    // Below this function and the expression that called it are the topic's own frames.
    const [, below] = (new Error().stack ?? "").split(/at <anonymous>:1:\d+\n/);
    const place = placeInStack(below);
    return `${call.source}: ${call.part}${place === null ? "" : `, at ${place},`}`;
  };
  Reflect.set(globalThis, Symbol.for(stalledName), stalled);

  const expression = `globalThis[Symbol.for(${JSON.stringify(stalledName)})]?.()`;
  const data: WatchdogData = { ...limits, beats, expression };
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
  const thread = new Worker(new URL(`./watchdog-thread${extension}`, import.meta.url), { workerData: data });
  // A machine without a thread to spare plays all the same.
  thread.on("error", () => {});
  thread.unref();
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      void thread.terminate();
      putBack();
      Reflect.deleteProperty(globalThis, Symbol.for(stalledName));
    },
  };
}
