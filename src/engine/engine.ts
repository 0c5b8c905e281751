// The engine contract: token ids in, token ids out. It knows nothing of topics, questions or rewards.
// One contract suite (src/testing/engine-contract.ts) runs against every implementation.
import type { Completion, Datum, LossFn, Tokenizer } from "../types.ts";

/**
 * A prompt and what is wanted of it. Completion i draws from (seed, first + i, position) alone: neither the asks beside it
 * nor the completions before it change what comes. So `first` goes on with an ask where an earlier call ended: 4 completions,
 * then 4 more with `first: 4`, are the 8 that one call gives.
 */
export interface Ask {
  readonly promptTokens: readonly number[];
  /** Completions of the prompt. */
  readonly numSamples: number;
  /** Same seed, prompt, options and weights give the same tokens. */
  readonly seed: number;
  readonly first: number;
}

export interface SampleOptions {
  readonly maxTokens: number;
  /** 0 is greedy: the most likely token, lowest id first among equals. */
  readonly temperature: number;
  /** Keep the smallest set of most likely tokens whose probability reaches `topP` (after temperature); 1 keeps all. */
  readonly topP?: number;
  /** Keep the `topK` most likely tokens; 0 keeps all. */
  readonly topK?: number;
  /** Token ids that end a completion. The end token is part of `tokens`. */
  readonly stop: readonly number[];
}

/** Tokens that a completion goes on with. */
export interface Piece {
  /** Index of its ask in the call, and its own among those of the ask. */
  readonly ask: number;
  readonly sample: number;
  /** As many as log-probabilities; at least one. */
  readonly tokens: readonly number[];
  readonly logprobs: readonly number[];
}

/**
 * Follows a call of `sample`: told of every token before the call ends, those of one completion in their order, and never changes
 * one. Answers whether the completion goes on. One that need not ends as soon as the engine can end it, with at least the
 * tokens that were told, and no more of it is told; those beside it are as they would be. If the listener throws, the call rejects
 * with what was thrown.
 */
export type SampleListener = (piece: Piece) => boolean;

export interface LossConfig {
  /** Lower clip: the probability ratio is kept above 1 − clipLow (`ppo`, `cispo`). Default 0.2. */
  readonly clipLow?: number;
  /** Upper clip: the ratio is kept below 1 + clipHigh. Default 0.2. */
  readonly clipHigh?: number;
  /** Weight of the low-variance KL estimate exp(r) − r − 1, r = reference − policy logprob, added to the loss. Default 0. */
  readonly klPenaltyCoef?: number;
  /**
   * Above 0 the data are corrected for a sampler that is not quite this policy, as `correctForSampler` of losses.ts says, with the
   * log-probabilities of this very pass. Default 0. Only where `capabilities.correctsForSampler` is true.
   */
  readonly importanceCap?: number;
}

export interface ForwardBackwardResult {
  /** Log-probability of every token whose weight is not 0; others may be 0, entry 0 of each row is. Same shapes as the data. */
  readonly logprobs: readonly (readonly number[])[];
  /** At least `loss` (sum over tokens of weight × token loss); also `kl`, `clipFraction`, `tokens` where they apply. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface AdamParams {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Decoupled weight decay (AdamW), applied to matrices only. */
  readonly weightDecay: number;
  /** Global gradient norm is scaled down to this; 0 never clips. */
  readonly gradClipNorm: number;
}

