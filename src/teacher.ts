// The seat of a teacher: an earlier model of the run, which votes in place of the one that learns. It is a checkpoint that the guard
// trusts, so a run that goes on has the same teacher.
import type { Engine, Player } from "./engine/engine.ts";

export class TeacherSeat implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #folderOf: (step: number) => Promise<string>;
  #seated: { readonly step: number; readonly player: Player } | null = null;

  /** @param folderOf folder of the checkpoint of a step */
  constructor(engine: Engine, folderOf: (step: number) => Promise<string>) {
    this.#engine = engine;
    this.#folderOf = folderOf;
  }

  /** The model of this step, opened where another one, or none, has the seat; null empties it. */
  async at(step: number | null): Promise<Player | null> {
    if (this.#seated?.step === step) return this.#seated.player;
    await this[Symbol.asyncDispose]();
    if (step === null) return null;
    const player = await this.#engine.openPolicy();
    this.#seated = { step, player };
    await player.load(await this.#folderOf(step), { optimizer: false });
    return player;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#seated?.player[Symbol.asyncDispose]();
    this.#seated = null;
  }
}
