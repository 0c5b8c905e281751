// How fast this machine computes a model: the engine itself is timed on one and three of its layers and a part of its vocabulary, and what
// the whole would take follows, since time is a sum over layers and over the vocabulary's rows. Lengths are those of the step that is
// planned, as far as that takes seconds. It leaves out what a step consists of (plan-step.ts). No weights are read.
import { freshAdapter } from "../../../model/lora.ts";
import type { ModelConfig } from "../../../model/model-config.ts";
import { parameterCount } from "../../../model/model-config.ts";
import type { Datum } from "../../../types.ts";
import type { Ask } from "../../engine.ts";
import { ownWork } from "../train/memory.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import type { ChosenModel } from "../worker/open-model.ts";
import { createPlayers, type Players } from "../worker/players.ts";
import { patternWeights } from "./pattern-weights.ts";

/** What is timed. */
export interface MeasuredShape {
  /** Rows that are sampled at a time, at most. */
  readonly rows: number;
  /** Of the sequences that train: tokens of a prompt and of a reply. */
  readonly promptTokens: number;
  readonly replyTokens: number;
  readonly threads: number;
}

/** Seconds of the whole model. */
export interface MeasuredRates {
  /** A step of sampling: fixed, for each row, and for each place of its own earlier keys that a row reads. */
  readonly step: number;
  readonly stepOfRow: number;
  readonly stepOfPlace: number;
  /** A position of a prompt that is sampled behind. */
  readonly promptPosition: number;
  /** A row through the layers, and a token's log-probability behind them, without and with a gradient. */
  readonly scoreRow: number;
  readonly scoreToken: number;
  readonly trainRow: number;
  readonly trainToken: number;
}

/** Models with no more parameters are timed whole. */
const smallModel = 4e6;
const manyLayers = 3;
const [smallVocabulary, largeVocabulary] = [2048, 24_576];
const fewRows = 8;
const [fewSteps, moreSteps, mostSteps] = [4, 16, 96];
const [shortPrompt, longPrompt, longPrompts] = [33, 129, 4];
/** Rows of the micro-batch that is timed, about, and replies of it at most. */
const [trainedRows, trainedReplies] = [700, 8];
const rounds = 4;

/** Seconds. */
interface TimedShape extends MeasuredShape {
  /** Whether to time how a step grows with what has been drawn: it takes longest. */
  readonly long: boolean;
}

export interface Timings {
  /** Of a step with few rows, and with as many as there will be. */
  readonly fewRows: number;
  readonly manyRows: number;
  /** What a step of many rows takes more for each token that every row has drawn. */
  readonly perToken: number;
  readonly promptPosition: number;
  readonly score: number;
  readonly train: number;
}
type Timing = keyof Timings;

/** Times a model that is opened as `chosen` says. */
export async function measureRates(chosen: ChosenModel, shape: MeasuredShape): Promise<MeasuredRates> {
  const { layout } = chosen;
  const { config } = layout;
  const time = (layers: number, vocabSize: number, long: boolean): Promise<Timings> =>
    timeModel(chosen, { ...config, layers, vocabSize }, { ...shape, long });
  if (parameterCount(config) <= smallModel) {
    const timings = await time(config.layers, config.vocabSize, true);
    return ratesFrom(layout, shape, {
      layers: timings,
      rest: noTime,
      perToken: timings.perToken,
    });
  }
  const [small, large] = [smallVocabulary, largeVocabulary].map((size) => Math.min(size, config.vocabSize));
  const one = await time(1, small, false);
  const many = await time(manyLayers, small, true);
  const wide = large === small ? one : await time(1, large, false);
  return ratesFrom(layout, shape, extrapolate(config, { one, many, wide, small, large }));
}

/** Timings of one and of `manyLayers` layers with a small vocabulary, and of one with a large vocabulary. */
export interface PartTimings {
  readonly one: Timings;
  readonly many: Timings;
  readonly wide: Timings;
  readonly small: number;
  readonly large: number;
}