export interface OptimStepResult {
  /** At least `step` (updates so far) and, where the engine knows it, `gradNorm` (before clipping). */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface EngineCapabilities {
  readonly name: string;
  readonly lossFunctions: readonly LossFn[];
  /** Longest sequence (prompt + completion) in tokens. */
  readonly maxSequenceTokens: number;
  readonly topP: boolean;
  readonly topK: boolean;
  readonly klPenalty: boolean;
  /** False where gradients are not clipped, whatever `gradClipNorm` says. */
  readonly gradientClip?: boolean;
  /**
   * Tokens are told as they are drawn, and a completion that need not go on ends. Without, a completion is told whole when it is
   * there, and ending it saves nothing.
   */
  readonly tellsTokens?: boolean;
  /** False where `score` has nothing to ask. */
  readonly scores?: boolean;
  /**
   * Sampling computes with coarser weights than training and scoring, so that log-probabilities of samples differ from those
   * of `score` by more than rounding.
   */
  readonly coarseSampling?: boolean;
  /** `forwardBackward` honours `importanceCap`, which saves the forward pass of scoring first. */
  readonly correctsForSampler?: boolean;
  /** The adapter that trains; absent where all weights do. */
  readonly adapter?: AdapterShape;
  /** What trains, where it is less than all weights, and how weights are held, in words for people. */
  readonly weights?: string;
  /** Threads in use, where their number can change the last digits of results: a run is recorded and resumed with it. */
  readonly threads?: number;
}

/** A low-rank adapter: W·x becomes W·x + (alpha / rank) · B·A·x for the linear layers that `targets` names. */
export interface AdapterShape {
  readonly rank: number;
  readonly alpha: number;
  /** For example `q_proj`. */
  readonly targets: readonly string[];
}

/** How far a call is that may take long. */
export interface EngineProgress {
  readonly stage: "loading" | "sampling" | "scoring" | "training" | "waiting";
  /** Of `total`: weights that are read, completions that are sampled, tokens that are scored or trained. */
  readonly done: number;
  readonly total: number;
  /** Tokens that this call has sampled, scored or trained so far; 0 while loading. */
  readonly tokens: number;
  /** Of sampling, where it is known: more tokens than this are not to come. */
  readonly mostLeft?: number;
  /** Of the stage `waiting`: for how long, for what, and why. */
  readonly waiting?: string;
}

/**
 * A model that can be sampled and scored: all that play and evaluation see. What it cannot honour it refuses with
 * UnsupportedError before any work; it never ignores an option. Calls are carried out in the order in which they were
 * made, awaited or not, also those on different players of one engine; one that is refused or fails stops no other. Disposed
 * of, it carries out the calls made before and rejects those that follow with SqlmError.
 */
export interface Player extends AsyncDisposable {
  readonly capabilities: EngineCapabilities;
  readonly tokenizer: Tokenizer;
  /** Completions as [ask][sample]. One that a listener ended has `length` as its reason, unless it had ended by itself. */
  sample(asks: readonly Ask[], options: SampleOptions, listener?: SampleListener): Promise<Completion[][]>;
  /**
   * Log-probability of every token given those before it; entry 0 of each row is 0. `first`: of each sequence the entry from
   * which on they are wanted. Those before it may be 0, for an engine need not compute them.
   */
  score(sequences: readonly (readonly number[])[], first?: readonly number[]): Promise<number[][]>;
}

/** A player that learns: weights, the gradient accumulated so far and the state of its optimizer. */
export interface Policy extends Player {
  /** Adds the gradient of `loss` over `data` to the accumulated gradient. */
  forwardBackward(data: readonly Datum[], loss: LossFn, lossConfig?: LossConfig): Promise<ForwardBackwardResult>;
  /** One AdamW update with the accumulated gradient, which it clears. Throws RunStoppedError on a NaN or infinite gradient. */
  optimStep(adam: AdamParams): Promise<OptimStepResult>;
  /** Writes the model in Hugging Face layout into an existing empty folder; with `optimizer`, its state too. */
  save(folder: string, options: { readonly optimizer: boolean }): Promise<void>;
  /**
   * Loads weights that `save` wrote for a model of the same shape, with `optimizer` its state too, without it a fresh one,
   * and drops the accumulated gradient. Throws FileFormatError and changes nothing where the folder does not hold them whole.
   */
  load(folder: string, options: { readonly optimizer: boolean }): Promise<void>;
  /** A player with the weights as they are now, which no later call on this policy changes, not even its disposal. */
  freeze(): Promise<Player>;
}

export interface PolicyOptions {
  /** Seed of a new adapter's random numbers; that of the engine where left out. Where nothing new is drawn it changes nothing. */
  readonly seed?: number | undefined;
}

/** A model ready to be used. Disposed of, it ends all of its policies and players at once. */
export interface Engine extends AsyncDisposable {
  readonly capabilities: EngineCapabilities;
  readonly tokenizer: Tokenizer;
  /** A policy that begins with the model's own weights and a fresh optimizer, and learns apart from every other. */
  openPolicy(options?: PolicyOptions): Promise<Policy>;
  /**
   * Of an engine that computes elsewhere: begins anew there after a RunStoppedError whose `stateLost` is true. Policies and players that
   * were open are over; what was saved can be loaded into new ones. Throws RunStoppedError where that cannot be done either.
   */
  renew?(): Promise<void>;
}
