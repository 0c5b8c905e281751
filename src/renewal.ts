// A run whose engine computes elsewhere outlives the loss of what was there (a server that was started anew, a session that it
// forgot): the engine is renewed, and the run goes on from its newest checkpoint as a resumed one does, in the same process.
import type { Engine } from "./engine/engine.ts";
import { RunStoppedError } from "./errors.ts";
import type { RunEvent } from "./events.ts";

/** So often an engine is renewed while no step gets further than before: what is lost at every try is no accident. */
const mostRenewals = 3;

export interface AfterError {
  /** The engine was renewed: the run may go on. */
  readonly renewed: boolean;
  /** What ends the run otherwise: what was thrown, or why the engine could not be renewed. */
  readonly error: unknown;
}

export class Renewal {
  readonly #engine: Engine;
  #last: { readonly thrown: unknown; readonly outcome: AfterError } | null = null;
  #loss: { readonly message: string; readonly step: number } | null = null;
  #furthest = -1;
  #count = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Renews the engine where the error says that its state is lost. Asked again about the same error it says the same.
   * @param step steps that were played, where that is known
   */
  async after(thrown: unknown, step?: number): Promise<AfterError> {
    if (this.#last !== null && this.#last.thrown === thrown) return this.#last.outcome;
    const outcome = await this.#renew(thrown, step ?? this.furthest);
    this.#last = { thrown, outcome };
    return outcome;
  }

  async #renew(thrown: unknown, step: number): Promise<AfterError> {
    if (!(thrown instanceof RunStoppedError && thrown.stateLost) || this.#engine.renew === undefined) {
      return { renewed: false, error: thrown };
    }
    this.#count = step > this.#furthest ? 1 : this.#count + 1;
    this.#furthest = Math.max(this.#furthest, step);
    if (this.#count > mostRenewals) return { renewed: false, error: thrown };
    try {
      await this.#engine.renew();
    } catch (error) {
      return { renewed: false, error };
    }
    this.#loss = { message: thrown.message, step: this.#furthest };
    return { renewed: true, error: thrown };
  }

  /** Steps that were played before the last loss. */
  get furthest(): number {
    return Math.max(0, this.#furthest);
  }

  /** Says once what was lost and what is played again, where the run goes on from step `from`; null where nothing was. */
  notice(from: number): Extract<RunEvent, { type: "anomaly" }> | null {
    if (this.#loss === null) return null;
    const { message, step } = this.#loss;
    this.#loss = null;
    const under = `what was under way of step ${step + 1}`;
    const again =
      step === from ? `${under} is played again` : `steps ${from + 1} to ${step} and ${under} are played again`;
    const where = from === 0 ? "Begun again from the start" : `Going on from the weights of step ${from}`;
    return { type: "anomaly", step: from, kind: "session-lost", message: `${message} ${where}: ${again}.` };
  }
}
