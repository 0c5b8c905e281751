// What is done when a request does not succeed, as a table. Pure: who sends, waits and counts is connection.ts.

/** What a second copy of a request does, where the first one has arrived after all. */
export type Repeat =
  /** Nothing: it asks, or its number makes it the same request. */
  | "harmless"
  /** The server may do the work twice, or say that its name is taken: whoever sends it decides. */
  | "doubtful";

/** How an attempt ended, where not with an answer of status 2xx. */
export type Failure =
  /** No connection: the request never left this machine. */
  | { readonly kind: "unreachable"; readonly reason: string }
  /** The connection ended, or too much time passed: the server may have the request, and may have done it. */
  | { readonly kind: "broken"; readonly reason: string; readonly slow?: boolean }
  | {
      readonly kind: "status";
      readonly status: number;
      readonly problem: string;
      readonly body: Uint8Array;
      /** What `Retry-After` asks for, in seconds. */
      readonly retryAfter: number | null;
      /** Where a redirect leads to; null where it is none. */
      readonly location: string | null;
      /** `X-Should-Retry`. */
      readonly shouldRetry: boolean | null;
    };

export type Action =
  | { readonly kind: "again"; readonly seconds: number }
  /** The account is not paid: the server stops until it is. */
  | { readonly kind: "billing"; readonly seconds: number }
  /** It may have been done or not, and a second time is not harmless. */
  | { readonly kind: "doubt" }
  | { readonly kind: "final" };

const mostDelay = 10;
const mostConflicts = 5;
const billingSeconds = 5;
const mostRetryAfter = 60;

/**
 * What to do after a failure. `attempt` counts failures from 0, `conflicts` those of status 409 before this one; `jitter` is from 0
 * to below 1.
 *
 * Waits 0.5·2ⁿ s up to 10 s, less up to a quarter. A status of 429 and a connection that was never made leave no doubt; after
 * 408 and 5xx, which gateways send too, and a broken connection the request may have been carried out.
 */
export function afterFailure(
  failure: Failure,
  repeat: Repeat,
  { attempt, conflicts, jitter }: { readonly attempt: number; readonly conflicts: number; readonly jitter: number },
): Action {
  const delay = Math.min(mostDelay, 0.5 * 2 ** Math.min(attempt, 10)) * (1 - jitter / 4);
  const unlessDoubtful: Action = repeat === "harmless" ? { kind: "again", seconds: delay } : { kind: "doubt" };
  if (failure.kind === "unreachable") return { kind: "again", seconds: delay };
  if (failure.kind === "broken") return unlessDoubtful;
  const { status, retryAfter, shouldRetry } = failure;
  const seconds = retryAfter === null ? delay : Math.min(retryAfter, mostRetryAfter);
  if (status === 402) return { kind: "billing", seconds: billingSeconds };
  if (shouldRetry === false) return { kind: "final" };
  if (status === 429) return { kind: "again", seconds };
  if (status === 408 || status >= 500) {
    return unlessDoubtful.kind === "again" ? { kind: "again", seconds } : unlessDoubtful;
  }
  if (status === 409 && repeat === "harmless" && conflicts < mostConflicts) return { kind: "again", seconds };
  return shouldRetry === true && repeat === "harmless" ? { kind: "again", seconds } : { kind: "final" };
}

/** The same for asking after a promise, which is always harmless. `refusals` counts answers of status 400 and 409 since the last good one. */
export type PollAction =
  | { readonly kind: "again"; readonly seconds: number }
  | { readonly kind: "billing"; readonly seconds: number }
  /** The promise is gone: the request is to be made again. */
  | { readonly kind: "resubmit" }
  | { readonly kind: "final" };

/** A poll that ended because the server held it open for as long as it, or whoever is between, does: nothing has failed. */
export const isHeldOpen = (failure: Failure): boolean =>
  failure.kind === "status" ? failure.status === 408 : failure.kind === "broken" && failure.slow === true;

const mostRefusals = 5;
const mostPollDelay = 30;

/** `attempt` counts failures in a row, from 0. */
export function afterPollFailure(failure: Failure, attempt: number, refusals: number): PollAction {
  const backOff: PollAction = { kind: "again", seconds: Math.min(2 ** Math.min(attempt, 10), mostPollDelay) };
  if (failure.kind === "unreachable") return backOff;
  // A server or a gateway that ends a long poll: at once the first time, then slower, or a dead one would be asked for ever.
  const soon: PollAction = { kind: "again", seconds: attempt === 0 ? 0 : Math.min(0.1 * 2 ** attempt, mostPollDelay) };
  // Longer held open than the client waits: nothing is wrong.
  if (failure.kind === "broken") return failure.slow === true ? { kind: "again", seconds: 0 } : soon;
  const { status, retryAfter } = failure;
  if (status === 402) return { kind: "billing", seconds: billingSeconds };
  if (status === 408) return { kind: "again", seconds: 0 };
  if (status === 410) return { kind: "resubmit" };
  if (status === 429)
    return retryAfter === null ? backOff : { kind: "again", seconds: Math.min(retryAfter, mostRetryAfter) };
  if (status >= 500) return soon;
  const spurious = status === 400 || status === 409;
  return spurious && refusals < mostRefusals ? { kind: "again", seconds: 0.1 } : { kind: "final" };
}
