// The policy of a Tinker server: one of its models. What is called changes it in the order of the calls, whenever the server comes
// to it.
import { RunStoppedError, SqlmError } from "../../../errors.ts";
import type { Datum, LossFn } from "../../../types.ts";
import { checkAdam, checkTraining } from "../../checks.ts";
import type { ForwardBackwardResult, LossConfig, OptimStepResult, Policy } from "../../engine.ts";
import { batchLoss } from "../../losses.ts";
import { firstLine } from "../wire/said.ts";
import { readState, writeState } from "./checkpoint.ts";
import { resumeHint, ServerError } from "./connection.ts";
import { gradientData, gradientNormOf, isSent, logprobsOf, scoringData, wireData, wireLossConfig } from "./data.ts";
import { mergeMetrics, recordedMetrics } from "./metrics.ts";
import { TinkerModel } from "./model.ts";
import { FrozenPlayer, noScores, type Shared, TinkerPlayer } from "./player.ts";
import { Sampler } from "./sampler.ts";

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
