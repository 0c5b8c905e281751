// How a call of `sample` is followed from another thread: the worker posts pieces, and reads from shared memory which completions need
// not go on, since it computes without looking at its messages.
import type { Completion } from "../../../types.ts";
import type { Ask, Piece, SampleListener } from "../../engine.ts";
import type { SampleWatch } from "../generate/sampler.ts";

/** A call that somebody follows, as the worker is told of it. */
export interface Followed {
  readonly call: number;
  /** A byte for each completion, ask by ask, that is 1 where it need not go on. */
  readonly enough: SharedArrayBuffer;
}

/** The first completion of each ask among all of a call, and behind them their number. */
function firstsOf(asks: readonly Ask[]): number[] {
  const firsts = [0];
  for (const { numSamples } of asks) firsts.push(firsts[firsts.length - 1] + numSamples);
  return firsts;
}

/** The listener's side. */
export class Follower {
  readonly followed: Followed;
  readonly #listener: SampleListener;
  readonly #firsts: readonly number[];
  readonly #enough: Uint8Array;
  #failure: { readonly error: unknown } | null = null;

  constructor(call: number, asks: readonly Ask[], listener: SampleListener) {
    this.#firsts = firstsOf(asks);
    this.followed = { call, enough: new SharedArrayBuffer(this.#firsts[asks.length]) };
    this.#enough = new Uint8Array(this.followed.enough);
    this.#listener = listener;
  }

  /** Hands pieces on, but for those of completions that need not go on. */
  tell(pieces: readonly Piece[]): void {
    for (const piece of pieces) {
      const index = this.#firsts[piece.ask] + piece.sample;
      if (Atomics.load(this.#enough, index) === 1) continue;
      try {
        if (!this.#listener(piece)) Atomics.store(this.#enough, index, 1);
      } catch (error) {
        this.#failure = { error };
        this.#enough.fill(1);
      }
    }
  }

  /** What came of the call. Throws what the listener threw. */
  result(completions: Completion[][]): Completion[][] {
    if (this.#failure !== null) throw this.#failure.error;
    return completions;
  }
}

/** The worker's side: what the sampler tells and asks. */
export function watchOf(
  { call, enough }: Followed,
  asks: readonly Ask[],
  post: (call: number, pieces: readonly Piece[]) => void,
): SampleWatch {
  const firsts = firstsOf(asks);
  const flags = new Uint8Array(enough);
  return {
    tell: (pieces) => {
      if (pieces.length > 0) post(call, pieces);
    },
    isEnough: (ask, sample) => Atomics.load(flags, firsts[ask] + sample) === 1,
  };
}
