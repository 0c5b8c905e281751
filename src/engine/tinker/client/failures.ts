// What failures of requests are, from what the network and the server say.
import { errors } from "undici";
import { problemOf } from "../wire/futures.ts";
import { firstLine } from "../wire/said.ts";
import type { Exchanged, ExchangeError } from "./exchange.ts";
import type { Failure } from "./retries.ts";

/** An answer whose status is not 2xx. */
export function failureOf({ status, header, bytes }: Exchanged): Failure {
  const shouldRetry = header("x-should-retry");
  return {
    kind: "status",
    status,
    problem: problemOf(bytes),
    body: bytes,
    retryAfter: retryAfterOf(header),
    location: status >= 300 && status < 400 ? withoutQuery(header("location")) : null,
    shouldRetry: shouldRetry === null ? null : shouldRetry === "true",
  };
}

/** For people; what follows the path may be a secret. */
const withoutQuery = (location: string | null): string | null =>
  location === null ? null : firstLine(location.split(/[?#]/)[0], 200);

function retryAfterOf(header: (name: string) => string | null): number | null {
  const milliseconds = Number(header("retry-after-ms") ?? Number.NaN);
  if (milliseconds >= 0) return milliseconds / 1000;
  // A date would need a clock that agrees with the server's: the table's own delay does as well.
  const seconds = Number(header("retry-after") ?? Number.NaN);
  return seconds >= 0 ? seconds : null;
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

/** A request that has no whole answer. */
export function asFailure({ cause, begun: sent }: ExchangeError): Failure {
  const inner = cause instanceof AggregateError ? cause.errors[0] : cause;
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
      if (failure.slow === true) return "the server has not answered in time";
      return `the connection broke (${failure.reason})`;
    case "status":
      if (failure.status === 402) return "the account is not paid (402)";
      if (failure.status === 429) return "the server asks to wait (429)";
      return `the server answered ${failure.status}${failure.problem === "" ? "" : `: ${failure.problem}`}`;
  }
}
