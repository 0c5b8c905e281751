// Scoring and training with an adapter beside frozen weights: sequences are cut into micro-batches in which what they share stands
// once, and go through the layers one at a time.
import type { Datum, LossFn } from "../../../types.ts";
import type { LossConfig } from "../../engine.ts";
import { correctForSampler, tokenKlPenalty, tokenLoss } from "../../losses.ts";
import { checkTokens } from "../check-request.ts";
import { float32Data, float32Tensor, type Tensor } from "../runtime/runtime.ts";
import type { SessionCache } from "../runtime/session-cache.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { Head, type HeadResult } from "./head.ts";
import { type AllWeights, LayerStack } from "./layer-stack.ts";
import { activationBudget, mostPassing, planMicroBatches, scoringWork, trainingWork } from "./memory.ts";
import { type PackedBatch, type Pick, packBatch } from "./packed-batch.ts";
import type { PackedPlan } from "./prefix-tree.ts";
import { planPacked, sizeOf } from "./shared-prefixes.ts";

type Sequences = readonly (readonly number[])[];
/** Called after each micro-batch with the tokens that are done, and their number in all. */
export type OnTokens = (done: number, total: number) => void;

/** Calls may not overlap. */
export class PackedRuns {
  readonly #layout: WeightLayout;
  readonly #layers: LayerStack;
  readonly #head: Head;

  readonly #budget: number;

  /** `budget` is what a micro-batch may take, in bytes. */
  constructor(layout: WeightLayout, sessions: SessionCache, budget = activationBudget(layout.config)) {
    this.#layout = layout;
    this.#budget = budget;
    this.#layers = new LayerStack(layout, sessions);
    this.#head = new Head(layout, sessions);
  }

  /** Gives memory back that only the next call needs again: it would fetch new pages for it, which takes a tenth of a short one. */
  release(): void {
    this.#layers.release();
    this.#head.release();
  }

  /** See `Player.score`. */
  async score(
    weights: AllWeights,
    sequences: Sequences,
    { first, onTokens }: { readonly first?: readonly number[] | undefined; readonly onTokens: OnTokens },
  ): Promise<number[][]> {
    const logprobs = sequences.map((tokens) => tokens.map(() => 0));
    const wanted = (index: number, token: number): boolean => token >= (first?.[index] ?? 0);
    const plans = this.#plans(sequences, wanted, scoringWork);
    for (const { batch } of this.#batches(sequences, wanted, plans, onTokens)) {
      const hidden = await this.#layers.forward(weights, batch);
      const asked = predictionsOf(batch.picks, sequences);
      const { logprobs: found } = await this.#headOf(weights, asked, hidden, false);
      unpack(asked.picks, found, logprobs);
    }
    return logprobs;
  }

