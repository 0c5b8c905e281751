// The store contract: a run is a record. What `append` has returned from is durable; nothing recorded is ever lost or
// mixed up with what a killed run did after its last checkpoint.
import type { RunConfig } from "../config.ts";
import type { RunEvent, StepRecord } from "../events.ts";
import type { LevelResult, Question } from "../types.ts";

export interface RunInfo {
  readonly run: string;
  readonly config: RunConfig;
  /** ISO 8601 time at which the run was first started. */
  readonly created: string;
  readonly status: "running" | "finished" | "interrupted" | "stopped" | "crashed";
  readonly lastStep: number;
}

/** What the loop must know to go on from a checkpoint, beside weights and optimizer. Plain JSON. */
export interface LoopState {
  /** Steps done. */
  readonly step: number;
  /** Keys of all questions accepted so far, oldest first; what is in it is a duplicate. */
  readonly seenKeys: readonly string[];
  /** Questions of the latest steps, newest last, that a topic may show to the proposer. */
  readonly recent: readonly Question[];
  /** Frontier pass@1 of the best evaluation so far. */
  readonly best: { readonly step: number; readonly passAt1: number } | null;
}

export interface SavedCheckpoint {
  readonly step: number;
  /** Folder with the model in Hugging Face layout, optimizer state and loop state. */
  readonly folder: string;
  readonly state: LoopState;
}

/** The record of one run, open for appending by one process. */
export interface RunStore extends AsyncDisposable {
  readonly run: string;
  /** Records one event durably; a step is one transaction. */
  append(event: RunEvent): void;
  /**
   * Writes a checkpoint: `write` fills a temporary folder, which is then completed with the loop state and checksums,
   * flushed and renamed. Throws RunStoppedError before writing anything when the disk has too little room.
   */
  saveCheckpoint(state: LoopState, write: (folder: string) => Promise<void>): Promise<SavedCheckpoint>;
  /** The newest checkpoint that is whole, or null. Broken ones are skipped and reported as anomalies. */
  latestCheckpoint(): Promise<SavedCheckpoint | null>;
  /** Marks steps after `step` as superseded; called on resume before anything is appended. */
  rewindTo(step: number): void;
  /** Recorded steps in order, without superseded ones; `answers` may be left out where the caller does not need them. */
  steps(): Iterable<StepRecord>;
  evaluations(): readonly { readonly step: number; readonly levels: readonly LevelResult[] }[];
}

/** All runs of one workspace folder (`.sqlm/`). */
export interface Workspace extends AsyncDisposable {
  readonly folder: string;
  list(): readonly RunInfo[];
  /** Throws UsageError, naming the nearest run, when there is none of this name. */
  info(run: string): RunInfo;
  createRun(config: RunConfig): RunStore;
  /** Opens an existing run for appending. Throws UsageError when another process has it open. */
  openRun(run: string): RunStore;
}
