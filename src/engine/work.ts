// What a step of self-play asks of an engine, in numbers, and what an engine says that it will take: how `sqlm plan` and a run
// see a step before it runs. Lengths are the longest that replies may have, in tokens. Pure.

/** Completions of some prompts that are sampled in one call. */
export interface SampledWork {
  readonly stage: "propose" | "paraphrase" | "solve";
  readonly prompts: number;
  /** Tokens of a prompt, and those at its beginning that all prompts share. */
  readonly promptTokens: number;
  readonly sharedTokens: number;
  readonly samplesOfPrompt: number;
  /** Tokens of a completion. */
  readonly maxTokens: number;
}

export interface StepWork {
  readonly sampled: readonly SampledWork[];
  /** What is learned from: completions with their prompts, and the share of steps that do so. */
  readonly trained: readonly (SampledWork & { readonly share: number })[];
  /** Updates that these are split over. */
  readonly updates: number;
  /** Passes without a gradient over all that is trained: under a reference, … */
  readonly referencePasses: number;
  /** … and to correct for a coarser sampler: always, never, or where the engine samples with coarser weights. */
  readonly correction: "always" | "never" | "coarse";
  /** Policies that learn, each with an optimizer, and players that keep the weights of the start. */
  readonly policies: number;
  readonly frozenPlayers: number;
}

/** A part of an engine's memory, for people: what it is and how much. */
export interface MemoryPart {
  readonly part: string;
  readonly bytes: number;
  readonly about: string;
}

/** What a stage of a step takes. */
export interface StageTime {
  readonly stage: SampledWork["stage"] | "score" | "learn";
  /** Tokens that are sampled, scored or trained, each answer's own alone. */
  readonly tokens: number;
  readonly seconds: number;
}

/** What an engine would take for a step: nothing is loaded yet. */
export interface EnginePlan {
  readonly parameters: number;
  /** Longest sequence (prompt + completion) in tokens. */
  readonly maxSequenceTokens: number;
  /** What trains and how weights are held, in words. */
  readonly weights: string;
  /** All parts that are in memory when a step needs most; they add up to the peak of the process. */
  readonly memory: readonly MemoryPart[];
  /** Bytes that this process could take when the plan was made. */
  readonly availableBytes: number;
  /** What a micro-batch of training may take; a run is recorded and resumed with it. 0 where the engine cuts them by tokens alone. */
  readonly activationBytes: number;
  /** Where replies are as long as they may be; null where nothing was measured. */
  readonly time: readonly StageTime[] | null;
  /** Where they are half as long on average, from one token to the most. */
  readonly timeAtHalf: readonly StageTime[] | null;
}

/** Bytes of all parts. */
export function peakBytes({ memory }: Pick<EnginePlan, "memory">): number {
  return memory.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Completions of a call. */
export const completionsOf = ({ prompts, samplesOfPrompt }: SampledWork): number => prompts * samplesOfPrompt;
