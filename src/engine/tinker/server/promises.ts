// What was promised and what became of it. A client asks for one promise, or for all of a sampling session that are done;
// either request is held open until there is something to say. Results are kept until they have been fetched, as far as
// there is room: one that has gone is said to be gone, so that the client asks for the work again.
import { randomBytes } from "node:crypto";
import type { Failure } from "./problem.ts";

/** A result as bytes, in the one form in which it is kept. */
export interface Payload {
  /** JSON, or a protobuf message of samples or of training. */
  readonly form: "json" | "sample" | "training";
  readonly bytes: Uint8Array;
}

export type Settled = Payload | Failure;

/** A request that was accepted. */
interface Entry {
  readonly id: string;
  /** The sampling session's line that tells of it; null for what is asked for one by one. */
  readonly line: string | null;
  /** Of a session that is alive while it waits. */
  readonly touch: () => void;
  readonly onDropped: () => void;
  settled: Settled | null;
  settledAt: number;
  /** Milliseconds of the clock; null while nobody has it. */
  fetchedAt: number | null;
  readonly waiting: Set<() => void>;
}

/** What a batch poll is told of. */
export interface Completion {
  readonly id: string;
  readonly failed: boolean;
  readonly bytes: number;
}

interface Line {
  /** Oldest first, each with its number, from 1. */
  readonly news: { readonly number: number; readonly completion: Completion }[];
  last: number;
  readonly waiting: Set<() => void>;
}

export interface PromiseOptions {
  /** Bytes of results that are kept; more drops the oldest, those that were fetched first. */
  readonly mostBytes?: number;
  /** A result that was fetched is kept so long for a client that lost it on the way. */
  readonly fetchedSeconds?: number;
  /** A result that nobody has asked for is kept so long. */
  readonly unclaimedSeconds?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

const defaults = { mostBytes: 2 ** 28, fetchedSeconds: 60, unclaimedSeconds: 3600, now: () => performance.now() };
const sweepSeconds = 5;
/** Completions that one answer tells of. */
const mostNews = 1000;

export class PromiseBook implements Disposable {
  readonly #options: Required<PromiseOptions>;
  readonly #entries = new Map<string, Entry>();
  readonly #lines = new Map<string, Line>();
  /** Names the promises of this server: those of an earlier one are not known. */
  readonly #token = randomBytes(6).toString("hex");
  readonly #sweeper: NodeJS.Timeout;
  #count = 0;
  #bytes = 0;

  constructor(options: PromiseOptions = {}) {
    this.#options = { ...defaults, ...options };
    this.#sweeper = setInterval(() => this.sweep(), sweepSeconds * 1000).unref();
  }

  /** Promises that are known, done or not. */
  get size(): number {
    return this.#entries.size;
  }

  /** A new promise. */
  open({ line = null, touch = () => undefined, onDropped = () => undefined }: Partial<Entry> = {}): string {
    this.#count += 1;
    const id = `${this.#token}-${this.#count}`;
    const times = { settled: null, settledAt: 0, fetchedAt: null };
    this.#entries.set(id, { id, line, touch, onDropped, ...times, waiting: new Set() });
    return id;
  }

  /** What came of it. A promise that has been dropped in the meantime is nobody's any more. */
  settle(id: string, settled: Settled): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.settled !== null) return;
    entry.settled = settled;
    entry.settledAt = this.#options.now();
    this.#bytes += sizeOf(settled);
    // In the order in which they were settled, which is the one in which they are dropped.
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    wake(entry.waiting);
    const line = entry.line === null ? undefined : this.#lines.get(entry.line);
    if (line !== undefined) tell(line, entry);
    if (this.#bytes > this.#options.mostBytes) this.#makeRoom();
  }

  /** `gone` for one that was kept once, `unknown` for what is no promise of this server. */
  standing(id: string): "known" | "gone" | "unknown" {
    if (this.#entries.has(id)) return "known";
    const [token, count] = id.split("-");
    const ours = token === this.#token && /^\d+$/.test(count ?? "") && Number(count) <= this.#count;
    return ours ? "gone" : "unknown";
  }

  /** What came of it, after at most `milliseconds`; null where that was not enough, or where it has gone. */
  async wait(id: string, milliseconds: number, signal?: AbortSignal): Promise<Settled | null> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return null;
    entry.touch();
    if (entry.settled === null) await wakened(entry.waiting, milliseconds, signal);
    entry.touch();
    return entry.settled;
  }

