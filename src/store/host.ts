// What a store asks of the machine that it runs on: the time and room on the disk. Tests put their own in its place.
import { statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import type { RunConfig } from "../config/config.ts";
import { learnsApart } from "../config/learn.ts";
import { RunStoppedError, UsageError } from "../errors.ts";
import { adapterSpecs, rankOf, readTargets } from "../model/lora.ts";
import { parameterCount } from "../model/model-config.ts";
import { openModelFolder } from "../model/model-folder.ts";
import { elementCount } from "../model/weight-source.ts";
import { folderBytes } from "./checkpoint-files.ts";

export interface StoreHost {
  /** Wall-clock time in milliseconds. */
  readonly now: () => number;
  /** Bytes that may still be written on the disk of this folder. */
  readonly freeBytes: (folder: string) => Promise<number>;
}

export const thisHost: StoreHost = {
  now: Date.now,
  freeBytes: async (folder) => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
};

/** Room that must be left beside a checkpoint, for the database and everything else: 64 MiB. */
const spareBytes = 64 * 2 ** 20;

/** Throws RunStoppedError when the disk of `folder` has no room for a checkpoint of this size and something to spare. */
export async function requireSpace(
  host: StoreHost,
  run: string,
  folder: string,
  checkpointBytes: number,
): Promise<void> {
  const needed = checkpointBytes + spareBytes;
  const free = await host.freeBytes(folder);
  if (free >= needed) return;
  throw new RunStoppedError(
    `The disk has ${mebibytes(free)} left, and the next checkpoint of run ${run} needs ${mebibytes(needed)}.`,
    `Free some space, then go on with \`sqlm resume ${run}\`.`,
  );
}

/** Throws UsageError when the disk of `folder` has no room for a run's first checkpoint: before anything is made. */
export async function requireSpaceToStart(host: StoreHost, folder: string, checkpointBytes: number): Promise<void> {
  const needed = checkpointBytes + spareBytes;
  const free = await host.freeBytes(folder);
  if (free >= needed) return;
  throw new UsageError(
    `The disk of ${folder} has ${mebibytes(free)} left, and a checkpoint of this run needs ${mebibytes(needed)}.`,
    "Free some space, or choose a workspace on another disk with --workspace.",
  );
}

/**
 * Bytes that the first checkpoint of a run takes: weights in single precision and two moments of AdamW, of each that learns; with an
 * adapter nothing else is written.
 */
export function checkpointBytes(config: RunConfig): number {
  return (learnsApart(config) ? 2 : 1) * bytesOfOne(config);
}

function bytesOfOne({ model, loraRank, loraTargets }: RunConfig): number {
  try {
    const { config } = openModelFolder(model);
    const rank = rankOf(config, loraRank);
    const specs = rank === 0 ? [] : adapterSpecs(config, { rank, alpha: 1, targets: readTargets(loraTargets) });
    const trained = specs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
    return 3 * 4 * (rank === 0 ? parameterCount(config) : trained);
  } catch {
    // Only an estimate is wanted: whoever opens the model says what is wrong with it.
    return statSync(model, { throwIfNoEntry: false })?.isDirectory() === true ? 3 * folderBytes(model) : 0;
  }
}

/** The error to throw in place of `error`: RunStoppedError where a full disk is behind it, else `error` itself. */
export function diskError(run: string, doing: string, error: unknown): unknown {
  if (!isDiskFull(error)) return error;
  return new RunStoppedError(
    `The disk filled up while ${doing}; what was recorded before is whole.`,
    `Free some space, then go on with \`sqlm resume ${run}\`.`,
    { cause: error },
  );
}

/** True when a full disk or quota is the cause, however deep. */
function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  // An error that crossed from a worker thread may have kept its message only.
  const full = ["ENOSPC", "EDQUOT", "EFBIG"].some((name) => code === name || error.message.startsWith(`${name}:`));
  return full || isDiskFull(error.cause);
}

function mebibytes(bytes: number): string {
  return `${Math.max(0, Math.floor(bytes / 2 ** 20))} MiB`;
}
