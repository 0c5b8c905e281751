#!/usr/bin/env node
// The `sqlm` executable. Plain JavaScript that Node 18 can still read, so that an old Node gets a sentence instead of a
// syntax error; a checkout brings a current Node as a development dependency, which is used then.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const built = join(root, "dist", "cli", "main.js");
const source = join(root, "src", "cli", "main.ts");
const main = isCurrent() ? built : source;

const [major, minor] = process.versions.node.split(".").map(Number);
if (major > 22 || (major === 22 && minor >= 18)) await runHere();
else runWith(ownNode());

async function runHere() {
  if (!existsSync(main)) fail("sqlm is not built. Run `npm run build` first.");
  // SQLite in Node and type stripping still announce themselves as experimental on some versions; users need not know.
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    const type = typeof rest[0] === "object" ? rest[0]?.type : rest[0];
    if (type !== "ExperimentalWarning") emitWarning.call(process, warning, ...rest);
  };
  await import(pathToFileURL(main).href);
}

/** True when there is a build and, in a checkout, no source file is newer. */
function isCurrent() {
  if (!existsSync(built)) return false;
  if (!existsSync(source)) return true;
  const builtAt = statSync(built).mtimeMs;
  const sources = readdirSync(join(root, "src"), { recursive: true });
  return sources.every((name) => !name.endsWith(".ts") || statSync(join(root, "src", name)).mtimeMs <= builtAt);
}

/** The Node of the package's own development dependencies, or null. */
function ownNode() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve("node/package.json"));
    const path = join(folder, "bin", process.platform === "win32" ? "node.exe" : "node");
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}

function runWith(node) {
  if (node === null)
    fail(`sqlm needs Node 22.18 or newer; this is ${process.versions.node}. Install it from nodejs.org.`);
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  // The terminal sends Ctrl-C to the child as well; other signals are passed on.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

function fail(sentence) {
  process.stderr.write(`sqlm: ${sentence}\n`);
  process.exit(1);
}
