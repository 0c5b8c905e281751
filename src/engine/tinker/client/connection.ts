// Requests to one server: each is sent until it has an answer, by the table of retries.ts, or ends in a sentence that says
// why not. Knows no model and no promise.
import { randomUUID } from "node:crypto";
import { type Dispatcher, errors, request } from "undici";
import type { z } from "zod";
import { RunStoppedError } from "../../../errors.ts";
import { checkMessage, mediaTypes, readJson, type WireFormat } from "../wire/body.ts";
import { problemOf } from "../wire/futures.ts";
import { apiRoot } from "../wire/messages.ts";
import { type Address, openDispatcher } from "./address.ts";
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

  constructor(message: string, status: number | null, hint: string, doubtful = false) {
    super(message, hint);
    this.status = status;
    this.doubtful = doubtful;
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
  /** How long to wait while the account is not paid. */
  readonly billingSeconds: number;
  /** Multiplies every wait; tests take less than 1. */
  readonly pace: number;
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

  constructor(options: ConnectionOptions) {
    this.options = options;
    const { address, answerSeconds } = options;
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
    const patience = (sending.patienceSeconds ?? this.options.patienceSeconds) * 1000;
    let [firstFailure, firstBilling]: [number | null, number | null] = [null, null];
    let conflicts = 0;
    try {
      for (let attempt = 0; ; attempt++) {
        const outcome = await this.attempt(sending, idempotencyKey);
        if (!("kind" in outcome)) return outcome;
        const action = afterFailure(outcome, sending.repeat, { attempt, conflicts, jitter: Math.random() });
        if (outcome.kind === "status" && outcome.status === 409) conflicts += 1;
        const now = performance.now();
        if (action.kind === "final") throw refusal(sending.what, outcome);
        if (action.kind === "doubt") throw refusal(sending.what, outcome, true);
        firstFailure ??= now;
        if (action.kind === "billing") {
          firstBilling ??= now;
          if (now - firstBilling > this.options.billingSeconds * 1000) throw refusal(sending.what, outcome);
        } else if (now - firstFailure > patience) throw refusal(sending.what, outcome, outcome.kind === "broken");
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
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, seconds * 1000 * this.options.pace);
      const { signal } = this.#ended;
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      }
      signal.addEventListener("abort", done);
    });
    if (this.#why !== null) throw this.#why;
  }

  /** Sends once. Throws only what the connection was ended with. */
  async attempt(sending: Sending, idempotencyKey: string, poll = false): Promise<Answer | Failure> {
    if (this.#why !== null) throw this.#why;
    const { method, path, body, format = "json", accept = mediaTypes.json, headers = {} } = sending;
    const { baseUrl, key } = this.options.address;
    let sent = false;
    try {
      const response = await request(`${baseUrl}${path.startsWith("/") ? path : apiRoot + path}`, {
        method,
        dispatcher: poll ? this.#polls : this.#plain,
        signal: this.#ended.signal,
        body: body ?? null,
        headers: {
          accept,
          "x-api-key": sending.withKey === true ? key : (this.#token ?? key),
          "user-agent": "sqlm",
          ...(body === undefined ? {} : { "content-type": mediaTypes[format] }),
          ...(method === "GET" ? {} : { "x-idempotency-key": idempotencyKey }),
          ...headers,
        },
      });
      sent = true;
      const bytes = await readAll(response, this.options.mostBytes);
      const { statusCode: status } = response;
      const header = (name: string): string | null => [response.headers[name]].flat()[0] ?? null;
      if (status >= 200 && status < 300) return { contentType: header("content-type"), bytes };
      return {
        kind: "status",
        status,
        problem: problemOf(bytes),
        body: bytes,
        retryAfter: retryAfterOf(header),
        shouldRetry: header("x-should-retry") === null ? null : header("x-should-retry") === "true",
      };
    } catch (error) {
      if (this.#why !== null) throw this.#why;
      if (error instanceof ServerError) throw error;
      return asFailure(error, sent);
    }
  }
}

function retryAfterOf(header: (name: string) => string | null): number | null {
  const milliseconds = Number(header("retry-after-ms") ?? Number.NaN);
  if (milliseconds >= 0) return milliseconds / 1000;
  // A date would need a clock that agrees with the server's: the table's own delay does as well.
  const seconds = Number(header("retry-after") ?? Number.NaN);
  return seconds >= 0 ? seconds : null;
}

/** The whole body. Throws ServerError beyond `most` bytes, without having read more. */
async function readAll({ body, headers }: Dispatcher.ResponseData, most: number): Promise<Uint8Array> {
  const tooLarge = (): ServerError =>
    new ServerError(
      `The server's answer is larger than ${Math.round(most / 2 ** 20)} MiB and was not read.`,
      null,
      "Ask for less at once, with a lower --groups-per-batch; if it was no large request, check the base URL.",
    );
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    if (Number(headers["content-length"] ?? 0) > most) throw tooLarge();
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      size += piece.length;
      if (size > most) throw tooLarge();
      pieces.push(piece);
    }
  } catch (error) {
    body.on("error", () => undefined);
    body.destroy();
    throw error;
  }
  return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
}

/** Codes of what goes wrong before a byte is sent. */
const unreachableCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

function asFailure(error: unknown, sent: boolean): Failure {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  const code = (inner as { readonly code?: unknown } | null)?.code;
  const reason = inner instanceof Error ? inner.message || String(code) : String(inner);
  const certificate = typeof code === "string" && /CERT|SSL|TLS/.test(code);
  const unreachable = !sent && (certificate || (typeof code === "string" && unreachableCodes.has(code)));
  const timedOut = inner instanceof errors.HeadersTimeoutError || inner instanceof errors.BodyTimeoutError;
  if (timedOut) return { kind: "broken", reason: "no answer in time", slow: true };
  return { kind: unreachable ? "unreachable" : "broken", reason: reason.split("\n")[0] };
}

/** A failure in a few words. */
export function describeFailure(failure: Failure): string {
  switch (failure.kind) {
    case "unreachable":
      return `the server cannot be reached (${failure.reason})`;
    case "broken":
      return `the connection broke (${failure.reason})`;
    case "status":
      if (failure.status === 402) return "the account is not paid (402)";
      if (failure.status === 429) return "the server asks to wait (429)";
      return `the server answered ${failure.status}${failure.problem === "" ? "" : `: ${failure.problem}`}`;
  }
}

function refusal(what: string, failure: Failure, doubtful = false): ServerError {
  const status = failure.kind === "status" ? failure.status : null;
  const doubt = doubtful ? " It may have been carried out or not." : "";
  return new ServerError(`${what} failed: ${describeFailure(failure)}.${doubt}`, status, hintFor(status), doubtful);
}

function hintFor(status: number | null): string {
  switch (status) {
    case null:
      return `See that the server runs and can be reached. ${resumeHint}`;
    case 401:
    case 403:
      return `Check the key in TINKER_API_KEY. ${resumeHint}`;
    case 402:
      return `Pay the account. ${resumeHint}`;
    default:
      return resumeHint;
  }
}
