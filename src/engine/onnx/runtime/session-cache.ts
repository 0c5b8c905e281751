// Sessions by name, the least recently used ones given back: each owns the memory that its largest tensors once needed.
import type { Graph } from "../graph/graph.ts";
import { createSession, type Session, type SessionOptions } from "./runtime.ts";

/** Owns its sessions. Calls may not overlap, and a session may be used only until the next one is asked for. */
export class SessionCache {
  readonly #options: SessionOptions;
  readonly #capacity: number;
  /** Least recently used first. */
  readonly #sessions = new Map<string, Session>();

  constructor(options: SessionOptions, capacity: number) {
    this.#options = options;
    this.#capacity = capacity;
  }

  /** The session of this name, from the graph that `build` gives if there is none yet. */
  async get(name: string, build: () => Graph): Promise<Session> {
    const known = this.#sessions.get(name);
    this.#sessions.delete(name);
    if (known === undefined) await this.#makeRoom();
    const session = known ?? (await createSession(build(), this.#options));
    this.#sessions.set(name, session);
    return session;
  }

  /** Gives all sessions back. */
  async dispose(): Promise<void> {
    for (const session of this.#sessions.values()) await session.dispose();
    this.#sessions.clear();
  }

  async #makeRoom(): Promise<void> {
    for (const [name, session] of this.#sessions) {
      if (this.#sessions.size < this.#capacity) return;
      this.#sessions.delete(name);
      await session.dispose();
    }
  }
}
