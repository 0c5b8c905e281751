// The Python side of the bench of real models: a process for a model in one precision, asked a line at a time.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

export interface PeerAnswer {
  readonly seconds: number;
  /** Peak resident memory of the process so far. */
  readonly peakBytes: number;
}

export type Precision = "f32" | "bf16";

/** Owns the process; one request at a time. */
export class Peer implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(python: string, model: string, precision: Precision, threads: number) {
    const script = join(import.meta.dirname, "real-peers.py");
    this.#child = spawn(python, [script, model, precision, String(threads)], { stdio: ["pipe", "pipe", "ignore"] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Carries out the work in the file. Throws where Python failed. */
  async ask(what: "train" | "sample" | "step", file: string): Promise<PeerAnswer> {
    this.#child.stdin.write(`${JSON.stringify({ do: what, file })}\n`);
    const { value, done = false } = await this.#lines.next();
    if (done) throw new Error(`The peer of ${what} ended: run bench/real-peers.py by hand to see why.`);
    return JSON.parse(value) as PeerAnswer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, "exit");
  }
}
