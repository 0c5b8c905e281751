// How long and how much: patience with a server, sizes of answers, and how much may be under way at once.

/** Of a connection, where nobody says otherwise. Seconds and bytes. */
export const connectionLimits = {
  patienceSeconds: 600,
  greetingSeconds: 0,
  answerSeconds: 60,
  billingSeconds: 3600,
  heartbeatSeconds: 10,
  mostBytes: 2 ** 28,
};

/** When a server that goes on failing is given up: sooner than one that waits for its money. */
export class Patience {
  readonly #now: () => number;
  readonly #seconds: { readonly patienceSeconds: number; readonly billingSeconds: number };
  #failing: number | null = null;
  #billing: number | null = null;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number, seconds: { readonly patienceSeconds: number; readonly billingSeconds: number }) {
    this.#now = now;
    this.#seconds = seconds;
  }

  /** Counts a failure, of the account or another; true where it has gone on for too long. */
  isSpent(billing: boolean): boolean {
    const now = this.#now();
    const { patienceSeconds, billingSeconds } = this.#seconds;
    if (billing) {
      // What failed before is another matter than what fails when it is paid.
      this.#failing = null;
      this.#billing ??= now;
      return now - this.#billing > 1000 * billingSeconds;
    }
    this.#failing ??= now;
    return now - this.#failing > 1000 * patienceSeconds;
  }

  /** The server has done what it was asked. */
  restore(): void {
    this.#failing = null;
    this.#billing = null;
  }
}

/** A number of places or bytes that work takes and gives back, in the order in which it asks. */
export class Budget {
  #free: number;
  readonly #most: number;
  readonly #queue: { readonly amount: number; readonly begin: () => void }[] = [];

  constructor(most: number) {
    this.#free = most;
    this.#most = most;
  }

  /** Runs `work` when `amount` is free. One that asks for more than there is gets all of it, alone. */
  async run<Result>(amount: number, work: () => Promise<Result>): Promise<Result> {
    const taken = Math.min(amount, this.#most);
    await this.#take(taken);
    try {
      return await work();
    } finally {
      this.#free += taken;
      this.#next();
    }
  }

  #take(amount: number): Promise<void> {
    if (this.#queue.length === 0 && amount <= this.#free) {
      this.#free -= amount;
      return Promise.resolve();
    }
    return new Promise((begin) => this.#queue.push({ amount, begin }));
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#queue[0].amount <= this.#free) {
      const { amount, begin } = this.#queue.shift()!;
      this.#free -= amount;
      begin();
    }
  }
}

/**
 * Does `work` on every item, at most `most` at once, and gives the results in the items' order. Items are taken as places become
 * free, so that what has not begun costs nothing. After a failure no item is begun, and the first failure is thrown when
 * those under way have ended.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  most: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let next = 0;
  let failed: { readonly error: unknown } | null = null;
  const lane = async (): Promise<void> => {
    while (next < items.length && failed === null) {
      const index = next++;
      try {
        results[index] = await work(items[index]);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, lane));
  const seen = failed as { readonly error: unknown } | null;
  if (seen !== null) throw seen.error;
  return results;
}