  /** The client has it: it need not be kept for long. */
  fetched(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined && entry.settled !== null) entry.fetchedAt ??= this.#options.now();
  }

  /** The samples of a promise that is kept, as protobuf, to be sent now; null for anything else. */
  samplesOf(id: string): Uint8Array | null {
    const settled = this.#entries.get(id)?.settled ?? null;
    if (settled === null || !("form" in settled) || settled.form !== "sample") return null;
    this.fetched(id);
    return settled.bytes;
  }

  /** The client says that it needs them no more. */
  release(line: string, ids: readonly string[]): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry?.line === line && entry.settled !== null) this.#drop(entry);
    }
  }

  /**
   * What is done of a line after number `after`, and the number of the last that is told; waits for the first. What came up to
   * `after` has been seen.
   */
  async news(
    name: string,
    after: number,
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<{ readonly completions: readonly Completion[]; readonly cursor: number }> {
    const line = this.#lines.get(name) ?? this.#openLine(name);
    const seen = line.news.findIndex(({ number }) => number > after);
    line.news.splice(0, seen < 0 ? line.news.length : seen);
    if (line.news.length === 0 && milliseconds > 0) await wakened(line.waiting, milliseconds, signal);
    const told = line.news.slice(0, mostNews);
    return { completions: told.map(({ completion }) => completion), cursor: told.at(-1)?.number ?? after };
  }

  /** Forgets the lines whose names begin so: their session has ended. */
  closeLines(prefix: string): void {
    for (const [name, { waiting }] of this.#lines) {
      if (!name.startsWith(prefix)) continue;
      this.#lines.delete(name);
      wake(waiting);
    }
  }

  /** Drops what has been kept long enough. */
  sweep(): void {
    const { fetchedSeconds, unclaimedSeconds, now } = this.#options;
    const time = now();
    for (const entry of this.#entries.values()) {
      if (entry.settled === null) continue;
      const since = entry.fetchedAt ?? entry.settledAt;
      const seconds = entry.fetchedAt === null ? unclaimedSeconds : fetchedSeconds;
      if (time - since > seconds * 1000) this.#drop(entry);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
    for (const { waiting } of this.#entries.values()) wake(waiting);
    for (const { waiting } of this.#lines.values()) wake(waiting);
  }

  /** A line begins with its first poll: who never asks for it costs nothing. */
  #openLine(name: string): Line {
    const line: Line = { news: [], last: 0, waiting: new Set() };
    this.#lines.set(name, line);
    for (const entry of this.#entries.values()) if (entry.line === name && entry.settled !== null) tell(line, entry);
    return line;
  }

  #makeRoom(): void {
    const settled = [...this.#entries.values()].filter((entry) => entry.settled !== null);
    const order = [
      ...settled.filter(({ fetchedAt }) => fetchedAt !== null),
      // Samples can be drawn again; what a model was taught cannot be taught again.
      ...settled.filter((entry) => entry.fetchedAt === null && entry.line !== null),
      ...settled.filter((entry) => entry.fetchedAt === null && entry.line === null),
    ];
    for (const entry of order) {
      if (this.#bytes <= this.#options.mostBytes / 2) return;
      this.#drop(entry);
    }
  }

  #drop(entry: Entry): void {
    if (!this.#entries.delete(entry.id)) return;
    this.#bytes -= entry.settled === null ? 0 : sizeOf(entry.settled);
    entry.onDropped();
  }
}

const sizeOf = (settled: Settled): number => ("bytes" in settled ? settled.bytes.length : settled.error.length);

function tell(line: Line, { id, settled }: Entry): void {
  if (settled === null) return;
  line.last += 1;
  line.news.push({ number: line.last, completion: { id, failed: "error" in settled, bytes: sizeOf(settled) } });
  wake(line.waiting);
}

function wake(waiting: Set<() => void>): void {
  for (const one of [...waiting]) one();
}

/** Resolves when it is woken, when the time is over, or when whoever asked has gone. */
function wakened(waiting: Set<() => void>, milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (milliseconds <= 0 || signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      waiting.delete(end);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds).unref();
    waiting.add(end);
    signal?.addEventListener("abort", end, { once: true });
  });
}
