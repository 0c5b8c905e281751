// Time as the client counts it. Apart from the clock on the wall, which people and networks set forward and back.

export interface Clock {
  /** Milliseconds, from wherever; never less than before. */
  now(): number;
  /** Resolves after so many seconds, or when the signal aborts. */
  wait(seconds: number, signal: AbortSignal): Promise<void>;
}

/** @param pace multiplies every wait; tests take less than 1 */
export const monotonicClock = (pace = 1): Clock => ({
  now: () => performance.now(),
  wait: (seconds, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(done, seconds * 1000 * pace);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      }
      if (signal.aborted) done();
      else signal.addEventListener("abort", done);
    }),
});
