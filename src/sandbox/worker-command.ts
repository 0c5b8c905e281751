// Command lines of sandbox processes: Node's permission model with read access to this folder, the interpreter's packages
// and nothing else. Entry points have the extension of this file, so that it works from sources and when built. Leaves
// out: starting them (confine.ts, worker-process.ts).
import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { nativeStack } from "./native-stack.ts";

export interface WorkerCommand {
  readonly command: readonly string[];
  /** Paths that the process may read; the first is a folder to start in. */
  readonly readable: readonly string[];
}

const here = dirname(fileURLToPath(import.meta.url));

/** A file of this folder, with the extension that it has where this code runs. */
export function sourceFile(name: string): string {
  return join(here, name + extname(fileURLToPath(import.meta.url)));
}

/** Folder of an installed package, as seen from the file or URL `from`. */
export function packageFolder(name: string, from: string = import.meta.url): string {
  const file = createRequire(from).resolve(name);
  const inside = `${join("node_modules", name)}${sep}`;
  return file.slice(0, file.lastIndexOf(inside) + inside.length - 1);
}

/** A process that runs Python programs, booted from the snapshot at this path. */
export function pythonCommand(snapshot: string): WorkerCommand {
  return workerCommand("python", [[packageFolder("pyodide"), "pyodide.mjs"]], snapshot);
}

/** A process that boots Python, writes its snapshot to standard output and ends. */
export function snapshotCommand(): WorkerCommand {
  return workerCommand("python-snapshot", [[packageFolder("pyodide"), "pyodide.mjs"]]);
}

/** A process that runs JavaScript programs. */
export function javaScriptCommand(): WorkerCommand {
  // quickjs-emscripten itself loads four builds of QuickJS; its parts are used directly to load one.
  const parent = join(packageFolder("quickjs-emscripten"), "index.js");
  const parts = ["quickjs-emscripten-core", "@jitl/quickjs-wasmfile-release-sync", "@jitl/quickjs-ffi-types"];
  return workerCommand(
    "javascript",
    parts.map((name) => [packageFolder(name, parent), "dist/index.mjs"]),
  );
}

/** Flags that Node starts a sandbox process with, where it may read these paths. */
export function permissionFlags(readable: readonly string[]): readonly string[] {
  return [
    "--permission",
    ...readable.map((path) => `--allow-fs-read=${path}`),
    "--no-warnings",
    "--disallow-code-generation-from-strings",
  ];
}

function workerCommand(
  task: "python" | "python-snapshot" | "javascript",
  modules: readonly (readonly [folder: string, main: string])[],
  ...files: readonly string[]
): WorkerCommand {
  const paths = [here, ...modules.map(([folder]) => folder), ...files];
  const readable = [...new Set([...paths, ...paths.map((path) => realpathSync(path))])];
  const urls = modules.map(([folder, main]) => pathToFileURL(join(folder, main)).href);
  const stack = nativeStack();
  const flags = [...(stack?.flags ?? []), ...permissionFlags(readable)];
  const stackBytes = stack === null ? [] : [String(stack.pythonBytes)];
  const command = [process.execPath, ...flags, sourceFile("worker"), task, ...urls, ...files, ...stackBytes];
  return { command, readable };
}
