// One request and its whole answer, through undici's dispatcher: without the streams and listeners that its other interfaces
// make for each request, which cost more than everything else that the client does.
import type { Dispatcher } from "undici";

export interface Exchanged {
  readonly status: number;
  /** By lower-case name; the first value of each. */
  readonly header: (name: string) => string | null;
  readonly bytes: Uint8Array;
}

/** The answer is larger than was to be read; what has come of it is dropped. */
export class TooLargeError extends Error {}

/** Why there is no answer, and whether one had begun. */
export class ExchangeError extends Error {
  readonly begun: boolean;

  constructor(cause: Error, begun: boolean) {
    super(cause.message, { cause });
    this.begun = begun;
  }
}

export type Request = Pick<Dispatcher.DispatchOptions, "origin" | "path" | "method" | "headers" | "body">;

/** Throws ExchangeError where there is no whole answer, TooLargeError beyond `mostBytes`. */
export function exchange(dispatcher: Dispatcher, request: Request, mostBytes: number): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = [];
    let [status, size, begun] = [0, 0, false];
    let headers: Readonly<Record<string, string | string[] | undefined>> = {};
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => undefined,
      onResponseStart(controller, statusCode, received) {
        begun = true;
        status = statusCode;
        headers = received;
        if (Number(headers["content-length"] ?? 0) > mostBytes) controller.abort(new TooLargeError());
      },
      onResponseData(controller, chunk) {
        size += chunk.length;
        if (size > mostBytes) controller.abort(new TooLargeError());
        else pieces.push(chunk);
      },
      onResponseEnd() {
        const bytes = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
        resolve({ status, header: (name) => [headers[name]].flat()[0] ?? null, bytes });
      },
      onResponseError(_, error) {
        reject(error instanceof TooLargeError ? error : new ExchangeError(error, begun));
      },
    };
    try {
      dispatcher.dispatch(request as Dispatcher.DispatchOptions, handler);
    } catch (error) {
      reject(new ExchangeError(error as Error, false));
    }
  });
}
