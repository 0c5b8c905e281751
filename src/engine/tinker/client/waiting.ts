// What the client waits for, in words: nothing may hang without saying why. Times are of a clock that does not jump with the
// one on the wall.

/** Something that was asked of the server. */
export interface Wait {
  /** Why it takes long, as far as the server says; null where it does not. */
  state(text: string | null): void;
  end(): void;
}

interface Entry {
  readonly what: string;
  readonly since: number;
  state: string | null;
}

/** What has waited for longer than this is told with what can be done. */
const adviceSeconds = 60;
const advice = "; Ctrl-C twice ends it here, and a run goes on with `sqlm resume`";

export class WaitingBoard {
  readonly #entries = new Set<Entry>();
  readonly #now: () => number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @param what the work in words, for example `training` */
  begin(what: string): Wait {
    const entry: Entry = { what, since: this.#now(), state: null };
    this.#entries.add(entry);
    return {
      state: (text) => {
        entry.state = text;
      },
      end: () => this.#entries.delete(entry),
    };
  }

  /** Nothing is waited for. */
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /**
   * `waiting 42 s for 3 × sampling: the server is at capacity`, about what has waited longest, and after a minute what can be done
   * about it; null where nothing has waited for `seconds`.
   */
  describe(seconds: number): string | null {
    const [oldest, ...rest] = [...this.#entries].sort((a, b) => a.since - b.since);
    if (oldest === undefined) return null;
    const age = (this.#now() - oldest.since) / 1000;
    if (age < seconds) return null;
    const alike = 1 + rest.filter(({ what }) => what === oldest.what).length;
    const state = oldest.state ?? rest.find((entry) => entry.what === oldest.what && entry.state !== null)?.state;
    const why = state == null ? "no word from the server yet" : state;
    return `waiting ${Math.round(age)} s for ${alike > 1 ? `${alike} × ` : ""}${oldest.what}: ${why}${age < adviceSeconds ? "" : advice}`;
  }
}
