// One model of a client: a policy, and the calls on it in the order of their numbers. A call that arrives twice is one; one
// that arrives before those it follows waits for them.
import { createHash } from "node:crypto";
import type { Policy } from "../../engine.ts";
import { type Failure, ServerProblem } from "./problem.ts";
import type { Payload, PromiseBook } from "./promises.ts";
import type { WorkQueue } from "./work-queue.ts";

export interface ModelParts {
  readonly queue: WorkQueue;
  readonly promises: PromiseBook;
  readonly failureOf: (error: unknown) => Failure;
  /** How long a call waits for those before it, in seconds: a client whose call was refused on the way has lost its number. */
  readonly gapSeconds: number;
  /** Keeps the model's session alive. */
  readonly touch: () => void;
}

export interface ModelCall {
  /** From 1; 0 and null for a client that does not count: then it follows those that came before. */
  readonly sequence: number | null;
  /** What makes two calls of one number the same. */
  readonly digest: string;
  readonly run: (policy: Policy) => Promise<Payload>;
}

/** Calls of which the model still knows that it has had them. */
const mostKnown = 4096;

/** Of a request: its path and its body, byte by byte. */
export function digestOf(path: string, body: Uint8Array): string {
  return createHash("sha256").update(path).update("\0").update(body).digest("base64");
}

export class Model {
  readonly id: string;
  readonly #parts: ModelParts;
  readonly #known = new Map<number, { readonly digest: string; readonly promise: string }>();
  /** Those that wait for the ones before them. */
  readonly #early = new Map<number, () => void>();
  #policy: Policy | null = null;
  #openError: unknown = null;
  #next = 1;
  #gap: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(id: string, parts: ModelParts) {
    this.id = id;
    this.#parts = parts;
  }

  /** Opens its policy; calls that come in the meantime follow. Returns the promise of it. */
  open(openPolicy: () => Promise<Policy>, result: Payload): string {
    const { queue, promises, failureOf, touch } = this.#parts;
    const promise = promises.open({ touch });
    const failed = (error: unknown): void => {
      this.#openError = error;
      promises.settle(promise, failureOf(error));
    };
    const run = async (): Promise<void> => {
      this.#policy = await openPolicy();
      promises.settle(promise, result);
    };
    queue.add({ run, failed });
    return promise;
  }

  /** Accepts a call and returns its promise. Throws ServerProblem for a number that another call has had. */
  submit({ sequence, digest, run }: ModelCall): string {
    const { promises, failureOf, touch } = this.#parts;
    if (this.#closed) throw new ServerProblem(404, `The model ${this.id} is closed: make another one.`);
    touch();
    const number = sequence ?? 0;
    const known = this.#known.get(number);
    if (known?.digest === digest && promises.standing(known.promise) === "known") return known.promise;
    if (known !== undefined || (number > 0 && number < this.#next)) {
      throw new ServerProblem(
        409,
        known?.digest === digest
          ? `Request ${number} of this model was carried out, and its result is no longer kept.`
          : `Request ${number} of this model was another one: number every request anew.`,
      );
    }
    const promise = promises.open({ touch });
    const failed = (error: unknown): void => promises.settle(promise, failureOf(error));
    const enqueue = (): void =>
      this.#parts.queue.add({
        run: async () => promises.settle(promise, await run(this.#opened())),
        failed,
      });
    if (number === 0) {
      enqueue();
      return promise;
    }
    this.#known.set(number, { digest, promise });
    for (const [old] of this.#known) {
      if (this.#known.size <= mostKnown) break;
      this.#known.delete(old);
    }
    this.#early.set(number, enqueue);
    this.#advance();
    return promise;
  }

  /** Carries out what is left to do, then gives the policy back. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#advanceOver();
    this.#closed = true;
    clearTimeout(this.#gap ?? undefined);
    return new Promise((resolve) => {
      const run = async (): Promise<void> => {
        await this.#policy?.[Symbol.asyncDispose]();
        resolve();
      };
      this.#parts.queue.add({ run, failed: () => resolve() });
    });
  }

  #opened(): Policy {
    if (this.#policy !== null) return this.#policy;
    throw this.#openError ?? new ServerProblem(503, "The server is ending.");
  }

  #advance(): void {
    for (let begin = this.#early.get(this.#next); begin !== undefined; begin = this.#early.get(this.#next)) {
      this.#early.delete(this.#next);
      this.#next += 1;
      begin();
    }
    clearTimeout(this.#gap ?? undefined);
    if (this.#early.size === 0) return;
    this.#gap = setTimeout(() => this.#advanceOver(), this.#parts.gapSeconds * 1000).unref();
  }

  /** Those that are missing have been refused on their way here, or their client has ended. */
  #advanceOver(): void {
    while (this.#early.size > 0) {
      this.#next = Math.min(...this.#early.keys());
      this.#advance();
    }
  }
}
