// How long the main thread was kept from its own work, which includes being kept from it by other processes.

/** Counts only while a call of `watch` runs. */
export class BlockedProbe {
  #longest = 0;

  get longestMilliseconds(): number {
    return this.#longest;
  }

  /** Longest time between two turns of a timer that asks for one every millisecond. */
  async watch<Result>(work: () => Promise<Result>): Promise<Result> {
    let last = performance.now();
    const turn = (): void => {
      const now = performance.now();
      this.#longest = Math.max(this.#longest, now - last);
      last = now;
    };
    const timer = setInterval(turn, 1);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      turn();
    }
  }
}