/** Timings of a whole model: of its layers, and of the head with what a call takes by itself. */
interface WholeTimings {
  readonly layers: Timings;
  readonly rest: Timings;
  readonly perToken: number;
}

/** From parts of a model to the whole. Pure. */
export function extrapolate(
  { layers, vocabSize }: Pick<ModelConfig, "layers" | "vocabSize">,
  { one, many, wide, small, large }: PartTimings,
): WholeTimings {
  // Noise may turn a small difference around.
  const layerOf = (timing: Timing): number => Math.max(0, many[timing] - one[timing]) / (manyLayers - 1);
  const wordOf = (timing: Timing): number => Math.max(0, wide[timing] - one[timing]) / Math.max(1, large - small);
  return {
    layers: eachTiming((timing) => layers * layerOf(timing)),
    rest: eachTiming((timing) => Math.max(0, one[timing] - layerOf(timing)) + wordOf(timing) * (vocabSize - small)),
    // Only layers read earlier keys.
    perToken: (many.perToken * layers) / manyLayers,
  };
}

/** Seconds of single rows, steps and tokens. Pure. */
export function ratesFrom(
  layout: WeightLayout,
  shape: MeasuredShape,
  { layers, rest, perToken }: WholeTimings,
): MeasuredRates {
  const all = (timing: Timing): number => layers[timing] + rest[timing];
  const few = Math.min(shape.rows, fewRows);
  const stepOfRow = shape.rows === few ? 0 : Math.max(0, all("manyRows") - all("fewRows")) / (shape.rows - few);
  const { rows, tokens } = trainedSize(layout, shape);
  return {
    step: Math.max(0, all("fewRows") - few * stepOfRow),
    stepOfRow,
    stepOfPlace: perToken / shape.rows,
    promptPosition: layers.promptPosition,
    scoreRow: layers.score / rows,
    scoreToken: rest.score / tokens,
    trainRow: layers.train / rows,
    trainToken: rest.train / tokens,
  };
}

function eachTiming(of: (timing: Timing) => number): Timings {
  return {
    fewRows: of("fewRows"),
    manyRows: of("manyRows"),
    perToken: of("perToken"),
    promptPosition: of("promptPosition"),
    score: of("score"),
    train: of("train"),
  };
}

const noTime = eachTiming(() => 0);

/** Rows of the micro-batch that is timed, with what it costs beside them, and tokens that are predicted in it. */
export function trainedSize(
  layout: WeightLayout,
  shape: MeasuredShape,
): { readonly rows: number; readonly tokens: number } {
  const { promptTokens, replyTokens } = shape;
  const replies = repliesOf(shape);
  // What sequences share is computed once where an adapter trains.
  const prompts = layout.lora === null ? replies : 1;
  const beside = layout.lora === null ? 0 : ownWork(layout);
  return { rows: promptTokens * prompts + replyTokens * replies + beside, tokens: replyTokens * replies };
}

function repliesOf({ promptTokens, replyTokens }: MeasuredShape): number {
  return Math.min(trainedReplies, Math.max(1, Math.floor((trainedRows - promptTokens) / replyTokens)));
}

async function timeModel(chosen: ChosenModel, config: ModelConfig, shape: TimedShape): Promise<Timings> {
  const layout = { ...chosen.layout, config };
  const { lora } = layout;
  const adapter = lora === null ? null : freshAdapter(config, lora, 1);
  // An adapter whose B is zero is left out.
  for (const [name, { data }] of adapter ?? []) if (name.includes("lora_B")) data.fill(1e-3);
  const folder = { ...chosen.folder, config };
  const players = createPlayers(
    { folder, layout, adapter, drawn: false, openWeights: () => patternWeights(config) },
    shape.threads,
  );
  try {
    return await timePlayers(players, config, shape);
  } finally {
    await players.dispose();
  }
}

