// The players of a Tinker server: a policy is one of its models, a frozen player a sampler of weights that it keeps.
import { RunStoppedError, SqlmError, UnsupportedError } from "../../../errors.ts";
import type { Datum, LossFn, Tokenizer } from "../../../types.ts";
import { checkAdam, checkSampling, checkSequences, checkTraining } from "../../checks.ts";
import type {
  EngineCapabilities,
  EngineProgress,
  ForwardBackwardResult,
  LossConfig,
  OptimStepResult,
  Player,
  Policy,
} from "../../engine.ts";
import { batchLoss } from "../../losses.ts";
import { firstLine } from "../wire/said.ts";
import { WireError } from "../wire/wire-error.ts";
import { type CheckpointFiles, readState, writeState } from "./checkpoint.ts";
import { resumeHint, ServerError } from "./connection.ts";
import { gradientData, gradientNormOf, isSent, logprobsOf, scoringData, wireData, wireLossConfig } from "./data.ts";
import { mergeMetrics, recordedMetrics } from "./metrics.ts";
import { type AdapterOptions, type Link, TinkerModel } from "./model.ts";
import { Sampler } from "./sampler.ts";

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

abstract class TinkerPlayer implements Player {
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

class FrozenPlayer extends TinkerPlayer {
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

const noScores = ({ name }: EngineCapabilities): UnsupportedError =>
  new UnsupportedError(
    `The ${name} engine cannot score on this server: it tells no log-probabilities of given text.`,
    "Leave klPenaltyCoef and importanceCap at 0, or use another server.",
  );

export class TinkerPolicy extends TinkerPlayer implements Policy {
  #model: TinkerModel;
  /** A sampler of the weights as they are; null where they have changed since one was made. */
  #sampler: Promise<Sampler> | null = null;
  /** The weights are still those of the base. */
  #untouched = true;
  #steps = 0;

  constructor(shared: Shared, model: TinkerModel) {
    super(shared);
    this.#model = model;
  }

  protected sampler = (): Promise<Sampler> =>
    // In turn: what is called after this changes the weights only behind the save.
    this.#begin(() => {
      this.#sampler ??= this.#openSampler();
      const opening = this.#sampler;
      // One that could not be made is made anew by the next call.
      opening.catch(() => {
        if (this.#sampler === opening) this.#sampler = null;
      });
      return opening;
    });

  async #openSampler(): Promise<Sampler> {
    const { link } = this.shared;
    if (this.#untouched && link.session.profile.baseSampling) return Sampler.open(link, null);
    const { sampler, path } = await this.#model.saveForSampler(null);
    return sampler === null ? Sampler.open(link, path) : new Sampler(link, sampler);
  }

  protected async scoreWith(
    sequences: readonly (readonly number[])[],
    onScored: (tokens: number) => void,
  ): Promise<number[][]> {
    const { profile } = this.shared.link.session;
    if (profile.forward) return this.#forward(sequences);
    if (!profile.promptLogprobs) throw noScores(this.capabilities);
    return (await this.sampler()).score(sequences, onScored);
  }

