// Requests to one server: each is sent until it has an answer, by the table of retries.ts, or ends in a sentence that says
// why not. Knows no model and no promise.
import { randomUUID } from "node:crypto";
import type { Dispatcher } from "undici";
import type { z } from "zod";
import { RunStoppedError } from "../../../errors.ts";
import { checkMessage, mediaTypes, readJson, type WireFormat } from "../wire/body.ts";
import { apiRoot } from "../wire/messages.ts";
import { type Address, openDispatcher } from "./address.ts";
import type { Clock } from "./clock.ts";
import { ExchangeError, exchange, TooLargeError } from "./exchange.ts";
import { asFailure, describeFailure, failureOf } from "./failures.ts";
import { Patience } from "./limits.ts";
import { afterFailure, type Failure, type Repeat } from "./retries.ts";
import type { Wait, WaitingBoard } from "./waiting.ts";

/** An answer with status 2xx. */
export interface Answer {
  readonly contentType: string | null;
  readonly bytes: Uint8Array;
}

export interface Sending {
  readonly method: "GET" | "POST";
  /** Below `/api/v1/`, or from `/` on below the base URL. */
  readonly path: string;
  readonly body?: Uint8Array | undefined;
  readonly format?: WireFormat;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Shows the key itself, not the token that it was exchanged for. */
  readonly withKey?: boolean;
  readonly repeat: Repeat;
  /** The work in words, for whoever waits: `sampling`. */
  readonly what: string;
  /** How long to try, where not as long as the connection does. */
  readonly patienceSeconds?: number;
}

/** A request that the server said no to, or that could not be made. `resume` goes on behind the last checkpoint. */
export class ServerError extends RunStoppedError {
  /** Null where there was no answer. */
  readonly status: number | null;
  /** It may have been carried out, and may not. */
  readonly doubtful: boolean;

  constructor(message: string, status: number | null, hint: string, doubtful = false, options?: { cause?: unknown }) {
    super(message, hint, options);
    this.status = status;
    this.doubtful = doubtful;
  }

  /** The server knows session, model or promise no longer, or may have carried out what cannot be asked for twice. */
  override get stateLost(): boolean {
    return this.doubtful || this.status === 404 || this.status === 410;
  }
}

export const resumeHint = "The last checkpoint is whole: go on with `sqlm resume RUN`.";

export interface ConnectionOptions {
  readonly address: Address;
  readonly board: WaitingBoard;
  /** How long a request is tried again after its first failure, in seconds. */
  readonly patienceSeconds: number;
  /** Longest time from a request to the beginning of its answer, and between two pieces of it. */
  readonly answerSeconds: number;
  /** Largest answer that is read. */
  readonly mostBytes: number;
  /** How long the first questions are tried, in seconds, while nobody answers; 0 tries thrice. */
  readonly greetingSeconds: number;
  /** How long to wait while the account is not paid. */
  readonly billingSeconds: number;
  /** Between two heartbeats. */
  readonly heartbeatSeconds: number;
  readonly clock: Clock;
}

/** Requests that change or ask something now; those that wait for a result have connections of their own. */
const connections = 64;
const pollConnections = 256;
/** A poll that is held open for longer is asked again. */
const pollSeconds = 45;

export class Connection {
  readonly options: ConnectionOptions;
  readonly #plain: Dispatcher;
  readonly #polls: Dispatcher;
  readonly #ended = new AbortController();
  #token: string | null = null;
  #why: Error | null = null;
  /** When the server answered last, whatever it was. */
  #heard: number;

  constructor(options: ConnectionOptions) {
    this.options = options;
    const { address, answerSeconds, clock } = options;
    this.#heard = clock.now();
    this.#plain = openDispatcher(address, connections, answerSeconds);
    this.#polls = openDispatcher(address, pollConnections, Math.min(pollSeconds, answerSeconds));
  }

  /** From now on requests show this, which the server gave in exchange for the key. */
  useToken(token: string): void {
    this.#token = token;
  }

