// Results of what a server carries out later: asked for one by one, each request held open by the server until the result is
// there or its patience ends.
import { randomUUID } from "node:crypto";
import { mediaTypes, type WireFormat } from "../wire/body.ts";
import { type FutureAnswer, readFutureAnswer, readQueueState } from "../wire/futures.ts";
import { endpoints } from "../wire/messages.ts";
import { firstLine } from "../wire/said.ts";
import { type Connection, hintFor, resumeHint, ServerError } from "./connection.ts";
import { describeFailure } from "./failures.ts";
import { Budget, Patience } from "./limits.ts";
import { afterPollFailure, isHeldOpen } from "./retries.ts";
import type { Wait } from "./waiting.ts";

/** `X-Tinker-Request-Type`. */
export type RequestType =
  | "Sample"
  | "ForwardBackward"
  | "Forward"
  | "OptimStep"
  | "SaveWeights"
  | "SaveWeightsForSampler"
  | "LoadWeights"
  | "CreateModel"
  | "UnloadModel";

export interface Promised {
  readonly requestId: string;
  readonly type: RequestType;
  /** The work in words. */
  readonly what: string;
  /** Makes the same request again where the promise is gone; null where a second time could do it twice. */
  readonly resubmit: (() => Promise<string>) | null;
}

export interface PromisedResult {
  readonly format: WireFormat;
  readonly bytes: Uint8Array;
}

const mostResubmissions = 5;
/** A server that answers "not yet" sooner than this is asked more and more slowly. */
export const quickMilliseconds = 500;
export const mostRest = 2;
/** Results of these have a binary form. */
const binary: ReadonlySet<RequestType> = new Set<RequestType>(["Sample", "ForwardBackward", "Forward"]);

export class Promises {
  readonly #connection: Connection;
  /** Bytes of large results that are on their way at once. */
  readonly #large: Budget;

  constructor(connection: Connection, inflightBytes: number) {
    this.#connection = connection;
    this.#large = new Budget(inflightBytes);
  }

  /** The result. Throws ServerError where the server says that the work failed, or no longer knows of it. */
  async result(promised: Promised): Promise<PromisedResult> {
    const wait = this.#connection.options.board.begin(promised.what);
    try {
      return await this.#poll(promised, wait);
    } finally {
      wait.end();
    }
  }

  async #poll({ requestId: first, type, what, resubmit }: Promised, wait: Wait): Promise<PromisedResult> {
    const { options } = this.#connection;
    const { now } = options.clock;
    const patience = new Patience(now, options);
    let [requestId, failures, refusals, resubmissions] = [first, 0, 0, 0];
    let [asked, quick] = [now(), 0];
    /** Asks again at once, unless the server does not hold requests open. */
    const stillWaiting = async (state: string): Promise<void> => {
      wait.state(state);
      quick = now() - asked < quickMilliseconds ? quick + 1 : 0;
      if (quick > 1) await this.#connection.rest(Math.min(0.05 * 2 ** Math.min(quick, 10), mostRest));
    };
    for (let iteration = 0; ; iteration++) {
      asked = now();
      const outcome = await this.#ask(requestId, type, iteration, true);
      if (!("contentType" in outcome)) {
        const { status } = outcome.kind === "status" ? outcome : { status: null };
        const gone = status === 410 || (status === 404 && type === "Sample");
        if (gone && resubmit !== null && resubmissions++ < mostResubmissions) {
          await this.#connection.pause(Math.min(0.1 * 2 ** resubmissions, 5), wait, outcome);
          requestId = await resubmit();
          continue;
        }
        const action = afterPollFailure(outcome, failures, refusals);
        const isSpent = !isHeldOpen(outcome) && patience.isSpent(status === 402);
        if (action.kind === "final" || action.kind === "resubmit" || isSpent) {
          throw new ServerError(`${what} failed: ${describeFailure(outcome)}.`, status, hintFor(status));
        }
        if (status === 400 || status === 409) refusals += 1;
        failures = status === 408 ? 0 : failures + 1;
        if (outcome.kind === "status" && status === 408)
          await stillWaiting(describeQueue(readQueueState(outcome.body)));
        else await this.#connection.pause(action.seconds, wait, outcome);
        continue;
      }
      [failures, refusals] = [0, 0];
      patience.restore();
      const answer = await this.#read(requestId, type, iteration, readFutureAnswer(outcome.contentType, outcome.bytes));
      if (answer.kind === "result") return answer;
      if (answer.kind === "waiting") await stillWaiting(describeQueue(answer));
      else if (answer.kind === "failed") {
        throw new ServerError(`${what} failed on the server: ${firstLine(answer.error)}.`, 200, failedHint);
      }
    }
  }

  /** A large result is asked for again when there is room for it. */
  async #read(requestId: string, type: RequestType, iteration: number, answer: FutureAnswer): Promise<FutureAnswer> {
    if (answer.kind !== "large") return answer;
    return this.#large.run(answer.bytes, async () => {
      const outcome = await this.#ask(requestId, type, iteration, false);
      // What goes wrong here is met by asking for the size again.
      if (!("contentType" in outcome)) return { kind: "waiting", queueState: null, reason: describeFailure(outcome) };
      const result = readFutureAnswer(outcome.contentType, outcome.bytes);
      if (result.kind !== "large") return result;
      return {
        kind: "waiting",
        queueState: null,
        reason: "the server tells the size of the result and does not send it",
      };
    });
  }

  async #ask(requestId: string, type: RequestType, iteration: number, sizeOnly: boolean) {
    const outcome = await this.#connection.attempt(
      {
        method: "POST",
        path: endpoints.retrieveFuture.path,
        body: new TextEncoder().encode(JSON.stringify({ request_id: requestId, allow_metadata_only: sizeOnly })),
        accept: binary.has(type) ? `${mediaTypes.protobuf}, ${mediaTypes.json}` : mediaTypes.json,
        headers: { "x-tinker-request-iteration": String(iteration), "x-tinker-request-type": type },
        repeat: "harmless",
        what: type,
      },
      randomUUID(),
      true,
    );
    return outcome;
  }
}

const failedHint = `Its words, or its log, say what to change. ${resumeHint}`;

const queueWords = {
  active: "the server is working on it",
  paused_capacity: "the server has no capacity free",
  paused_rate_limit: "the server limits the rate",
} as const;

/** Why a promise is not kept yet, in words. */
export function describeQueue({
  queueState,
  reason,
}: Pick<Extract<FutureAnswer, { kind: "waiting" }>, "queueState" | "reason">): string {
  const words =
    queueState === null ? "the server answers that it is not done, without a reason" : queueWords[queueState];
  if (reason === null || reason === "") return words;
  const line = firstLine(reason);
  return queueState === null ? line : `${words} (${line})`;
}
