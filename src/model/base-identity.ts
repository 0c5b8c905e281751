// Which model an adapter was trained on. An adapter changes a model's weights by small steps; beside other weights it is
// noise, so a checkpoint names its base with a digest and is refused where the base is another one.
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { FileFormatError, UsageError } from "../errors.ts";
import { adapterConfigFile, adapterWeightsFile, isAdapterFolder } from "./adapter.ts";
import { serverStateFile } from "./checkpoint-folder.ts";
import { modelOnDisk } from "./find-model.ts";
import { isGgufPath } from "./gguf-companions.ts";

export const baseFile = "base.json";
/** Weights up to this size are hashed whole. */
const wholeBytes = 2 ** 28;
const sampleBytes = 2 ** 16;
const samples = 256;

const identitySchema = z.object({
  /** Folder or file, as it was when the adapter was made. */
  model: z.string(),
  bytes: z.number(),
  /** What the digest covers: all bytes, or the size and 256 evenly spread parts of 64 KiB of each file, the first and last included. */
  digestOf: z.enum(["all", "parts"]),
  sha256: z.string(),
});
export type BaseIdentity = z.output<typeof identitySchema>;
/** What a checkpoint says of its base: where it was and its digest, or the name alone of one that only a server had. */
const namedSchema = z.union([identitySchema, z.object({ model: z.string(), sha256: z.null() })]);
export type NamedBase = z.output<typeof namedSchema>;

/** The identity of a model's weights. Reads some megabytes of large files, small ones whole. */
export function identifyBase(model: string): BaseIdentity {
  const files = isGgufPath(model)
    ? [model]
    : readdirSync(model)
        .filter((name) => /^model.*\.safetensors$/.test(name))
        .sort()
        .map((name) => join(model, name));
  const hash = createHash("sha256");
  const sizes = files.map(sizeOf);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const digestOf = bytes <= wholeBytes ? "all" : "parts";
  for (const [i, file] of files.entries()) {
    hash.update(`${isGgufPath(model) ? "gguf" : basename(file)} ${sizes[i]}\n`);
    for (const { start, length } of partsOf(sizes[i], digestOf)) hash.update(readPart(file, start, length));
  }
  return { model, bytes, digestOf, sha256: hash.digest("hex") };
}

/**
 * Digest of all weights that a model computes with: its own, or its base's with those of its adapter, or of one put beside it.
 * @param adapter folder of an adapter in PEFT's form
 */
export function identifyWeights(model: string, adapter?: string): string {
  const base = locateBase(model);
  const folder = base === null ? adapter : model;
  const digest = readBase(model)?.sha256 ?? identifyBase(base ?? model).sha256;
  const hash = createHash("sha256").update(digest);
  if (folder !== undefined) {
    for (const name of [adapterConfigFile, adapterWeightsFile]) hash.update(readFileSync(join(folder, name)));
  }
  return hash.digest("hex");
}

export function writeBase(folder: string, identity: NamedBase): void {
  writeFileSync(join(folder, baseFile), `${JSON.stringify(identity, null, 2)}\n`, { flush: true });
}

/** The base that a checkpoint names; null for a folder that holds a model of its own. Throws FileFormatError. */
export function readBase(folder: string): NamedBase | null {
  const path = join(folder, baseFile);
  if (!existsSync(path)) return null;
  try {
    return namedSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new FileFormatError(path, "is not what a checkpoint's writer wrote", "Take another checkpoint.", { cause });
  }
}

/**
 * Where the base of a checkpoint's adapter is on this machine: where it was when the checkpoint was made, or what its name stands for
 * here; null for a folder that holds a model of its own. Throws UsageError where there is none, FileFormatError where it has other
 * weights.
 */
export function locateBase(folder: string): string | null {
  const named = readBase(folder);
  if (!isAdapterFolder(folder) && existsSync(join(folder, serverStateFile))) {
    throw new UsageError(
      `${folder} only says where its weights are on a Tinker server${named === null ? "" : ` (over ${named.model})`}: it has no copy of them.`,
      "Bring the adapter here with `sqlm export adapter RUN --to FOLDER`, then open its model with --adapter FOLDER.",
    );
  }
  if (named === null) return null;
  const found = modelOnDisk(named.model);
  if (found === null) {
    throw new UsageError(
      `${folder} holds an adapter only, and its base ${named.model} is not on this machine.`,
      `Name it with --base MODEL (ask, evaluate, serve, export model), or open it with the adapter beside it: --model MODEL --adapter ${folder}.`,
    );
  }
  checkBase(folder, found);
  return found;
}

/** Throws FileFormatError where the weights of `base` are not those that `folder` was made for. */
export function checkBase(folder: string, base: string, known?: BaseIdentity): void {
  const named = readBase(folder);
  if (named === null || named.sha256 === null) return;
  const found = known ?? identifyBase(base);
  if (named.sha256 === found.sha256 && named.bytes === found.bytes) return;
  throw new FileFormatError(
    join(folder, baseFile),
    `belongs to other weights than those of ${base} (${named.bytes} bytes, digest ${named.sha256.slice(0, 12)}…; found ${found.bytes}, ${found.sha256.slice(0, 12)}…)`,
    `Give the model that the run began with (it was ${named.model}), or start a new run.`,
  );
}

function sizeOf(path: string): number {
  const file = openSync(path, "r");
  try {
    return fstatSync(file).size;
  } finally {
    closeSync(file);
  }
}

function partsOf(
  size: number,
  digestOf: BaseIdentity["digestOf"],
): { readonly start: number; readonly length: number }[] {
  const length = digestOf === "all" ? 2 ** 22 : sampleBytes;
  const count = digestOf === "all" ? Math.ceil(size / length) : Math.min(samples, Math.ceil(size / length));
  const last = Math.max(0, size - length);
  return Array.from({ length: count }, (_, i) => {
    const start = digestOf === "all" ? i * length : count === 1 ? 0 : Math.floor((last * i) / (count - 1));
    return { start, length: Math.min(length, size - start) };
  });
}

function readPart(path: string, start: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  const file = openSync(path, "r");
  try {
    for (let done = 0; done < length; ) {
      const read = readSync(file, buffer, done, length - done, start + done);
      if (read === 0) throw new FileFormatError(path, "became shorter while it was read", "Copy the file again.");
      done += read;
    }
  } finally {
    closeSync(file);
  }
  return buffer;
}
