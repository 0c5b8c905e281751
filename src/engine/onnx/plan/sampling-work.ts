// What a call of sampling will run, found by letting the real scheduler begin, put back and end rows without computing anything.
import type { SampledWork } from "../../work.ts";
import { tellsTokens } from "../generate/sampler.ts";
import { type Sequence, sequencesOf } from "../generate/sequences.ts";
import { generate } from "../generate/stepped/generation.ts";
import { cacheLimits, generationLimits, mostRows } from "../generate/stepped/limits.ts";
import { RowCaches } from "../generate/stepped/row-caches.ts";
import { blockSize } from "../generate/stepped/step-attention.ts";
import type { StepResult, StepTokens } from "../generate/stepped/step-session.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { promptsOf, replyLengths } from "./planned-sequences.ts";

/** Runs of a model, and what they compute. */
export interface SamplingWork {
  /** Runs that draw tokens, rows of all of them, and places of earlier keys that those read. */
  readonly steps: number;
  readonly rows: number;
  readonly places: number;
  /** Positions of prompts. */
  readonly promptPositions: number;
}

/** The smallest model there is: keys and values of a single number. */
const toy = { layers: 1, keyValueHeads: 1, headSize: 1 };

/**
 * Of replies that are `share` as long as they may be, on average. Replies that draw the same tokens are computed once; here all of
 * them differ from their first token on, so that it is the most that lengths like these take.
 */
export async function samplingWork(layout: WeightLayout, work: SampledWork, share: number): Promise<SamplingWork> {
  if (!tellsTokens(layout)) return loopedWork(work);
  const { config } = layout;
  const lengths = replyLengths(work, share);
  const asks = promptsOf(work).map((promptTokens) => ({
    promptTokens,
    numSamples: Math.ceil(work.samplesOfPrompt),
    seed: 1,
    first: 0,
  }));
  const sequences = asks.flatMap(sequencesOf);
  const ends = new Map(sequences.map((sequence, i) => [keyOf(sequence), lengths[i]]));
  const drawn = new Map<string, number>();
  const sum = { steps: 0, rows: 0, places: 0, promptPositions: 0 };
  const limits = generationLimits(config);
  const settings = { maxTokens: work.maxTokens, temperature: 1, stop: [] };
  const run = (_: unknown, step: StepTokens): Promise<StepResult> => Promise.resolve(count(step, sum));
  using caches = new CountedRows({ ...config, ...toy }, sequences, run, cacheLimits(sequences, settings, limits));
  caches.onBegin = (sequence) => drawn.set(keyOf(sequence), 0);
  const isEnough = (ask: number, sample: number): boolean => {
    const key = keyOf({ ask, sample });
    const tokens = (drawn.get(key) ?? 0) + 1;
    drawn.set(key, tokens);
    return tokens >= (ends.get(key) ?? 0);
  };
  const watch = { tell: () => undefined, isEnough };
  await generate({ caches, sequences, settings, limits, watch, onProgress: () => undefined });
  return sum;
}

/** Tells which sequences begin, also those that begin again. */
class CountedRows extends RowCaches {
  onBegin: (sequence: Sequence) => void = () => undefined;

  override begin(sequences: readonly Sequence[]) {
    for (const sequence of sequences) this.onBegin(sequence);
    return super.begin(sequences);
  }
}

const keyOf = ({ ask, sample }: Pick<Sequence, "ask" | "sample">): string => `${ask} ${sample}`;

/** A step that computes nothing: draws of one row differ. */
function count(
  { rows, tokens, sizes, draws }: StepTokens,
  sum: { -readonly [Key in keyof SamplingWork]: number },
): StepResult {
  if (draws.length === 0) sum.promptPositions += tokens.length;
  else {
    sum.steps += 1;
    sum.rows += rows.length;
    // Blocks that rows share are read once for all of them.
    const chunks = rows.flatMap((row) => row.chunks);
    const own = chunks.reduce((places, chunk) => places + (chunk.pool === "own" ? chunk.places : 0), 0);
    sum.places += own + (sizes.shared - 1) * blockSize;
  }
  return {
    states: new Float32Array(2 * tokens.length),
    next: draws.map((_, i) => i),
    logprobs: new Float32Array(draws.length),
  };
}

/** The sampler of small models goes on with all of its rows until the last has ended. */
function loopedWork(work: SampledWork): SamplingWork {
  const { promptTokens, maxTokens, prompts } = work;
  const completions = prompts * work.samplesOfPrompt;
  const steps = Math.ceil(completions / mostRows) * maxTokens;
  const rows = completions * maxTokens;
  return { steps, rows, places: rows * (promptTokens + maxTokens / 2), promptPositions: prompts * promptTokens };
}
