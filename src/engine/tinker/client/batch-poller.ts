// Which samples of a session are done, asked for all of them at once (SDK 0.27 and later): one request held open instead of one
// for each sample.
import { randomUUID } from "node:crypto";
import { checkMessage, readJson } from "../wire/body.ts";
import { readQueueState } from "../wire/futures.ts";
import { endpoints } from "../wire/messages.ts";
import { type Connection, hintFor, ServerError } from "./connection.ts";
import { describeFailure } from "./failures.ts";
import { Patience } from "./limits.ts";
import { describeQueue, mostRest, quickMilliseconds } from "./promises.ts";
import { afterPollFailure, isHeldOpen } from "./retries.ts";
import type { Wait } from "./waiting.ts";

interface Waiter {
  readonly done: (result: Uint8Array | null) => void;
  readonly failed: (error: unknown) => void;
}

const path = endpoints.retrieveFutures.path;

/** One for each sampling session. It asks only while somebody waits. */
export class BatchPoller {
  readonly #connection: Connection;
  readonly #session: string;
  readonly #waiters = new Map<string, Waiter>();
  /** Done before anybody asked for them, with the result where it came along. */
  readonly #done = new Map<string, Uint8Array | null>();
  readonly #withResults: boolean;
  /** Results that have arrived, to be told to the server with the next request. */
  readonly #retrieved = new Set<string>();
  #cursor = 0;
  #polling = false;
  #unknown = false;

  /** @param withResults the server sends small results with the news, as those of this package do */
  constructor(connection: Connection, session: string, withResults: boolean) {
    this.#connection = connection;
    this.#session = session;
    this.#withResults = withResults;
  }

  /**
   * Resolves when the server says that the request is done or failed: to its result where that came along, else to null, and the
   * result is there to be asked for. Resolves at once where the server has turned out to know no such questions.
   */
  finished(requestId: string): Promise<Uint8Array | null> {
    const known = this.#done.get(requestId);
    if (this.#unknown || known !== undefined) {
      this.#done.delete(requestId);
      return Promise.resolve(known ?? null);
    }
    const result = new Promise<Uint8Array | null>((done, failed) => this.#waiters.set(requestId, { done, failed }));
    if (!this.#polling) void this.#poll();
    return result;
  }

  /** Its result has arrived: the server need not keep it. */
  retrieved(requestId: string): void {
    this.#retrieved.add(requestId);
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    const wait = this.#connection.options.board.begin("sampling");
    try {
      await this.#pollWhileAwaited(wait);
    } catch (error) {
      for (const { failed } of this.#waiters.values()) failed(error);
      this.#waiters.clear();
    } finally {
      wait.end();
      this.#polling = false;
    }
    // Whoever came while the last poll ended found it still polling.
    if (this.#waiters.size > 0) void this.#poll();
  }

  async #pollWhileAwaited(wait: Wait): Promise<void> {
    const { options } = this.#connection;
    const { now } = options.clock;
    const patience = new Patience(now, options);
    let [failures, refusals, quick] = [0, 0, 0];
    /** Asks again at once, unless the server does not hold requests open. */
    const noNews = async (state: string): Promise<void> => {
      wait.state(state);
      quick = now() - asked > quickMilliseconds ? 0 : quick + 1;
      if (quick > 1) await this.#connection.rest(Math.min(0.05 * 2 ** Math.min(quick, 10), mostRest));
    };
    let asked = now();
    while (this.#waiters.size > 0) {
      const retrieved = [...this.#retrieved];
      asked = now();
      const outcome = await this.#ask(retrieved);
      if ("contentType" in outcome) {
        [failures, refusals] = [0, 0];
        patience.restore();
        if (this.#read(outcome.bytes, retrieved)) quick = 0;
        else await noNews(describeQueue({ queueState: null, reason: null }));
        continue;
      }
      if (outcome.kind === "status" && outcome.status === 408) {
        await noNews(describeQueue(readQueueState(outcome.body)));
        continue;
      }
      if (outcome.kind === "status" && [404, 405, 501].includes(outcome.status) && this.#cursor === 0) {
        this.#unknown = true;
        for (const { done } of this.#waiters.values()) done(null);
        this.#waiters.clear();
        return;
      }
      const status = outcome.kind === "status" ? outcome.status : null;
      const action = afterPollFailure(outcome, failures, refusals);
      const isSpent = !isHeldOpen(outcome) && patience.isSpent(status === 402);
      if (action.kind === "final" || action.kind === "resubmit" || isSpent) {
        throw new ServerError(`sampling failed: ${describeFailure(outcome)}.`, status, hintFor(status));
      }
      await this.#connection.pause(action.seconds, wait, outcome);
      if (status === 400 || status === 409) refusals += 1;
      failures += 1;
    }
  }

  #ask(retrieved: readonly string[]) {
    const body = {
      target: { type: "sampling_session", sampling_session_id: this.#session, cloned_sampler_id: 0 },
      prev_cursor: this.#cursor,
      retrieved_request_ids: retrieved,
      ...(this.#withResults ? { with_results: true } : {}),
    };
    return this.#connection.attempt(
      {
        method: "POST",
        path,
        body: new TextEncoder().encode(JSON.stringify(body)),
        repeat: "harmless",
        what: "sampling",
      },
      randomUUID(),
      true,
    );
  }

  /** Wakes those whose request is done; returns whether any is. */
  #read(bytes: Uint8Array, retrieved: readonly string[]): boolean {
    const { response } = endpoints.retrieveFutures;
    const { completions, cursor } = checkMessage(path, response, readJson(path, bytes));
    this.#cursor = cursor;
    for (const requestId of retrieved) this.#retrieved.delete(requestId);
    for (const { request_id: requestId, result } of completions) {
      const bytes = result == null ? null : Buffer.from(result, "base64");
      const waiter = this.#waiters.get(requestId);
      if (waiter === undefined) this.#done.set(requestId, bytes);
      this.#waiters.delete(requestId);
      waiter?.done(bytes);
    }
    return completions.length > 0;
  }
}
