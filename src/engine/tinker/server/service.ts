// What all requests of a server share: the engine and the order of its work, promises, sessions, saved weights. It is handed
// an engine and knows it by its contract only.
import type { Engine } from "../../engine.ts";
import { Downloads } from "./archive.ts";
import { type Failure, failureOf, ServerProblem } from "./problem.ts";
import { type Payload, PromiseBook, type PromiseOptions } from "./promises.ts";
import { Samplers } from "./samplers.ts";
import { Saves } from "./saves.ts";
import { type Session, Sessions } from "./sessions.ts";
import { WorkQueue } from "./work-queue.ts";

/** The model that is served. */
export interface ServedModel {
  /** What clients call it: the first is told, all are understood. */
  readonly names: readonly [string, ...string[]];
  /** What `transformers` loads its tokenizer by: a folder or a hub id; null where that is the name. */
  readonly tokenizer: string | null;
  /** For example `llama`; null where it is not known. */
  readonly architecture: string | null;
}

export interface ServiceOptions extends PromiseOptions {
  readonly engine: Engine;
  readonly model: ServedModel;
  /** Where saved weights are kept; it is made where there is none. */
  readonly folder: string;
  /** Told of every error that is no client's doing. */
  readonly report: (error: unknown) => void;
  /** A request for a result is held open for so long. */
  readonly holdSeconds?: number;
  /** A session that says nothing for so long has ended. */
  readonly silentSeconds?: number;
  /** A call waits so long for one of a lower number. */
  readonly gapSeconds?: number;
  /** Models that may be open at once. */
  readonly mostModels?: number;
  /** Bytes of prompts that may wait; one more is told to come later. */
  readonly mostWaitingBytes?: number;
}

const defaults = {
  holdSeconds: 30,
  silentSeconds: 300,
  gapSeconds: 10,
  mostModels: 32,
  mostWaitingBytes: 2 ** 26,
};

const samplerLimits = { openSaves: 4, nameless: 8 };

export class Service implements AsyncDisposable {
  readonly engine: Engine;
  readonly model: ServedModel;
  readonly holdSeconds: number;
  readonly mostModels: number;
  readonly mostWaitingBytes: number;
  readonly promises: PromiseBook;
  readonly queue: WorkQueue;
  readonly saves: Saves;
  readonly downloads = new Downloads();
  readonly samplers: Samplers;
  readonly sessions: Sessions;
  readonly report: (error: unknown) => void;
  readonly #gapSeconds: number;
  /** Bytes of prompts that wait. */
  waitingBytes = 0;

  constructor(options: ServiceOptions) {
    const { engine, model, folder, report } = options;
    const limits = { ...defaults, ...options };
    const now = options.now ?? (() => performance.now());
    this.engine = engine;
    this.model = model;
    this.report = report;
    this.holdSeconds = limits.holdSeconds;
    this.mostModels = limits.mostModels;
    this.mostWaitingBytes = limits.mostWaitingBytes;
    this.#gapSeconds = limits.gapSeconds;
    this.promises = new PromiseBook(options);
    this.queue = new WorkQueue(() => new ServerProblem(503, "The server is ending: begin again when it is back."));
    this.saves = new Saves(folder);
    this.samplers = new Samplers(engine, this.saves, samplerLimits);
    this.sessions = new Sessions({
      silentSeconds: limits.silentSeconds,
      now,
      onEnded: (session) => void this.#endSession(session),
    });
  }

  failureOf = (error: unknown): Failure => failureOf(error, this.report);

  /** What a model of a session is made with. */
  modelParts(session: Session) {
    const { queue, promises, failureOf } = this;
    return { queue, promises, failureOf, gapSeconds: this.#gapSeconds, touch: session.touch };
  }

  /** Throws ServerProblem unless this is the model that is served. */
  checkBase(name: string): void {
    const { names } = this.model;
    if (names.includes(name)) return;
    const given = JSON.stringify(name.slice(0, 100));
    throw new ServerProblem(400, `This server has no base model ${given}: ask for ${JSON.stringify(names[0])}.`);
  }

  /** Finishes what is under way, refuses what waits, and gives all players back; the engine stays the caller's. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.sessions[Symbol.dispose]();
    await this.queue[Symbol.asyncDispose]();
    this.promises[Symbol.dispose]();
    await this.samplers[Symbol.asyncDispose]();
  }

  async #endSession(session: Session): Promise<void> {
    for (const sampler of session.samplers.values()) this.promises.closeLines(`${sampler.id} `);
    for (const model of session.models.values()) await model.close();
    for (const id of session.modelsEver) {
      this.queue.add({ run: () => this.samplers.closeOf(id), failed: this.report });
    }
  }
}

export const jsonPayload = (value: unknown): Payload => ({
  form: "json",
  bytes: new TextEncoder().encode(JSON.stringify(value)),
});
