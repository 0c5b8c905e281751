// What a part of the loop remembers of a run: plain JSON that is kept with every checkpoint, so that a run that goes on remembers
// the same.
import type { Judgement } from "../types.ts";

/** `Seen` is what of a step it looks at. */
export interface Memory<State, Seen extends keyof Judgement = "groups"> {
  /** Under which it is kept. */
  readonly name: string;
  readonly empty: State;
  /** The state after a step. Pure. */
  after(state: State, step: Pick<Judgement, Seen>): State;
}
