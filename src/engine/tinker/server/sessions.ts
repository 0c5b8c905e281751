// Sessions of clients, and what each has: models and samplers by the numbers that the client gave them. A session of which
// nothing has been heard for some minutes has ended.
import { randomBytes } from "node:crypto";
import type { Model } from "./model.ts";
import { ServerProblem } from "./problem.ts";
import type { Save } from "./saves.ts";
import type { PlayerSource } from "./work-queue.ts";

/** A sampling session: a client's name for weights to draw from. */
export interface Sampler {
  readonly id: string;
  readonly source: PlayerSource;
  /** Null for the base and for weights without a name. */
  readonly save: Save | null;
  readonly session: Session | null;
  /** Requests by their number, so that one that arrives twice is one. */
  readonly requests: Map<number, { readonly digest: string; readonly promise: string }>;
}

/** What a client gave a number, and the answer that it got: the same again for the same request. */
interface Answered {
  readonly digest: string;
  readonly answer: unknown;
}

export class Session {
  readonly id: string;
  readonly models = new Map<string, Model>();
  /** Names of all models that it has had: samplers outlive the model that they are of. */
  readonly modelsEver = new Set<string>();
  readonly samplers = new Map<string, Sampler>();
  readonly #answered = new Map<string, Answered>();
  readonly #now: () => number;
  #heard: number;

  constructor(id: string, now: () => number) {
    this.id = id;
    this.#now = now;
    this.#heard = now();
  }

  /** Something was heard of its client. */
  touch = (): void => {
    this.#heard = this.#now();
  };

  silentSeconds(): number {
    return (this.#now() - this.#heard) / 1000;
  }

  /**
   * The answer to a request that makes something under a number of the client's: made once, however often it arrives. Throws
   * ServerProblem where the number stands for something else.
   */
  once<Answer>(kind: string, number: number, digest: string, make: () => Answer): Answer {
    const key = `${kind} ${number}`;
    const known = this.#answered.get(key);
    if (known === undefined) {
      const answer = make();
      this.#answered.set(key, { digest, answer });
      return answer;
    }
    if (known.digest === digest) return known.answer as Answer;
    throw new ServerProblem(409, `There is a ${kind} ${number} in this session already: number every one anew.`);
  }
}

export interface SessionOptions {
  /** A session that says nothing for so long has ended. */
  readonly silentSeconds: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Gives back what a session has had. */
  readonly onEnded: (session: Session) => void;
}

const sweepSeconds = 10;

export class Sessions implements Disposable {
  readonly #options: SessionOptions;
  readonly #sessions = new Map<string, Session>();
  /** Sessions by the key of the request that began them. */
  readonly #begun = new Map<string, string>();
  readonly #models = new Map<string, { readonly model: Model; readonly session: Session }>();
  readonly #samplers = new Map<string, Sampler>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => this.sweep(), sweepSeconds * 1000).unref();
  }

  get modelCount(): number {
    return this.#models.size;
  }

  modelIds(): readonly string[] {
    return [...this.#models.keys()];
  }

  /** A new session; the one that was begun under the same key, where there is one. */
  beginOnce(key: string | null): Session {
    const known = key === null ? undefined : this.#sessions.get(this.#begun.get(key) ?? "");
    if (known !== undefined) return known;
    const session = new Session(randomBytes(8).toString("hex"), this.#options.now);
    this.#sessions.set(session.id, session);
    if (key !== null) this.#begun.set(key, session.id);
    return session;
  }

  find(id: string): Session {
    const session = this.#sessions.get(id);
    if (session !== undefined) {
      session.touch();
      return session;
    }
    throw new ServerProblem(
      404,
      `There is no session ${id.slice(0, 60)}: it ended after ${this.#options.silentSeconds / 60} minutes without a heartbeat, or with the server before this one. Begin another one.`,
    );
  }

  addModel(session: Session, model: Model): void {
    session.models.set(model.id, model);
    session.modelsEver.add(model.id);
    this.#models.set(model.id, { model, session });
  }

  findModel(id: string): { readonly model: Model; readonly session: Session } {
    const found = this.#models.get(id);
    if (found !== undefined) return found;
    throw new ServerProblem(
      404,
      `There is no model ${id.slice(0, 80)}: it was unloaded, or ended with its session. Make one and load its saved weights.`,
    );
  }

  removeModel({ id }: Model): void {
    this.#models.get(id)?.session.models.delete(id);
    this.#models.delete(id);
  }

  addSampler(sampler: Omit<Sampler, "id" | "requests">): Sampler {
    const added = { ...sampler, id: randomBytes(8).toString("hex"), requests: new Map() };
    sampler.session?.samplers.set(added.id, added);
    this.#samplers.set(added.id, added);
    return added;
  }

  findSampler(id: string): Sampler {
    const sampler = this.#samplers.get(id);
    if (sampler !== undefined) {
      sampler.session?.touch();
      return sampler;
    }
    throw new ServerProblem(
      404,
      `There is no sampler ${id.slice(0, 60)}: it ended with its session. Open another one.`,
    );
  }

  /** Ends sessions that have been silent for too long. */
  sweep(): void {
    for (const session of this.#sessions.values()) {
      if (session.silentSeconds() <= this.#options.silentSeconds) continue;
      this.#sessions.delete(session.id);
      for (const [key, id] of this.#begun) if (id === session.id) this.#begun.delete(key);
      for (const model of session.models.values()) this.#models.delete(model.id);
      for (const sampler of session.samplers.values()) this.#samplers.delete(sampler.id);
      this.#options.onEnded(session);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
  }
}
