// How long the main thread was kept from its own work: the longest delay of a timer that should fire every millisecond.
import { monitorEventLoopDelay } from "node:perf_hooks";

/** Counts only while a call of `watch` runs. */
export class BlockedProbe {
  readonly #delays = monitorEventLoopDelay({ resolution: 1 });

  async watch<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#delays.enable();
    try {
      return await work();
    } finally {
      this.#delays.disable();
    }
  }

  get longestMilliseconds(): number {
    return this.#delays.max / 1e6;
  }
}
