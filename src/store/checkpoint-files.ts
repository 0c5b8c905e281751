// Checkpoints on disk: written aside, checksummed, flushed, renamed; verified before use. A checkpoint folder is also a
// Hugging Face model folder: `state.json` and `manifest.json` are extra files. Which checkpoints a run has is recorded
// by run-store.ts; here are folders only.
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { FileFormatError } from "../errors.ts";
import { checkpointName, checkpointSteps } from "../model/checkpoint-folder.ts";
import { readModelShape } from "../model/shape.ts";
import type { LoopState, WriteCheckpoint } from "./store.ts";

export { checkpointName, checkpointSteps };

const manifestSchema = z.object({
  version: z.literal(1),
  run: z.string(),
  step: z.number().int(),
  /** What must be equal for weights to fit; null where the folder has no config.json. */
  modelShape: z.string().nullable(),
  files: z.array(z.object({ path: z.string(), bytes: z.number(), sha256: z.string() })),
});
export type Manifest = z.output<typeof manifestSchema>;

// Keys that the loop adds are kept as they are.
const stateSchema = z.looseObject({
  step: z.number().int(),
  seenKeys: z.array(z.string()),
  recent: z.array(z.looseObject({ text: z.string(), key: z.string(), difficulty: z.number() })),
  best: z.object({ step: z.number(), passAt1: z.number() }).nullable(),
  lacking: z.record(z.string(), z.number()).exactOptional(),
  memory: z.record(z.string(), z.unknown()).exactOptional(),
  keep: z.number().int().min(0).exactOptional(),
});

const temporaryPrefix = ".writing-";
const trashPrefix = ".removing-";

/**
 * Writes `step-…` into the folder `parent`: `write` fills a temporary folder, which gets state and manifest, is flushed
 * and takes its name in one rename. When anything throws, the temporary folder is removed and nothing has changed.
 */
export async function writeCheckpoint(
  parent: string,
  run: string,
  state: LoopState,
  write: WriteCheckpoint,
): Promise<{ readonly folder: string; readonly manifest: Manifest }> {
  const folder = join(parent, checkpointName(state.step));
  const temporary = join(parent, temporaryPrefix + checkpointName(state.step));
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  let manifest: Manifest;
  try {
    const folders: string[] = [];
    await write(temporary, async (name) => {
      const made = join(temporary, name);
      await mkdir(made);
      folders.push(made);
      return made;
    });
    await writeFile(join(temporary, "state.json"), `${JSON.stringify(state)}\n`);
    manifest = await describe(temporary, run, state.step);
    await writeFile(join(temporary, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    for (const path of [...manifest.files.map((file) => file.path), "manifest.json"])
      await flush(join(temporary, path));
    for (const made of [...folders, temporary]) await flush(made);
    removeCheckpoint(parent, state.step);
    await rename(temporary, folder);
    await flush(parent);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  return { folder, manifest };
}

async function describe(folder: string, run: string, step: number): Promise<Manifest> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const files: Manifest["files"] = [];
  for (const path of paths) {
    const name = path.slice(folder.length + 1).replaceAll("\\", "/");
    files.push({ path: name, bytes: (await stat(path)).size, sha256: await sha256(path) });
  }
  return { version: 1, run, step, modelShape: await readModelShape(folder), files };
}

/** Reads a checkpoint and verifies every file's checksum. Throws FileFormatError when it is not whole. */
export async function readCheckpoint(folder: string): Promise<{ state: LoopState; manifest: Manifest }> {
  const manifest = await readJson(join(folder, "manifest.json"), manifestSchema);
  for (const file of manifest.files) {
    const path = join(folder, file.path);
    const bytes = (await stat(path).catch(() => null))?.size;
    if (bytes !== file.bytes) {
      throw broken(path, bytes === undefined ? "is missing." : `is ${bytes} bytes long, not ${file.bytes}.`);
    }
    if ((await sha256(path)) !== file.sha256) throw broken(path, "does not match its checksum.");
  }
  if (!manifest.files.some((file) => file.path === "state.json")) throw broken(folder, "has no state.json.");
  return { manifest, state: (await readJson(join(folder, "state.json"), stateSchema)) as LoopState };
}

async function readJson<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw broken(path, "is missing or not what was written.", cause);
  }
}

function broken(path: string, problem: string, cause?: unknown): FileFormatError {
  return new FileFormatError(path, problem, "Resume uses the newest checkpoint that is whole.", { cause });
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/** Flushes a file, or the entries of a folder, to the disk. */
async function flush(path: string): Promise<void> {
  // Windows cannot open folders, and flushes their entries by itself.
  const handle = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EISDIR" || error.code === "EPERM") return null;
    throw error;
  });
  try {
    await handle?.sync();
  } finally {
    await handle?.close();
  }
}

/** Removes a checkpoint: first out of sight by a rename, so that half a checkpoint is never seen, then for good. */
export function removeCheckpoint(parent: string, step: number): void {
  const folder = join(parent, checkpointName(step));
  if (!existsSync(folder)) return;
  const trash = join(parent, trashPrefix + checkpointName(step));
  rmSync(trash, { recursive: true, force: true });
  renameSync(folder, trash);
  rmSync(trash, { recursive: true, force: true });
}

/** True for the name of what a killed process left half written or half removed. */
export function isLeftover(name: string): boolean {
  return name.startsWith(temporaryPrefix) || name.startsWith(trashPrefix);
}

/** Removes what a killed process left half written or half removed. */
export function removeLeftovers(parent: string): void {
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent).filter(isLeftover))
    rmSync(join(parent, name), { recursive: true, force: true });
}

/** Bytes of all files in a folder; 0 when there is none. */
export function folderBytes(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
