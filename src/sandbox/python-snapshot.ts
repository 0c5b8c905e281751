// Where the snapshot of a booted Python is kept, so that a sandbox process starts in half a second of work and not in four:
// in `node_modules/.cache/sqlm`, or where that cannot be written, in a private temporary folder until this process ends.
// Leaves out: how a snapshot is made and loaded (python-boot.ts).
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { SqlmError } from "../errors.ts";
import { type Confine, spawnConfined } from "./confine.ts";
import { packageFolder, snapshotCommand, sourceFile } from "./worker-command.ts";

/** Seconds that making a snapshot may take on a busy machine. */
const makeSeconds = 300;

let made: Promise<string> | null = null;

/** Path of a snapshot for this version of the sandbox and of Node, made when there is none. */
export function pythonSnapshot(confine: Confine): Promise<string> {
  made ??= findOrMake(confine);
  made.catch(() => {
    made = null;
  });
  return made;
}

/** Throws the snapshot away, when a process could not start from it; the next request makes another. */
export async function forgetPythonSnapshot(): Promise<void> {
  const path = await made?.catch(() => null);
  made = null;
  if (path) rmSync(path, { force: true });
}

async function findOrMake(confine: Confine): Promise<string> {
  const sources = ["python-boot", "import-firewall"].map((name) => readFileSync(sourceFile(name)));
  const { version } = JSON.parse(readFileSync(join(packageFolder("pyodide"), "package.json"), "utf8")) as {
    version: string;
  };
  const hash = createHash("sha256").update(sources[0]).update(sources[1]).digest("hex").slice(0, 16);
  const name = `python-${version}-${process.version}-${process.arch}-${hash}.snapshot`;
  const cache = join(dirname(packageFolder("pyodide")), ".cache", "sqlm");
  if (existsSync(join(cache, name))) return join(cache, name);
  const bytes = await make(confine);
  try {
    mkdirSync(cache, { recursive: true });
    return write(cache, name, bytes);
  } catch {
    const folder = mkdtempSync(join(tmpdir(), "sqlm-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    return write(folder, name, bytes);
  }
}

/** Writes the whole file or nothing: several processes may do this at once. */
function write(folder: string, name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  const partial = `${path}.${process.pid}.partial`;
  writeFileSync(partial, bytes, { mode: 0o600 });
  renameSync(partial, path);
  return path;
}

async function make(confine: Confine): Promise<Uint8Array> {
  const { command, readable } = snapshotCommand();
  const child = spawnConfined(confine(command, readable), dirname(sourceFile("worker")));
  const timer = setTimeout(() => child.kill("SIGKILL"), makeSeconds * 1000);
  const ended = new Promise<string | number>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(signal ?? code ?? 1));
  });
  const { stdin, stdout, stderr } = child;
  stdin?.on("error", () => {}).end();
  const output = stdout === null ? Promise.resolve(Buffer.alloc(0)) : buffer(stdout);
  const complaint = stderr === null ? Promise.resolve("") : text(stderr);
  const how = await ended;
  clearTimeout(timer);
  if (how === 0) return output;
  const lines = (await complaint).trim().split("\n");
  throw new SqlmError(
    `Python could not be started for the sandbox (${how}). ${lines.slice(-3).join(" ")}`.trim(),
    "Run `sqlm doctor` to see which part of the sandbox fails on this machine.",
  );
}
