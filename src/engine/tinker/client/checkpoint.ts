// Checkpoints of a policy whose weights are on a server: a file that says where, the tokenizer and config of the model, and
// where the server gives it out the adapter as a PEFT folder, with the name of its base: a checkpoint like one of this machine.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { FileFormatError, SqlmError } from "../../../errors.ts";
import {
  type BaseIdentity,
  baseFile,
  identifyBase,
  type NamedBase,
  readBase,
  writeBase,
} from "../../../model/base-identity.ts";
import { serverStateFile } from "../../../model/checkpoint-folder.ts";
import type { Companions } from "../../../model/companions.ts";
import { holdsWeights, modelOnDisk } from "../../../model/find-model.ts";
import { downloadAdapter } from "./archive.ts";
import type { Link } from "./model.ts";

const stateSchema = z.object({
  format: z.literal("sqlm-tinker"),
  /** Where the weights and the optimizer's state are, as the server knows them. */
  path: z.string(),
  /** Where the weights for sampling are; null where the server names no path. */
  samplerPath: z.string().nullable(),
  server: z.string(),
  baseModel: z.string(),
  rank: z.number().int().positive(),
  /** Updates so far. */
  steps: z.number().int().min(0),
  /** Whether the optimizer's state may be gone on with. */
  optimizer: z.boolean(),
});
export type TinkerState = z.output<typeof stateSchema>;

export interface CheckpointFiles {
  readonly companions: Companions;
  /** A name that no other checkpoint on the server has. */
  newName(): string;
  /** What a checkpoint says of its base, given what the server tells of it, or null. */
  readonly nameBase: (told: NamedBase | null) => NamedBase;
  readonly onNote: (note: string) => void;
}

interface Written extends Pick<TinkerState, "samplerPath" | "rank" | "steps" | "optimizer"> {
  readonly link: Link;
  readonly files: CheckpointFiles;
  readonly statePath: string;
}

/** Writes into an existing folder. An adapter that cannot be downloaded is no reason to stop: the server has it. */
export async function writeState(folder: string, written: Written): Promise<void> {
  const { link, files, statePath, samplerPath, rank, steps, optimizer } = written;
  const state: TinkerState = {
    format: "sqlm-tinker",
    path: statePath,
    samplerPath,
    server: link.connection.options.address.baseUrl,
    baseModel: link.baseModel,
    rank,
    steps,
    optimizer,
  };
  for (const [name, content] of files.companions) writeFileSync(join(folder, name), content, { flush: true });
  if (samplerPath !== null) await tryDownload(link, files, samplerPath, folder);
  writeFileSync(join(folder, serverStateFile), `${JSON.stringify(state, null, 2)}\n`, { flush: true });
}

async function tryDownload(link: Link, files: CheckpointFiles, samplerPath: string, folder: string): Promise<void> {
  try {
    const offered = await downloadAdapter(link.connection, samplerPath, folder);
    if (offered) writeBase(folder, files.nameBase(toldBase(folder)));
    else files.onNote("The server offers no download of adapters: checkpoints name the weights on the server only.");
  } catch (error) {
    if (link.connection.ended !== null || !(error instanceof Error)) throw error;
    const hint = error instanceof SqlmError ? ` ${error.hint}` : "";
    files.onNote(`This checkpoint has no copy of the adapter: ${error.message}.${hint}`);
  }
}

/** What the server says of the base, in the same file that a checkpoint of this machine has; null where it says nothing usable. */
function toldBase(folder: string): NamedBase | null {
  try {
    return readBase(folder);
  } catch {
    rmSync(join(folder, baseFile));
    return null;
  }
}

/**
 * Names the base of checkpoints: as the model of this machine that has the same name, or that the tokenizer is of, where the server
 * does not say that its own is another one; else by the server's name and digest, so that it is known when it is met.
 * @param tokenizer folder of the tokenizer, which may hold the whole model
 */
export function baseNaming(baseModel: string, tokenizer: string): CheckpointFiles["nameBase"] {
  const known = new Map<string, BaseIdentity>();
  const identify = (path: string): BaseIdentity => {
    const identity = known.get(path) ?? identifyBase(path);
    known.set(path, identity);
    return identity;
  };
  return (told) => {
    const named = modelOnDisk(baseModel);
    const paths = [...(holdsWeights(tokenizer) ? [tokenizer] : []), ...(named === null ? [] : [named])];
    const same = paths.map(identify).find(({ sha256 }) => told?.sha256 == null || told.sha256 === sha256);
    return same ?? (told === null ? { model: baseModel, sha256: null } : { ...told, model: baseModel });
  };
}

/** The state that a checkpoint names, whatever model it is of. Throws FileFormatError where the folder holds none. */
export function readServerState(folder: string): TinkerState {
  const path = join(folder, serverStateFile);
  if (!existsSync(path)) {
    throw new FileFormatError(
      path,
      "missing: this folder names no weights on a Tinker server",
      "Load a checkpoint that was saved with --engine tinker.",
    );
  }
  try {
    return stateSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new FileFormatError(path, "is not what a checkpoint's writer wrote", "Take another checkpoint.", { cause });
  }
}

/** Throws FileFormatError where the folder holds no such state, or one of another model or rank, or lacks what is asked for. */
export function readState(
  folder: string,
  optimizer: boolean,
  { link, rank }: { readonly link: Link; readonly rank: number },
): TinkerState {
  const path = join(folder, serverStateFile);
  const state = readServerState(folder);
  if (state.baseModel !== link.baseModel) {
    throw new FileFormatError(
      path,
      `belongs to the model ${state.baseModel}, not to ${link.baseModel}`,
      "Give its own model.",
    );
  }
  if (state.rank !== rank) {
    throw new FileFormatError(
      path,
      `holds an adapter of rank ${state.rank}, not ${rank}`,
      "Give the same --lora-rank.",
    );
  }
  if (optimizer && !state.optimizer) {
    throw new FileFormatError(path, "has no optimizer state", "Load it without the optimizer.");
  }
  return state;
}
