// What a request is refused with, in the shape that clients of the OpenAI protocol read.
import { SqlmError, UnsupportedError } from "../errors.ts";

type ProblemStatus = 400 | 401 | 403 | 404 | 405 | 413 | 415 | 429 | 500 | 503;

export interface ProblemFields {
  readonly status: ProblemStatus;
  /** The parameter that is to blame, for example `messages[0].role`; null where none is. */
  readonly param?: string;
  /** A word for programs. */
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The body of every reply that is none. */
export interface ProblemReply {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** A request that is not answered, and why. Data for the client: it ends the request and nothing else. */
export class Problem extends Error {
  readonly status: ProblemStatus;
  readonly headers: Readonly<Record<string, string>>;
  readonly reply: ProblemReply;

  constructor(message: string, { status, param, code, headers = {} }: ProblemFields) {
    super(message);
    this.status = status;
    this.headers = headers;
    this.reply = { error: { message, type: typeOf(status), param: param ?? null, code: code ?? null } };
  }
}

function typeOf(status: ProblemStatus): string {
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

/** A parameter that says what it may not, or more than this server can do. */
export function badParameter(param: string, message: string, code = "invalid_value"): Problem {
  return new Problem(message, { status: 400, param, code });
}

/** Any error as a problem. What a defect says is for whoever runs the server, not for its clients. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof UnsupportedError) {
    return new Problem(`${error.message} ${error.hint}`, { status: 400, code: "unsupported_value" });
  }
  if (error instanceof SqlmError) return new Problem(`${error.message} ${error.hint}`, { status: 500 });
  return new Problem("The server has failed; its own output says how.", { status: 500 });
}
