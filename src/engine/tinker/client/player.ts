// What the players of a Tinker server have in common, and the frozen one: a sampler of weights that the server keeps. The policy
// is in policy.ts.
import { SqlmError, UnsupportedError } from "../../../errors.ts";
import type { Tokenizer } from "../../../types.ts";
import { checkSampling, checkSequences } from "../../checks.ts";
import type { EngineCapabilities, EngineProgress, Player } from "../../engine.ts";
import { WireError } from "../wire/wire-error.ts";
import type { CheckpointFiles } from "./checkpoint.ts";
import { resumeHint, ServerError } from "./connection.ts";
import type { AdapterOptions, Link } from "./model.ts";
import type { Sampler } from "./sampler.ts";

/** What the players of one engine have in common. */
export interface Shared {
  readonly link: Link;
  readonly capabilities: EngineCapabilities;
  readonly tokenizer: Tokenizer;
  readonly adapter: AdapterOptions;
  readonly files: CheckpointFiles;
  readonly order: CallOrder;
  readonly onProgress: (progress: EngineProgress) => void;
}

/**
 * The order of an engine's calls. They begin one after another, so that their requests go out in order, and end when they end:
 * the server carries out what one model is asked for in turn.
 */
export class CallOrder {
  #gate: Promise<unknown> = Promise.resolve();

  /**
   * What `call` asks of a model before its first await is in order.
   * @param holds calls behind it wait for its end
   */
  begin<Result>(call: () => Promise<Result>, holds: boolean): Promise<Result> {
    const begun = this.#gate.then(() => ({ result: call() }));
    const result = begun.then((started) => started.result);
    this.#gate = (holds ? result : begun).catch(() => undefined);
    return result;
  }
}

/** Counts calls that are under way, for whoever closes. */
class UnderWay {
  readonly #calls = new Set<Promise<unknown>>();

  track<Result>(call: Promise<Result>): Promise<Result> {
    const settled = call.then(
      () => undefined,
      () => undefined,
    );
    this.#calls.add(settled);
    void settled.then(() => this.#calls.delete(settled));
    return call;
  }

  async ended(): Promise<void> {
    await Promise.all(this.#calls);
  }
}

/** Samples, scores and closes; how, is for the two kinds of players to say. */
export abstract class TinkerPlayer implements Player {
  readonly capabilities: EngineCapabilities;
  readonly tokenizer: Tokenizer;
  protected readonly shared: Shared;
  readonly #underWay = new UnderWay();
  #closed = false;

  constructor(shared: Shared) {
    this.shared = shared;
    this.capabilities = shared.capabilities;
    this.tokenizer = shared.tokenizer;
  }

  /** The sampler of the weights as the calls so far have made them. */
  protected abstract sampler(): Promise<Sampler>;
  protected abstract scoreWith(
    sequences: readonly (readonly number[])[],
    onScored: (tokens: number) => void,
  ): Promise<number[][]>;
  /** What is left to do when the calls made before have ended. */
  protected abstract leave(): Promise<void>;

  sample: Player["sample"] = (asks, options, listener = () => true) =>
    this.inTurn(async () => {
      checkSampling(this.capabilities, asks, options);
      if (options.stop.length === 0 && !this.shared.link.session.profile.emptyStop) {
        throw new UnsupportedError(
          `The ${this.capabilities.name} engine cannot sample past the end of a text on this server.`,
          "Give stop tokens.",
        );
      }
      if (asks.length === 0) return [];
      const total = asks.reduce((sum, { numSamples }) => sum + numSamples, 0);
      const counted = { done: 0, tokens: 0 };
      const sampler = await this.sampler();
      // Replies come whole, so they are told whole.
      return sampler.sample(asks, options, (pieces) => {
        counted.done += pieces.length;
        for (const piece of pieces) {
          counted.tokens += piece.tokens.length;
          listener(piece);
        }
        this.shared.onProgress({ stage: "sampling", total, ...counted });
      });
    });

  score: Player["score"] = (sequences) =>
    this.inTurn(async () => {
      checkSequences(this.capabilities, sequences);
      if (sequences.length === 0) return [];
      const total = sequences.reduce((sum, { length }) => sum + length, 0);
      let done = 0;
      return this.scoreWith(sequences, (tokens) => {
        done += tokens;
        this.shared.onProgress({ stage: "scoring", total, done, tokens: done });
      });
    });

  [Symbol.asyncDispose] = async (): Promise<void> => {
    if (this.#closed) return;
    this.#closed = true;
    await this.#underWay.ended();
    await this.leave();
  };

  /** Begins a call, unless the player is closed. */
  protected async inTurn<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw new SqlmError("This player of the tinker engine is closed.", "Open or freeze another one.");
    const { ended } = this.shared.link.connection;
    if (ended !== null) throw ended;
    return this.#underWay.track(call().catch(throwInWords));
  }
}

/** What is no message stops the run: asked again, the server would say the same. */
export function throwInWords(error: unknown): never {
  if (!(error instanceof WireError)) throw error;
  const says = `The server answered what is no message of the Tinker protocol (${error.message}).`;
  throw new ServerError(says, 200, `${error.hint} ${resumeHint}`, false, { cause: error });
}

export class FrozenPlayer extends TinkerPlayer {
  readonly #sampler: Sampler;

  constructor(shared: Shared, sampler: Sampler) {
    super(shared);
    this.#sampler = sampler;
  }

  protected sampler = async (): Promise<Sampler> => this.#sampler;

  protected scoreWith(
    sequences: readonly (readonly number[])[],
    onScored: (tokens: number) => void,
  ): Promise<number[][]> {
    if (!this.shared.link.session.profile.promptLogprobs) throw noScores(this.capabilities);
    return this.#sampler.score(sequences, onScored);
  }

  protected leave = async (): Promise<void> => undefined;
}

export const noScores = ({ name }: EngineCapabilities): UnsupportedError =>
  new UnsupportedError(
    `The ${name} engine cannot score on this server: it tells no log-probabilities of given text.`,
    "Leave klPenaltyCoef and importanceCap at 0, or use another server.",
  );