async function timePlayers(players: Players, config: ModelConfig, shape: TimedShape): Promise<Timings> {
  const policy = await players.openPolicy();
  const tokensFrom = (length: number, from: number): number[] =>
    Array.from({ length }, (_, i) => ((from + i) * 7919) % config.vocabSize);
  const room = config.maxPositions;
  const [few, more, most] = [fewSteps, moreSteps, mostSteps].map((steps) =>
    Math.max(1, Math.min(steps, room - shortPrompt)),
  );
  const sample = (asks: readonly Ask[], maxTokens: number) => (): Promise<unknown> =>
    players.sample(policy, asks, { maxTokens, temperature: 1, stop: [] }, null);
  const alike = (rows: number): Ask[] => [
    { promptTokens: tokensFrom(Math.min(shortPrompt, room - few), 0), numSamples: rows, seed: 1, first: 0 },
  ];
  const apart = (length: number): Ask[] =>
    Array.from({ length: longPrompts }, (_, i) => ({
      promptTokens: tokensFrom(Math.min(length, room - 1), 1000 * i),
      numSamples: 1,
      seed: 1,
      first: 0,
    }));
  const data = trainedData(tokensFrom, shape);
  const sequences = data.map(({ tokens }) => tokens);
  const work = {
    fewShort: sample(alike(Math.min(shape.rows, fewRows)), few),
    fewLong: sample(alike(Math.min(shape.rows, fewRows)), more),
    manyShort: sample(alike(shape.rows), few),
    manyLong: sample(alike(shape.rows), more),
    manyLongest: sample(alike(shape.rows), most),
    promptsShort: sample(apart(shortPrompt), 1),
    promptsLong: sample(apart(longPrompt), 1),
    score: () => players.score(policy, sequences),
    train: () => players.forwardBackward(policy, data, "cross_entropy", {}),
  };
  type Work = keyof typeof work;
  const names = Object.keys(work) as Work[];
  const best = Object.fromEntries(names.map((name) => [name, Number.POSITIVE_INFINITY])) as Record<Work, number>;
  // Sessions are made before anything counts.
  for (const name of ["fewShort", "score", "train"] as const) await work[name]();
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      if (name !== "manyLongest") best[name] = Math.min(best[name], await secondsOf(work[name]));
    }
  }
  if (shape.long) best.manyLongest = await secondsOf(work.manyLongest);
  const perStep = (longer: Work, shorter: Work, steps: number): number =>
    Math.max(0, best[longer] - best[shorter]) / Math.max(1, steps);
  const manyRows = perStep("manyLong", "manyShort", more - few);
  const manyRowsLater = shape.long ? perStep("manyLongest", "manyLong", most - more) : manyRows;
  return {
    fewRows: perStep("fewLong", "fewShort", more - few),
    manyRows,
    // Between the middles of the two stretches that were timed.
    perToken: Math.max(0, manyRowsLater - manyRows) / Math.max(1, (most - few) / 2),
    promptPosition: perStep("promptsLong", "promptsShort", longPrompts * (longPrompt - shortPrompt)),
    score: best.score,
    train: best.train,
  };
}

/**
 * Replies to one prompt, all of which train. Gradients must be of ordinary size: random weights find these tokens so unlikely that a loss
 * with a ratio of probabilities would give some for which the processor takes several times as long.
 */
function trainedData(tokensFrom: (length: number, from: number) => number[], shape: MeasuredShape): Datum[] {
  const { promptTokens, replyTokens } = shape;
  return Array.from({ length: repliesOf(shape) }, (_, i): Datum => {
    const tokens = [...tokensFrom(promptTokens, 0), ...tokensFrom(replyTokens, 1000 * (i + 1))];
    const weights = tokens.map((_, t) => (t < promptTokens ? 0 : 1e-2));
    return { tokens, weights, logprobs: tokens.map(() => -1), advantages: weights };
  });
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
