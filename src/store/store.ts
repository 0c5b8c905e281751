// The store contract: a run is a record. What `append` has returned from is durable; nothing recorded is ever lost or
// mixed up with what a killed run did after its last checkpoint.
import type { RunConfig } from "../config/config.ts";
import type { RunEvent } from "../events.ts";
import type { Question } from "../types.ts";

/** What makes a run one of an experiment's: everything about it that its config does not say. */
export interface RunTrial {
  readonly experiment: string;
  readonly variant: string;
  /**
   * Name of the control that changed what the loop was told, for example `oracle`, whose rewards know the truth; null
   * for self-play as it is.
   */
  readonly control: string | null;
}

export interface RunInfo {
  readonly run: string;
  readonly config: RunConfig;
  /** Null for a run that no experiment made. */
  readonly trial: RunTrial | null;
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
  /** As the run was made: a run goes on under the control that it began under. */
  readonly trial: RunTrial | null;
  /**
   * Records one event durably; a step is one transaction, and steps come in order, each once. An evaluation replaces an
   * earlier one of the same step. Throws RunStoppedError when the disk is full: what was recorded before is whole.
   */
  append(event: RunEvent): void;
  /**
   * Writes a checkpoint: `write` fills a temporary folder, which is then completed with the loop state and checksums,
   * flushed and renamed. Throws RunStoppedError before writing anything when the disk has too little room, and when it
   * fills up on the way; the checkpoints before are whole then. Keeps the newest `keepCheckpoints` and the best.
   * It records the `checkpoint-saved` event itself; appending that event again changes nothing.
   */
  saveCheckpoint(state: LoopState, write: (folder: string) => Promise<void>): Promise<SavedCheckpoint>;
  /**
   * The newest checkpoint that is whole, or null. Broken ones are skipped and reported as anomalies. Throws
   * FileFormatError for a whole checkpoint of another run or another model: someone put it there.
   */
  latestCheckpoint(): Promise<SavedCheckpoint | null>;
  /**
   * Marks everything after `step` as superseded: kept for the record, in no query. Called on resume, with the step of the
   * latest checkpoint (0 where there is none), before anything is appended.
   */
  rewindTo(step: number): void;
}

/** All runs of one workspace folder (`.sqlm/`). */
export interface Workspace extends AsyncDisposable {
  readonly folder: string;
  list(): readonly RunInfo[];
  /** Throws UsageError, naming the nearest run, when there is none of this name. */
  info(run: string): RunInfo;
  /** Makes a run and opens it. `trial` says which of an experiment's it is. */
  createRun(config: RunConfig, trial?: RunTrial): RunStore;
  /** Opens an existing run for appending. Throws UsageError when another process has it open. */
  openRun(run: string): RunStore;
}
