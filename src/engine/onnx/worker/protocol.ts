// What the engine and its worker thread say to each other. Errors cross the boundary as data and are made whole again.
import { FileFormatError, RunStoppedError, SqlmError, UnsupportedError, UsageError } from "../../../errors.ts";
import type { Completion, Datum, LossFn } from "../../../types.ts";
import type {
  AdamParams,
  AdapterShape,
  Ask,
  EngineProgress,
  ForwardBackwardResult,
  LossConfig,
  OptimStepResult,
  Piece,
  SampleOptions,
} from "../../engine.ts";
import type { Followed } from "./follow.ts";
import type { ModelOptions } from "./open-model.ts";

export interface WorkerOptions extends ModelOptions {
  /** 0 lets the worker measure and choose. */
  readonly threads: number;
  /** The files beside the model's weights, by name. */
  readonly companions: ReadonlyMap<string, Uint8Array>;
}

/** A player of the worker, by the number that the worker gave it. */
export type PlayerId = number;

/** Calls that the worker answers, one at a time, in the order in which they come. */
export interface WorkerCalls {
  /** `seed` of a new adapter. */
  openPolicy(seed?: number): Promise<PlayerId>;
  freeze(policy: PlayerId): Promise<PlayerId>;
  /** Gives a player's memory back. */
  close(player: PlayerId): Promise<void>;
  sample(
    player: PlayerId,
    asks: readonly Ask[],
    options: SampleOptions,
    followed: Followed | null,
  ): Promise<Completion[][]>;
  score(player: PlayerId, sequences: readonly (readonly number[])[], first?: readonly number[]): Promise<number[][]>;
  forwardBackward(
    policy: PlayerId,
    data: readonly Datum[],
    lossFn: LossFn,
    lossConfig: LossConfig,
  ): Promise<ForwardBackwardResult>;
  optimStep(policy: PlayerId, adam: AdamParams): Promise<OptimStepResult>;
  save(policy: PlayerId, folder: string, options: { readonly optimizer: boolean }): Promise<void>;
  load(policy: PlayerId, folder: string, options: { readonly optimizer: boolean }): Promise<void>;
}

export interface WorkerRequest {
  readonly id: number;
  readonly method: keyof WorkerCalls;
  readonly args: readonly unknown[];
}

export interface ReadyReply {
  readonly type: "ready";
  readonly maxPositions: number;
  readonly parameters: number;
  readonly threads: number;
  readonly coarseSampling: boolean;
  readonly tellsTokens: boolean;
  readonly correctsForSampler: boolean;
  readonly adapter: AdapterShape | null;
  /** What trains and how weights are held, in words. */
  readonly weights: string;
}

export type WorkerReply =
  | ReadyReply
  | { readonly type: "progress"; readonly progress: EngineProgress }
  | { readonly type: "pieces"; readonly call: number; readonly pieces: readonly Piece[] }
  | { readonly type: "failed"; readonly error: ErrorData }
  | { readonly type: "result"; readonly id: number; readonly value: unknown }
  | { readonly type: "error"; readonly id: number; readonly error: ErrorData };

export interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly hint: string;
  readonly path: string | null;
  readonly stack: string | null;
}

export function errorToData(error: unknown): ErrorData {
  return {
    name: error instanceof Error ? error.name : "Error",
    message: error instanceof Error ? error.message : String(error),
    hint: error instanceof SqlmError ? error.hint : "",
    path: error instanceof FileFormatError ? error.path : null,
    stack: error instanceof Error ? (error.stack ?? null) : null,
  };
}

export function errorFromData({ name, message, hint, path, stack }: ErrorData): Error {
  const cause = { stack };
  switch (name) {
    case "FileFormatError":
      return new FileFormatError(path ?? "", message.replace(`${path}: `, ""), hint, { cause });
    case "UnsupportedError":
      return new UnsupportedError(message, hint, { cause });
    case "UsageError":
      return new UsageError(message, hint, { cause });
    case "RunStoppedError":
      return new RunStoppedError(message, hint, { cause });
    default:
      return new Error(message, { cause });
  }
}
