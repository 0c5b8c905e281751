// What is refused, and how the protocol says so: a request at once, with a status and `{detail}`; work that was promised, as
// a failed promise. Either is one sentence that says what is wrong and what to do.
import { FileFormatError, RunStoppedError, SqlmError, UnsupportedError, UsageError } from "../../../errors.ts";
import { WireError } from "../wire/wire-error.ts";

type ProblemStatus = 400 | 401 | 403 | 404 | 405 | 409 | 410 | 413 | 415 | 429 | 500 | 503;

/** A request that is not carried out, and why. Data for the client: it ends the request and nothing else. */
export class ServerProblem extends Error {
  readonly status: ProblemStatus;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: ProblemStatus, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }
}

/** Why promised work came to nothing. `user`: the same request fails again. */
export interface Failure {
  readonly error: string;
  readonly category: "server" | "user";
}

const userErrors = [UnsupportedError, FileFormatError, UsageError, RunStoppedError, WireError];
const defect = "The server has failed; its own output says how.";

/** Any error as a failure. What a defect says is for whoever runs the server: `report` is told of it. */
export function failureOf(error: unknown, report: (error: unknown) => void): Failure {
  if (error instanceof ServerProblem) return { error: error.message, category: "user" };
  if (error instanceof SqlmError) {
    const category = userErrors.some((known) => error instanceof known) ? "user" : "server";
    return { error: `${error.message} ${error.hint}`, category };
  }
  report(error);
  return { error: defect, category: "server" };
}

/** Any error as a refusal. */
export function problemOf(error: unknown, report: (error: unknown) => void): ServerProblem {
  if (error instanceof ServerProblem) return error;
  const { error: detail, category } = failureOf(error, report);
  return new ServerProblem(category === "user" ? 400 : 500, detail);
}
