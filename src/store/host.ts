// What a store asks of the machine that it runs on: the time and room on the disk. Tests put their own in its place.
import { statfs } from "node:fs/promises";
import { RunStoppedError } from "../errors.ts";

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
