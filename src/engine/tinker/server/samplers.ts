// Weights that samples are drawn from: the base, saved ones, and those that a model had when a client asked for a sampler
// without a name. Players are opened when their turn comes. Saved ones can be opened again, so few are kept open; the
// nameless ones are nowhere but in memory, so of each model the latest used are kept.
import type { Engine, Player, Policy } from "../../engine.ts";
import { ServerProblem } from "./problem.ts";
import type { Save, Saves } from "./saves.ts";
import type { PlayerSource } from "./work-queue.ts";

export interface SamplerLimits {
  /** Players of saved weights that are open at once. */
  readonly openSaves: number;
  /** Nameless samplers that are kept of a model. */
  readonly nameless: number;
}

interface Nameless extends PlayerSource {
  readonly model: string;
  frozen: Player | null;
  used: number;
}

/** Calls that open or close players are made by the work queue alone, one at a time. */
export class Samplers implements AsyncDisposable {
  readonly base: PlayerSource;
  readonly #engine: Engine;
  readonly #limits: SamplerLimits;
  readonly #saves: Saves;
  readonly #saved = new Map<string, PlayerSource>();
  /** Of saved weights, the least recently used first. */
  readonly #open = new Map<string, Player>();
  readonly #nameless = new Set<Nameless>();
  #basePolicy: Policy | null = null;
  #uses = 0;

  constructor(engine: Engine, saves: Saves, limits: SamplerLimits) {
    this.#saves = saves;
    this.#engine = engine;
    this.#limits = limits;
    this.base = {
      player: async () => {
        this.#basePolicy ??= await engine.openPolicy();
        return this.#basePolicy;
      },
    };
  }

  /** Samplers of one save share their player, and are sampled together. */
  saved(save: Save): PlayerSource {
    const key = `${save.path} ${save.time}`;
    const source = this.#saved.get(key) ?? { player: () => this.#openSaved(key, save) };
    this.#saved.set(key, source);
    return source;
  }

  /** A sampler of a model's weights as they are now. */
  async freeze(model: string, policy: Policy): Promise<PlayerSource> {
    const sampler: Nameless = {
      model,
      frozen: await policy.freeze(),
      used: ++this.#uses,
      player: async () => {
        if (sampler.frozen === null) {
          throw new ServerProblem(
            400,
            `These weights are no longer kept: of each model the ${this.#limits.nameless} samplers without a name that were used last are. Save them with a name.`,
          );
        }
        sampler.used = ++this.#uses;
        return sampler.frozen;
      },
    };
    this.#nameless.add(sampler);
    const ofModel = [...this.#nameless].filter((one) => one.model === model).sort((a, b) => a.used - b.used);
    for (const old of ofModel.slice(0, -this.#limits.nameless)) await this.#forget(old);
    return sampler;
  }

  /** Closes the nameless samplers of a model: its session has ended. */
  async closeOf(model: string): Promise<void> {
    for (const sampler of this.#nameless) if (sampler.model === model) await this.#forget(sampler);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sampler of this.#nameless) await this.#forget(sampler);
    for (const player of this.#open.values()) await player[Symbol.asyncDispose]();
    await this.#basePolicy?.[Symbol.asyncDispose]();
  }

  async #openSaved(key: string, save: Save): Promise<Player> {
    const known = this.#open.get(key);
    this.#open.delete(key);
    const player = known ?? (await this.#load(save));
    this.#open.set(key, player);
    for (const [name, old] of [...this.#open].slice(0, -this.#limits.openSaves)) {
      this.#open.delete(name);
      await old[Symbol.asyncDispose]();
    }
    return player;
  }

  /** Frozen, since a policy that has loaded weights holds an optimizer too. */
  async #load({ path, time, folder }: Save): Promise<Player> {
    if (this.#saves.find(path).time !== time) {
      throw new ServerProblem(400, `The weights ${path} have been overwritten since: open another sampler for them.`);
    }
    await using policy = await this.#engine.openPolicy();
    await policy.load(folder, { optimizer: false });
    return policy.freeze();
  }

  async #forget(sampler: Nameless): Promise<void> {
    this.#nameless.delete(sampler);
    await sampler.frozen?.[Symbol.asyncDispose]();
    sampler.frozen = null;
  }
}
