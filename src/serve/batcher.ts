// One player for many requests. Those that wait while it works are sampled together, as far as they ask for the same
// options; an ask's completions depend on nothing beside it, so nobody can tell whom it was sampled with.
import { setImmediate } from "node:timers/promises";
import type { Ask, Player, SampleListener, SampleOptions } from "../engine/engine.ts";
import { Problem } from "./problem.ts";

export interface BatcherOptions {
  /** Requests that may wait; one more is refused. */
  readonly mostWaiting?: number;
  /** Completions that are sampled together. A single request may ask for more. */
  readonly mostTogether?: number;
}

interface Waiting {
  readonly asks: readonly Ask[];
  readonly options: SampleOptions;
  readonly listener: SampleListener;
  readonly signal: AbortSignal | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const defaults = { mostWaiting: 64, mostTogether: 128 };

/** Owns the order of a player's samples; disposed of, it refuses what waits. The player is not its own. */
export class Batcher implements Disposable {
  readonly #player: Player;
  readonly #mostWaiting: number;
  readonly #mostTogether: number;
  readonly #waiting: Waiting[] = [];
  #working = false;
  #closed = false;
  /** How long the player took for the last batch, in seconds. */
  #lastSeconds = 0;

  constructor(player: Player, options: BatcherOptions = {}) {
    this.#player = player;
    const { mostWaiting, mostTogether } = { ...defaults, ...options };
    this.#mostWaiting = mostWaiting;
    this.#mostTogether = mostTogether;
  }

  /** Requests that wait for the player. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Samples, with nothing but what the listener is told for a result; asks are numbered as they are here. Rejects with Problem where
   * too many wait, and with what the player rejects with.
   * @param signal ends the waiting of a client that has gone, and what is being sampled for it
   */
  sample(asks: readonly Ask[], options: SampleOptions, listener: SampleListener, signal?: AbortSignal): Promise<void> {
    if (this.#closed) return Promise.reject(ending());
    if (this.waiting >= this.#mostWaiting) return Promise.reject(this.#full());
    return new Promise((resolve, reject) => {
      const one: Waiting = { asks, options, listener, signal, resolve, reject };
      const leave = (): void => {
        const place = this.#waiting.indexOf(one);
        if (place < 0) return;
        this.#waiting.splice(place, 1);
        reject(new Problem("The client has gone.", { status: 503 }));
      };
      if (signal?.aborted) return reject(new Problem("The client has gone.", { status: 503 }));
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.push(one);
      if (!this.#working) void this.#work();
    });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(ending());
  }

  async #work(): Promise<void> {
    this.#working = true;
    // What has arrived with the first request is taken along.
    await setImmediate();
    while (this.waiting > 0) {
      const batch = this.#takeBatch();
      const started = performance.now();
      try {
        const owners = batch.flatMap((one) => one.asks.map((_, ask) => ({ one, ask })));
        await this.#player.sample(
          batch.flatMap(({ asks }) => asks),
          batch[0].options,
          (piece) => {
            const { one, ask } = owners[piece.ask];
            return !this.#closed && one.signal?.aborted !== true && one.listener({ ...piece, ask });
          },
        );
        for (const { resolve, reject } of batch) {
          if (this.#closed) reject(ending());
          else resolve();
        }
      } catch (error) {
        for (const { reject } of batch) reject(this.#closed ? ending() : error);
      }
      this.#lastSeconds = (performance.now() - started) / 1000;
    }
    this.#working = false;
  }

  /** The request that has waited longest, and those that can be sampled with it. */
  #takeBatch(): readonly [Waiting, ...Waiting[]] {
    const [first] = this.#waiting;
    const batch: [Waiting, ...Waiting[]] = [first];
    let together = samplesOf(first);
    for (const one of this.#waiting.slice(1)) {
      if (!equalOptions(one.options, first.options) || together + samplesOf(one) > this.#mostTogether) continue;
      together += samplesOf(one);
      batch.push(one);
    }
    const left = this.#waiting.filter((one) => !batch.includes(one));
    this.#waiting.splice(0, this.#waiting.length, ...left);
    return batch;
  }

  #full(): Problem {
    return new Problem(`${this.#mostWaiting} requests are waiting already; try again later.`, {
      status: 429,
      code: "too_many_waiting",
      headers: { "Retry-After": String(Math.max(1, Math.ceil(this.#lastSeconds))) },
    });
  }
}

function ending(): Problem {
  return new Problem("The server is ending.", { status: 503 });
}

function samplesOf({ asks }: Waiting): number {
  return asks.reduce((sum, { numSamples }) => sum + numSamples, 0);
}

function equalOptions(a: SampleOptions, b: SampleOptions): boolean {
  return (
    a.maxTokens === b.maxTokens &&
    a.temperature === b.temperature &&
    a.topP === b.topP &&
    a.topK === b.topK &&
    a.stop.join() === b.stop.join()
  );
}