  /** Adds to `gradients` of the adapter those of the loss, and returns it with the log-probabilities of trained tokens. */
  async forwardBackward(
    weights: AllWeights,
    gradients: ReadonlyMap<string, Tensor>,
    data: readonly Datum[],
    loss: { readonly lossFn: LossFn; readonly settings: Required<LossConfig> },
    onTokens: OnTokens,
  ): Promise<{ loss: number; logprobs: number[][] }> {
    const sequences = data.map(({ tokens }) => tokens);
    const logprobs = sequences.map((tokens) => tokens.map(() => 0));
    const trained = (index: number, token: number): boolean => data[index].weights[token] !== 0;
    let total = 0;
    const plans = this.#plans(sequences, trained, trainingWork);
    const memory = planMicroBatches(this.#layout, plans.map(sizeOf), this.#budget);
    this.#layers.releaseAbove(this.#budget - mostPassing(memory));
    for (const { batch, index } of this.#batches(sequences, trained, plans, onTokens)) {
      const forward = await this.#layers.forwardToTrain(weights, batch, memory[index].keptLayers);
      const asked = predictionsOf(batch.picks, sequences);
      const head = await this.#headOf(weights, asked, forward.last, true);
      unpack(asked.picks, head.logprobs, logprobs);
      const derivatives = new Float64Array(asked.predictions.length);
      for (const { index, column, prediction } of asked.picks) {
        const { value, derivative } = lossOf(data[index], column + 1, head.logprobs[prediction], loss);
        total += value;
        derivatives[prediction] += derivative;
      }
      const chosen = await head.backward!(Float32Array.from(derivatives));
      addRows(asked.predictions, chosen, float32Data(forward.gradients[0]).fill(0), this.#layout.config.hiddenSize);
      await this.#layers.backward(weights, gradients, batch, forward);
    }
    return { loss: total, logprobs };
  }

  #plans(
    sequences: Sequences,
    wanted: (index: number, token: number) => boolean,
    work: typeof trainingWork,
  ): PackedPlan[] {
    checkTokens(this.#layout.config, sequences);
    const strands = sequences.map((tokens, index) => {
      let length = tokens.length - 1;
      while (length > 0 && !wanted(index, length)) length -= 1;
      return { index, length: Math.max(0, length) };
    });
    return planPacked(sequences, strands, (size) => work(this.#layout, size, this.#budget));
  }

  *#batches(
    sequences: Sequences,
    wanted: (index: number, token: number) => boolean,
    plans: readonly PackedPlan[],
    onTokens: OnTokens,
  ): Generator<{ readonly batch: PackedBatch; readonly index: number }> {
    const total = sequences.reduce((sum, { length }) => sum + length, 0);
    const inPlan = ({ strands }: PackedPlan): number =>
      strands.reduce((sum, { index }) => sum + sequences[index].length, 0);
    // Sequences of which nothing is wanted are in no micro-batch.
    let done = total - plans.reduce((sum, plan) => sum + inPlan(plan), 0);
    for (const [index, plan] of plans.entries()) {
      yield { batch: packBatch(this.#layout.config, sequences, plan, wanted), index };
      done += inPlan(plan);
      onTokens(done, total);
    }
  }

  #headOf(weights: AllWeights, { predictions }: Asked, hidden: Tensor, train: boolean): Promise<HeadResult> {
    const width = this.#layout.config.hiddenSize;
    const from = float32Data(hidden);
    const chosen = new Float32Array(predictions.length * width);
    for (const [i, { row }] of predictions.entries()) {
      chosen.set(from.subarray(row * width, (row + 1) * width), i * width);
    }
    const targets = Int32Array.from(predictions, ({ target }) => target);
    return this.#head.logprobs(weights, float32Tensor([predictions.length, width], chosen), targets, train);
  }
}

/** A row, and the token whose log-probability is wanted of it. */
interface Prediction {
  readonly row: number;
  readonly target: number;
}

/** What the head is asked, each thing once, and for each pick which of it. */
interface Asked {
  readonly predictions: readonly Prediction[];
  readonly picks: readonly (Pick & { readonly prediction: number })[];
}

function predictionsOf(picks: readonly Pick[], sequences: Sequences): Asked {
  const predictions: Prediction[] = [];
  const known = new Map<string, number>();
  const numbered = picks.map((pick) => {
    const target = sequences[pick.index][pick.column + 1];
    const key = `${pick.row} ${target}`;
    const prediction = known.get(key) ?? predictions.push({ row: pick.row, target }) - 1;
    known.set(key, prediction);
    return { ...pick, prediction };
  });
  return { predictions, picks: numbered };
}

function unpack(picks: Asked["picks"], found: Float32Array, into: number[][]): void {
  for (const { index, column, prediction } of picks) into[index][column + 1] = found[prediction];
}

/** The loss of one token and its derivative by the log-probability, with the KL penalty where there is one. */
function lossOf(
  { logprobs, advantages, weights, referenceLogprobs }: Datum,
  token: number,
  logprob: number,
  { lossFn, settings }: { readonly lossFn: LossFn; readonly settings: Required<LossConfig> },
): { value: number; derivative: number } {
  const given = { logprob, oldLogprob: logprobs[token], advantage: advantages[token], weight: weights[token] };
  const input = correctForSampler(given, settings.importanceCap);
  const { value, derivative } = tokenLoss(lossFn, input, settings);
  if (settings.klPenaltyCoef === 0 || referenceLogprobs === undefined) return { value, derivative };
  const penalty = tokenKlPenalty(logprob, referenceLogprobs[token], input.weight, settings.klPenaltyCoef);
  return { value: value + penalty.value, derivative: derivative + penalty.derivative };
}

/** From gradients of predictions to those of rows: a row that predicts several tokens gets the sum. */
function addRows(picks: readonly Prediction[], chosen: Float32Array, into: Float32Array, width: number): void {
  for (const [i, { row }] of picks.entries()) {
    for (let j = 0; j < width; j++) into[row * width + j] += chosen[i * width + j];
  }
}
