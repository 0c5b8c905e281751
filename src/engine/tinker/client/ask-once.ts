// The first questions to a server, when a wrong address or key is likelier than a fault that passes: what is wrong is said in
// the user's words.
import { randomUUID } from "node:crypto";
import type { z } from "zod";
import { type SqlmError, UsageError } from "../../../errors.ts";
import { checkMessage, readJson } from "../wire/body.ts";
import { WireError } from "../wire/wire-error.ts";
import type { Answer, Connection } from "./connection.ts";
import { describeFailure } from "./failures.ts";
import type { Failure } from "./retries.ts";

const urlHint = "Check --base-url: it ends before /api/v1.";

/**
 * Asks something at the beginning, when a wrong address is likelier than a fault that passes: tries thrice, or for as long as the
 * connection says, and says what is wrong in the user's words. Statuses of `without` count as an empty answer.
 */
export async function askOnce(
  connection: Connection,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
  without: readonly number[] = [],
): Promise<Answer> {
  const { baseUrl } = connection.options.address;
  const sending = {
    method,
    path,
    ...(body === undefined ? {} : { body: new TextEncoder().encode(JSON.stringify(body)) }),
    repeat: "harmless" as const,
    what: "asking the server what it is",
    withKey: true,
  };
  const { board, clock, greetingSeconds } = connection.options;
  const wait = board.begin("the server");
  const began = clock.now();
  try {
    for (let attempt = 0; ; attempt++) {
      const outcome = await connection.attempt(sending, randomUUID());
      if (!("kind" in outcome)) return outcome;
      const { status } = outcome.kind === "status" ? outcome : { status: null };
      if (status !== null && without.includes(status)) return { contentType: null, bytes: new Uint8Array() };
      const passes = status === null || status >= 500 || status === 408 || status === 429;
      const elapsed = (clock.now() - began) / 1000;
      const tired = (attempt >= mostAttempts - 1 || elapsed > mostSilence) && elapsed >= greetingSeconds;
      // One that asks to wait is there, and is waited for like one that does so later.
      const patient = status === 429 && elapsed < connection.options.patienceSeconds;
      if (!passes || (tired && !patient)) throw unusable(baseUrl, outcome);
      const asked = outcome.kind === "status" ? outcome.retryAfter : null;
      await connection.pause(Math.min(asked ?? 0.5 * 2 ** Math.min(attempt, 5), mostRest), wait, outcome);
    }
  } finally {
    wait.end();
  }
}

const mostAttempts = 3;
/** Seconds: what takes a connection and says nothing is no server that only just starts. */
const mostSilence = 30;
const mostRest = 60;

/** What an endpoint answers, as the message that it is. Throws UsageError where it is none: no Tinker server is there. */
export function readFirst<Schema extends z.ZodType>(
  connection: Connection,
  { path, response }: { readonly path: string; readonly response: Schema },
  { bytes }: Answer,
): z.output<Schema> {
  try {
    return checkMessage(path, response, readJson(path, bytes));
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw noTinkerServer(connection, error);
  }
}

/** What answers, and not as a Tinker server does. */
export function noTinkerServer({ options }: Connection, error: WireError): UsageError {
  const { baseUrl } = options.address;
  return new UsageError(`At ${baseUrl} there is something, but no Tinker server (${error.message}).`, urlHint, {
    cause: error,
  });
}

function unusable(baseUrl: string, failure: Failure): SqlmError {
  const status = failure.kind === "status" ? failure.status : null;
  if (status === 401 || status === 403) {
    const says = failure.kind === "status" && failure.problem !== "" ? `: ${failure.problem}` : "";
    return new UsageError(
      `The server ${baseUrl} does not accept the key (${status}${says}).`,
      "Put the right one into the environment variable TINKER_API_KEY, unless its words name another reason.",
    );
  }
  if (status === 402) {
    return new UsageError(`The account at ${baseUrl} is not paid (402).`, "Pay it, then run the command again.");
  }
  if (failure.kind === "unreachable") {
    const { reason } = failure;
    if (/wrong version number|packet length too long|unknown protocol/i.test(reason)) {
      return new UsageError(
        `The server at ${baseUrl} speaks no TLS.`,
        "Begin --base-url with http:// where it is on this machine or network; beyond, put TLS in front of it.",
      );
    }
    if (/certificate/i.test(reason)) {
      return new UsageError(
        `The certificate of ${baseUrl} is not one that this machine trusts (${reason}).`,
        "Name the authority that signed it in the environment variable NODE_EXTRA_CA_CERTS, or correct --base-url.",
      );
    }
    return new UsageError(`No server answers at ${baseUrl} (${reason}).`, "Start the server, or correct --base-url.");
  }
  if (status === 429 || (status !== null && status >= 500)) {
    return new UsageError(
      `The server at ${baseUrl} does not work now: ${describeFailure(failure)}.`,
      `Try again later; its own log says what is wrong with it. ${urlHint}`,
    );
  }
  if (failure.kind === "status" && failure.location !== null) {
    return new UsageError(
      `The address ${baseUrl} redirects to ${failure.location} (${status}), and a key is not sent after it.`,
      "Give the address that it leads to as --base-url.",
    );
  }
  if (failure.kind === "broken" && new URL(baseUrl).protocol === "http:") {
    return new UsageError(
      `At ${baseUrl} something takes connections and does not answer as a Tinker server: ${describeFailure(failure)}.`,
      "Check --base-url: host, port, and whether it has to begin with https://.",
    );
  }
  return new UsageError(`At ${baseUrl} there is no Tinker server: ${describeFailure(failure)}.`, urlHint);
}