  async #forward(sequences: readonly (readonly number[])[]): Promise<number[][]> {
    const sent = sequences.filter((tokens) => isSent({ tokens }));
    const results = await this.#begin((model) =>
      model.pass({ data: scoringData(sent), lossFn: "cross_entropy", lossConfig: {}, forwardOnly: true }),
    );
    return logprobsOf(sequences, results);
  }

  forwardBackward: Policy["forwardBackward"] = (data, loss, lossConfig = {}) =>
    this.inTurn(async () => {
      checkTraining(this.capabilities, data, loss, lossConfig);
      return this.#train(data, loss, lossConfig);
    });

  async #train(data: readonly Datum[], loss: LossFn, lossConfig: LossConfig): Promise<ForwardBackwardResult> {
    const sequences = data.map(({ tokens }) => tokens);
    const sent = data.filter(isSent);
    const total = sequences.reduce((sum, { length }) => sum + length, 0);
    // The protocol's losses know no reference: the gradient is computed here, and handed over as weights of a cross-entropy.
    const penalised = (lossConfig.klPenaltyCoef ?? 0) > 0;
    const results = await this.#begin(
      (model) =>
        penalised
          ? this.#passWithPenalty(model, sent, loss, lossConfig)
          : model.pass({
              data: wireData(sent, loss),
              lossFn: loss,
              lossConfig: wireLossConfig(loss, lossConfig),
              forwardOnly: false,
            }),
      penalised,
    );
    const logprobs = logprobsOf(sequences, results);
    this.shared.onProgress({ stage: "training", total, done: total, tokens: total });
    const { gradients: _, ...metrics } = batchLoss(data, logprobs, loss, lossConfig);
    return { logprobs, metrics: { ...metrics, ...recordedMetrics(mergeMetrics(results)) } };
  }

  /** Two passes; the second one's log-probabilities are the first one's. */
  async #passWithPenalty(model: TinkerModel, data: readonly Datum[], loss: LossFn, lossConfig: LossConfig) {
    const sequences = data.map(({ tokens }) => tokens);
    const common = { lossFn: "cross_entropy", lossConfig: {} };
    const scored = await model.pass({ ...common, data: scoringData(sequences), forwardOnly: true });
    const { gradients } = batchLoss(data, logprobsOf(sequences, scored), loss, lossConfig);
    return model.pass({ ...common, data: gradientData(data, gradients), forwardOnly: false });
  }

  optimStep: Policy["optimStep"] = (adam) =>
    this.inTurn(async (): Promise<OptimStepResult> => {
      checkAdam(this.capabilities, adam);
      let step = 0;
      const metrics = await this.#begin((model) => {
        this.#sampler = null;
        this.#untouched = false;
        this.#steps += 1;
        step = this.#steps;
        return model.update(adam).catch((error) => {
          this.#steps -= 1;
          throw error;
        });
      });
      const gradNorm = gradientNormOf(metrics);
      if (gradNorm !== null && !Number.isFinite(gradNorm)) {
        throw new ServerError("The gradient is not a finite number.", 200, resumeHint);
      }
      return { metrics: { ...(gradNorm === null ? {} : { gradNorm }), step } };
    });

  save: Policy["save"] = (folder, { optimizer }) =>
    this.inTurn(async () => {
      const { link, files } = this.shared;
      await this.#begin(async (model) => {
        const name = files.newName();
        const { rank } = this.shared.adapter;
        const state = { link, files, steps: this.#steps, optimizer, rank };
        const [statePath, { path: samplerPath }] = await Promise.all([
          model.saveState(name),
          model.saveForSampler(name),
        ]);
        await writeState(folder, { ...state, statePath, samplerPath });
      }, true);
    });

  load: Policy["load"] = (folder, { optimizer }) =>
    this.inTurn(async () => {
      await this.#begin(async (old) => {
        const state = readState(folder, optimizer, { link: this.shared.link, rank: this.shared.adapter.rank });
        const model = await this.#load(state.path, optimizer);
        this.#model = model;
        this.#sampler = null;
        this.#untouched = false;
        this.#steps = optimizer ? state.steps : 0;
        // After what was asked of it before.
        void old.unload();
      }, true);
    });

  /** A model of its own for loaded weights: servers load only into one that has done nothing yet. */
  async #load(statePath: string, optimizer: boolean): Promise<TinkerModel> {
    for (let attempt = 0; ; attempt++) {
      const model = await TinkerModel.create(this.shared.link, this.shared.adapter);
      try {
        await model.loadState(statePath, optimizer);
        return model;
      } catch (error) {
        void model.unload();
        // A copy of the request that arrived makes this one the model's second, which is refused.
        const again = error instanceof ServerError && (error.doubtful || [400, 409, 410].includes(error.status ?? 0));
        const { connection, session } = this.shared.link;
        if (again && attempt < mostLoads && connection.ended === null) {
          await connection.rest(Math.min(0.5 * 2 ** attempt, 10));
          continue;
        }
        // Weights that are gone and a server that was started anew look alike.
        if (connection.ended === null) await session.check();
        throw connection.ended ?? notLoaded(statePath, error);
      }
    }
  }

  freeze: Policy["freeze"] = () => this.inTurn(async () => new FrozenPlayer(this.shared, await this.sampler()));

  protected leave = (): Promise<void> => this.#model.unload();

  /** Hands a call to the model that those before it have left. */
  #begin<Result>(submit: (model: TinkerModel) => Promise<Result>, holds = false): Promise<Result> {
    return this.shared.order.begin(() => submit(this.#model), holds);
  }
}

const mostLoads = 12;
/** Statuses that a server gives for weights that it has not, or does not take. */
const aboutWeights: ReadonlySet<number> = new Set([200, 400, 404, 409, 410, 422]);

/** Whatever the server says: going back to this checkpoint once more would change nothing. */
function notLoaded(statePath: string, error: unknown): unknown {
  if (!(error instanceof SqlmError)) return error;
  // A server that is out of order, or wants a key or money, may have them all the same.
  const refused = !(error instanceof ServerError) || aboutWeights.has(error.status ?? 0);
  const hint = refused
    ? "Start it with the saved weights that it had, then `sqlm resume RUN`; or go on from the copy in the checkpoint, on this machine: `sqlm run TOPIC --model RUN`."
    : error.hint;
  const says = `The server does not give the weights of this checkpoint (${firstLine(statePath)}): ${error.message}`;
  return new RunStoppedError(says, hint, { cause: error });
}
