// A file that is read at chosen places: what both weight formats stand on. Every byte asked for is there, or FileFormatError says so.
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { FileFormatError } from "../errors.ts";

/** The largest piece that one system call is asked for. */
const largestRead = 2 ** 30;

/** Owns an open file. */
export class ByteFile implements Disposable {
  readonly path: string;
  readonly size: number;
  readonly #file: number;
  readonly #hint: string;

  /** @param hint what to do about a damaged file, for errors */
  constructor(path: string, hint: string) {
    this.path = path;
    this.#hint = hint;
    this.#file = openFile(path, hint);
    this.size = fstatSync(this.#file).size;
  }

  /** Fills `target` with the bytes from `position` on. */
  readInto(position: number, target: Uint8Array): void {
    const end = position + target.byteLength;
    if (end > this.size) throw this.damaged(`truncated: ${this.size} bytes, ${end} expected`);
    for (let done = 0; done < target.byteLength; ) {
      const length = Math.min(largestRead, target.byteLength - done);
      const read = readSync(this.#file, target, done, length, position + done);
      if (read === 0) throw this.damaged("truncated while it was read");
      done += read;
    }
  }

  read(position: number, length: number): Buffer {
    if (position + length > this.size) {
      throw this.damaged(`truncated: ${this.size} bytes, ${position + length} expected`);
    }
    const target = Buffer.alloc(length);
    this.readInto(position, target);
    return target;
  }

  damaged(problem: string, cause?: unknown): FileFormatError {
    return new FileFormatError(this.path, problem, this.#hint, cause === undefined ? {} : { cause });
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

function openFile(path: string, hint: string): number {
  try {
    if (statSync(path).isFile()) return openSync(path, "r");
  } catch (cause) {
    throw new FileFormatError(path, "cannot be opened", hint, { cause });
  }
  throw new FileFormatError(path, "not a file", hint);
}
