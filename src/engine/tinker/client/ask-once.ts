// The first questions to a server, when a wrong address or key is likelier than a fault that passes: what is wrong is said in
// the user's words.
import { randomUUID } from "node:crypto";
import { type SqlmError, UsageError } from "../../../errors.ts";
import type { Answer, Connection } from "./connection.ts";
import { describeFailure } from "./failures.ts";
import type { Failure } from "./retries.ts";

export const urlHint = "Check --base-url: it ends before /api/v1.";

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
  const { board, greetingSeconds } = connection.options;
  const wait = board.begin("the server");
  const began = performance.now();
  try {
    for (let attempt = 0; ; attempt++) {
      const outcome = await connection.attempt(sending, randomUUID());
      if (!("kind" in outcome)) return outcome;
      const { status } = outcome.kind === "status" ? outcome : { status: null };
      if (status !== null && without.includes(status)) return { contentType: null, bytes: new Uint8Array() };
      const passes = status === null || status >= 500 || status === 408 || status === 429;
      const tired = attempt >= mostAttempts - 1 && performance.now() - began >= greetingSeconds * 1000;
      if (!passes || tired) throw unusable(baseUrl, outcome);
      await connection.pause(Math.min(0.5 * 2 ** attempt, 10), wait, outcome);
    }
  } finally {
    wait.end();
  }
}

const mostAttempts = 3;

function unusable(baseUrl: string, failure: Failure): SqlmError {
  const status = failure.kind === "status" ? failure.status : null;
  if (status === 401 || status === 403) {
    return new UsageError(
      `The server ${baseUrl} does not accept the key (${status}).`,
      "Put the right one into the environment variable TINKER_API_KEY.",
    );
  }
  if (status === 402) {
    return new UsageError(`The account at ${baseUrl} is not paid (402).`, "Pay it, then run the command again.");
  }
  if (failure.kind === "unreachable") {
    return new UsageError(
      `No server answers at ${baseUrl} (${failure.reason}).`,
      "Start the server, or correct --base-url.",
    );
  }
  return new UsageError(`At ${baseUrl} there is no Tinker server: ${describeFailure(failure)}.`, urlHint);
}