  /** Every request from now on, and those under way, end with this error. */
  end(why: Error): void {
    if (this.#why !== null) return;
    this.#why = why;
    this.#ended.abort();
    // Requests that are under way end with it.
    void this.close();
  }

  /**
   * No heartbeat has been answered well for so long. Where something is waited for and nothing else is answered either, requests that
   * the server seems to hold open are given up: it is not working on them, it is gone.
   */
  missed(seconds: number, reason: string): void {
    const { board, clock, patienceSeconds } = this.options;
    const silence = Math.min(seconds, (clock.now() - this.#heard) / 1000);
    if (board.isEmpty || silence <= patienceSeconds) return;
    const says = `The server has said nothing for ${Math.round(silence)} s, to heartbeats neither (${reason}).`;
    this.end(new ServerError(says, null, hintFor(null)));
  }

  /** Why there are no more requests; null while there are. */
  get ended(): Error | null {
    return this.#why;
  }

  async close(): Promise<void> {
    await Promise.all([this.#plain.destroy(), this.#polls.destroy()]);
  }

  /**
   * Sends until there is an answer. Throws ServerError where the server refuses, or where it has given none for as long as the
   * connection is patient.
   */
  async send(sending: Sending): Promise<Answer> {
    const wait = this.options.board.begin(sending.what);
    const idempotencyKey = randomUUID();
    const { clock, patienceSeconds, billingSeconds } = this.options;
    const patience = new Patience(clock.now, {
      patienceSeconds: sending.patienceSeconds ?? patienceSeconds,
      billingSeconds,
    });
    let conflicts = 0;
    try {
      for (let attempt = 0; ; attempt++) {
        const outcome = await this.attempt(sending, idempotencyKey);
        if (!("kind" in outcome)) return outcome;
        const action = afterFailure(outcome, sending.repeat, { attempt, conflicts, jitter: Math.random() });
        if (outcome.kind === "status" && outcome.status === 409) conflicts += 1;
        if (action.kind === "final") throw refusal(sending.what, outcome);
        if (action.kind === "doubt") throw refusal(sending.what, outcome, true);
        if (patience.isSpent(action.kind === "billing")) {
          throw refusal(sending.what, outcome, outcome.kind === "broken");
        }
        await this.pause(action.seconds, wait, outcome);
      }
    } finally {
      wait.end();
    }
  }

  /** Sends a JSON message to an endpoint that answers at once; its answer. Throws also WireError for what is none. */
  async call<Response extends z.ZodType>(
    { method, path, response }: { readonly method: "GET" | "POST"; readonly path: string; readonly response: Response },
    message: unknown,
    { repeat, what }: Pick<Sending, "repeat" | "what">,
  ): Promise<z.output<Response>> {
    const body = message === undefined ? undefined : new TextEncoder().encode(JSON.stringify(message));
    const { bytes } = await this.send({ method, path, body, repeat, what });
    return checkMessage(path, response, readJson(path, bytes));
  }

  /** Waits, and says what for. Throws what the connection has been ended with meanwhile. */
  async pause(seconds: number, wait: Wait, failure: Failure): Promise<void> {
    wait.state(describeFailure(failure));
    await this.rest(seconds);
  }

  /** Waits. Throws what the connection has been ended with meanwhile. */
  async rest(seconds: number): Promise<void> {
    await this.options.clock.wait(seconds, this.#ended.signal);
    if (this.#why !== null) throw this.#why;
  }

  /** Sends once. Throws only what the connection was ended with. */
  async attempt(sending: Sending, idempotencyKey: string, poll = false): Promise<Answer | Failure> {
    if (this.#why !== null) throw this.#why;
    const { method, path, body, format = "json", accept = mediaTypes.json, headers = {} } = sending;
    const { address, mostBytes } = this.options;
    const type = body === undefined ? {} : { "content-type": mediaTypes[format] };
    try {
      const answer = await exchange(
        poll ? this.#polls : this.#plain,
        {
          origin: address.origin,
          path: path.startsWith("/") ? `${address.path}${path}` : `${address.path}${apiRoot}${path}`,
          method,
          body: body ?? null,
          headers: {
            accept,
            "x-api-key": sending.withKey === true ? address.key : (this.#token ?? address.key),
            "user-agent": "sqlm",
            ...type,
            ...(method === "GET" ? {} : { "x-idempotency-key": idempotencyKey }),
            ...headers,
          },
        },
        mostBytes,
      );
      this.#heard = this.options.clock.now();
      if (answer.status < 200 || answer.status > 299) return failureOf(answer);
      return { contentType: answer.header("content-type"), bytes: answer.bytes };
    } catch (error) {
      if (this.#why !== null) throw this.#why;
      if (error instanceof ExchangeError) return asFailure(error);
      if (error instanceof TooLargeError) throw tooLarge(mostBytes);
      throw error;
    }
  }
}

const tooLarge = (most: number): ServerError =>
  new ServerError(
    `The server's answer is larger than ${Math.round(most / 2 ** 20)} MiB and was not read.`,
    null,
    `Ask for less at once, with a lower --groups-per-batch; if it was no large request, look for what answers at the base URL. ${resumeHint}`,
  );

function refusal(what: string, failure: Failure, doubtful = false): ServerError {
  const status = failure.kind === "status" ? failure.status : null;
  const doubt = doubtful ? " It may have been carried out or not." : "";
  return new ServerError(`${what} failed: ${describeFailure(failure)}.${doubt}`, status, hintFor(status), doubtful);
}

/** What to do where the server refuses, or does not answer. */
export function hintFor(status: number | null): string {
  switch (status) {
    case null:
      return `See that the server runs and can be reached. ${resumeHint}`;
    case 401:
    case 403:
      return `Check the key in TINKER_API_KEY. ${resumeHint}`;
    case 402:
      return `Pay the account. ${resumeHint}`;
    case 400:
    case 413:
    case 415:
    case 422:
      return `The server does not take this request as it is: its words, or its log, say which setting or version to change. ${resumeHint}`;
    default:
      return resumeHint;
  }
}
