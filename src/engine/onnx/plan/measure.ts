// How fast this machine computes a model: the engine itself is timed on one or two of its layers and a part of its vocabulary, and what
// the whole would take follows, since time is a sum over layers and over the vocabulary's rows. It leaves out what a step consists
// of (plan-step.ts). Takes seconds, no weights are read.
import { freshAdapter } from "../../../model/lora.ts";
import type { ModelConfig } from "../../../model/model-config.ts";
import { parameterCount } from "../../../model/model-config.ts";
import type { Datum } from "../../../types.ts";
import type { ChosenModel } from "../worker/open-model.ts";
import { createPlayers } from "../worker/players.ts";
import { patternWeights } from "./pattern-weights.ts";

/** What is timed. */
export interface MeasuredShape {
  /** Rows that are sampled at a time, and what each of them attends to at the middle of its completion. */
  readonly rows: number;
  readonly context: number;
  readonly threads: number;
}

/** Seconds of the whole model. */
export interface MeasuredRates {
  /** A step of sampling: fixed, and for each row. */
  readonly step: number;
  readonly stepOfRow: number;
  /** A row through the layers, and a token's log-probability behind them, without and with a gradient. */
  readonly scoreRow: number;
  readonly scoreToken: number;
  readonly trainRow: number;
  readonly trainToken: number;
}

/** Models with no more parameters are timed whole. */
const smallModel = 4e6;
const fewRows = 8;
const [shortSample, longSample] = [5, 15];
const [trainedPrompt, trainedAnswer, trainedAnswers] = [64, 64, 6];
const [smallVocabulary, largeVocabulary] = [2048, 12_288];
const rounds = 2;

/** Seconds of one model's calls. */
interface Timings {
  readonly fewSteps: number;
  readonly manySteps: number;
  readonly score: number;
  readonly train: number;
}
type Timing = keyof Timings;

/** Times a model that is opened as `chosen` says. */
export async function measureRates(chosen: ChosenModel, shape: MeasuredShape): Promise<MeasuredRates> {
  const { config } = chosen.layout;
  const whole = parameterCount(config) <= smallModel;
  const vocabularies = [smallVocabulary, largeVocabulary].map((size) => Math.min(size, config.vocabSize));
  const [vocabSize, larger] = whole ? [config.vocabSize, config.vocabSize] : vocabularies;
  const reduced = (layers: number, size: number): Promise<Timings> =>
    timeModel(chosen, { ...config, layers, vocabSize: size }, shape);
  const one = await reduced(whole ? config.layers : 1, vocabSize);
  const two = whole ? one : await reduced(2, vocabSize);
  const wide = larger === vocabSize ? one : await reduced(1, larger);
  // Noise may turn a small difference around.
  const layer = (timing: Timing): number => Math.max(0, two[timing] - one[timing]);
  const word = (timing: Timing): number => Math.max(0, (wide[timing] - one[timing]) / Math.max(1, larger - vocabSize));
  const layers = (timing: Timing): number => (whole ? one[timing] : layer(timing) * config.layers);
  /** What is not the layers': the head, and what a call takes by itself. */
  const rest = (timing: Timing): number =>
    whole ? 0 : Math.max(0, one[timing] - layer(timing)) + word(timing) * (config.vocabSize - vocabSize);
  const all = (timing: Timing): number => layers(timing) + rest(timing);
  const steps = longSample - shortSample;
  // What sequences share is computed once where an adapter trains.
  const prompts = chosen.layout.lora === null ? trainedAnswers : 1;
  const rows = trainedPrompt * prompts + trainedAnswer * trainedAnswers;
  const tokens = trainedAnswer * trainedAnswers;
  const stepOfRow = Math.max(0, (all("manySteps") - all("fewSteps")) / steps / Math.max(1, shape.rows - fewRows));
  return {
    step: Math.max(0, all("fewSteps") / steps - fewRows * stepOfRow),
    stepOfRow,
    scoreRow: layers("score") / rows,
    scoreToken: rest("score") / tokens,
    trainRow: layers("train") / rows,
    trainToken: rest("train") / tokens,
  };
}

async function timeModel(
  chosen: ChosenModel,
  config: ModelConfig,
  { rows, context, threads }: MeasuredShape,
): Promise<Timings> {
  const layout = { ...chosen.layout, config };
  const { lora } = layout;
  const adapter = lora === null ? null : freshAdapter(config, lora, 1);
  // An adapter whose B is zero is left out.
  for (const [name, { data }] of adapter ?? []) if (name.includes("lora_B")) data.fill(1e-3);
  const folder = { ...chosen.folder, config };
  const players = createPlayers(
    { folder, layout, adapter, drawn: false, openWeights: () => patternWeights(config) },
    threads,
  );
  const policy = await players.openPolicy();
  const token = (i: number): number => (i * 7919) % config.vocabSize;
  const sequence = (length: number, from: number): number[] => Array.from({ length }, (_, i) => token(from + i));
  const prompt = sequence(Math.max(1, context), 0);
  const sample = async (count: number, maxTokens: number): Promise<number> => {
    const asks = [{ promptTokens: prompt, numSamples: count, seed: 1, first: 0 }];
    return secondsOf(() => players.sample(policy, asks, { maxTokens, temperature: 1, stop: [] }, null));
  };
  const data = Array.from({ length: trainedAnswers }, (_, i): Datum => {
    const tokens = [...sequence(trainedPrompt, 0), ...sequence(trainedAnswer, 1000 * (i + 1))];
    const weights = tokens.map((_, t) => (t < trainedPrompt ? 0 : 1e-3));
    return { tokens, weights, logprobs: tokens.map(() => -1), advantages: weights };
  });
  const sequences = data.map(({ tokens }) => tokens);
  const best = {
    fewShort: Infinity,
    fewLong: Infinity,
    manyShort: Infinity,
    manyLong: Infinity,
    score: Infinity,
    train: Infinity,
  };
  const work: Record<keyof typeof best, () => Promise<number>> = {
    fewShort: () => sample(Math.min(rows, fewRows), shortSample),
    fewLong: () => sample(Math.min(rows, fewRows), longSample),
    manyShort: () => sample(rows, shortSample),
    manyLong: () => sample(rows, longSample),
    score: () => secondsOf(() => players.score(policy, sequences)),
    train: () => secondsOf(() => players.forwardBackward(policy, data, "importance_sampling", {})),
  };
  for (let round = 0; round <= rounds; round++) {
    for (const name of Object.keys(best) as (keyof typeof best)[]) {
      const seconds = await work[name]();
      // The first round makes sessions.
      if (round > 0) best[name] = Math.min(best[name], seconds);
    }
  }
  await players.dispose();
  return {
    fewSteps: Math.max(0, best.fewLong - best.fewShort),
    manySteps: Math.max(0, best.manyLong - best.manyShort),
    score: best.score,
    train: best.train,
  };
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
