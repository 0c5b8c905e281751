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

/** SHA-256 of the files that a run was made from, by their path below the topic file's folder and the model's. */
export interface RunSources {
  /** The topic file and the local files that it names; empty for a topic of the package. */
  readonly topic: Readonly<Record<string, string>>;
  readonly model: Readonly<Record<string, string>>;
}

/** What is recorded of a new run beside its config. */
export interface RunOrigin {
  /** Which of an experiment's it is. */
  readonly trial?: RunTrial | undefined;
  /** Made of topic, time and seed where not given. */
  readonly name?: string | undefined;
  readonly sources?: RunSources | undefined;
}

/** What may be changed of a run that was made; `note` says so in its record. */
export interface RunAmendment {
  readonly steps?: number;
  readonly sources?: RunSources;
  /** Step of the checkpoint that the run goes on from: a note of a later one is superseded with it. */
  readonly step: number;
  readonly kind: string;
  readonly note: string;
}

export interface RunInfo {
  readonly run: string;
  /** Read when it is asked for. Throws FileFormatError where another version recorded settings that this one does not know. */
  readonly config: RunConfig;
  /** Null for a run that no experiment made. */
  readonly trial: RunTrial | null;
  /** Null for a run that was made without (by an older version, or as a library). */
  readonly sources: RunSources | null;
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
  /** For how many steps in a row something has been missing, by what; none where left out. */
  readonly lacking?: Readonly<Record<string, number>>;
  /** What parts of the loop remember, by name; each reads its own back as it wrote it. Plain JSON. */
  readonly memory?: Readonly<Record<string, unknown>>;
  /** Step of a checkpoint that must not be removed: the one to come back to. */
  readonly keep?: number;
  /** Frontier pass@1 of the best evaluation so far. */
  readonly best: { readonly step: number; readonly passAt1: number } | null;
}

export interface SavedCheckpoint {
  readonly step: number;
  /** Folder with the model in Hugging Face layout, optimizer state and loop state. */
  readonly folder: string;
  readonly state: LoopState;
}

/** Fills the folder of a checkpoint; `makeFolder` makes one of that name within it and gives its path. */
export type WriteCheckpoint = (folder: string, makeFolder: (name: string) => Promise<string>) => Promise<void>;

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
   * Writes a checkpoint: `write` fills a temporary folder, in which it may make others by name; the folder is then completed
   * with the loop state and checksums, flushed and renamed. Throws RunStoppedError before writing anything when the disk has too little room, and when it
   * fills up on the way; the checkpoints before are whole then. Keeps the newest `keepCheckpoints`, the best, and the one that the state says.
   * It records the `checkpoint-saved` event itself; appending that event again changes nothing.
   */
  saveCheckpoint(state: LoopState, write: WriteCheckpoint): Promise<SavedCheckpoint>;
  /**
   * The newest checkpoint that is whole, or null. Broken ones are skipped, recorded as anomalies, and `report` is told of
   * each in a sentence. Throws FileFormatError for a whole checkpoint of another run or another model: someone put it there.
   */
  latestCheckpoint(report?: (problem: string) => void): Promise<SavedCheckpoint | null>;
  /** The checkpoint of a step, verified; null where there is none. Throws FileFormatError where it is not whole. */
  checkpointOf(step: number): Promise<SavedCheckpoint | null>;
  /** Throws RunStoppedError when the disk has too little room for the next checkpoint. */
  requireSpace(): Promise<void>;
  /** Changes what is recorded of the run, and notes it as an anomaly. */
  amend(change: RunAmendment): void;
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
  /**
   * The run of this name, of the only name that begins so, or the newest for `latest`. Throws UsageError, naming the nearest,
   * when there is none.
   */
  info(run: string): RunInfo;
  /** Makes a run and opens it. Throws UsageError for a name that is taken or cannot be one. */
  createRun(config: RunConfig, origin?: RunOrigin): RunStore;
  /** Throws UsageError when the disk has too little room for the first checkpoint of a run of these settings. */
  requireSpace(config: RunConfig): Promise<void>;
  /** Opens an existing run, named as for `info`, for appending. Throws UsageError when another process has it open. */
  openRun(run: string): RunStore;
}
