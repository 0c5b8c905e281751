// Weights in several safetensors files with an index that says which file holds which. The index is obeyed: what a file holds
// beyond it is not read. A model folder is data from others, so the index may not lead out of it.
import { realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, win32 } from "node:path";
import { FileFormatError } from "../errors.ts";
import { SafetensorsFile } from "./safetensors.ts";
import type { WeightSource } from "./weight-source.ts";

const hint = "Copy the model again.";

/** Owns the files. */
export class SafetensorsShards implements WeightSource {
  readonly path: string;
  readonly #files = new Map<string, SafetensorsFile>();
  readonly #fileOf: ReadonlyMap<string, string>;

  /**
   * Opens and checks every file that the index names. Throws FileFormatError for one that is missing, damaged or outside the folder, and for a
   * weight that the file which the index names for it does not hold.
   */
  constructor(folder: string, indexPath: string, fileOf: ReadonlyMap<string, string>) {
    this.path = indexPath;
    this.#fileOf = fileOf;
    try {
      for (const name of new Set(fileOf.values())) {
        this.#files.set(name, new SafetensorsFile(shardPath(folder, name, indexPath)));
      }
      for (const [weight, name] of fileOf) {
        if (this.#files.get(name)?.shapeOf(weight) != null) continue;
        throw new FileFormatError(indexPath, `says that ${name} holds ${weight}, which it does not`, hint);
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  shapeOf(name: string): readonly number[] | null {
    return this.#holder(name)?.shapeOf(name) ?? null;
  }

  readTensor(name: string, into?: Float32Array): Float32Array {
    return this.#require(name).readTensor(name, into);
  }

  readRows(name: string, firstRow: number, into: Float32Array): void {
    this.#require(name).readRows(name, firstRow, into);
  }

  #holder(name: string): SafetensorsFile | undefined {
    const file = this.#fileOf.get(name);
    return file === undefined ? undefined : this.#files.get(file);
  }

  #require(name: string): SafetensorsFile {
    const file = this.#holder(name);
    if (file === undefined) throw new FileFormatError(this.path, `names no file for ${name}`, hint);
    return file;
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) file[Symbol.dispose]();
  }
}

/** Path of a file that an index names. */
function shardPath(folder: string, name: string, indexPath: string): string {
  const path = join(folder, name);
  const outside = (): FileFormatError =>
    new FileFormatError(
      indexPath,
      `names ${name}, which lies outside the model's folder`,
      "Put the file into the folder, and do not use a model whose origin you do not trust.",
    );
  if (isAbsolute(name) || win32.isAbsolute(name) || leads(relative(folder, path))) throw outside();
  let real: string;
  try {
    real = realpathSync(path);
  } catch (cause) {
    throw new FileFormatError(indexPath, `names ${name}, which is not there`, hint, { cause });
  }
  if (leads(relative(trustedRoot(realpathSync(folder)), real))) throw outside();
  return path;
}

/** Whether a relative path leads out of where it starts. */
function leads(path: string): boolean {
  return path === ".." || path.startsWith("../") || path.startsWith("..\\") || isAbsolute(path);
}

/**
 * Where links may lead: within the folder, and for a snapshot in a Hugging Face cache (models--*\/snapshots/REVISION, whose files
 * are links to models--*\/blobs) within that model's part of the cache.
 */
function trustedRoot(folder: string): string {
  const cached = dirname(dirname(folder));
  const isSnapshot = basename(dirname(folder)) === "snapshots" && basename(cached).startsWith("models--");
  return isSnapshot ? cached : folder;
}
