// Imports a file that a user wrote (a topic, a config, an experiment) and says in which line it is wrong. Such a file is a
// program that the user chose to run: it is not sandboxed. What it must export is its reader's business.
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describeThrown, placeInStack, SqlmError, UsageError } from "../errors.ts";

/**
 * What a module exports, by name. Throws UsageError where the file is missing, does not compile, throws, or waits for
 * something that never comes; it names file and line where they are known.
 * @param what what the file is to the user, for example `topic file`
 */
export async function importFile(path: string, what: string): Promise<Readonly<Record<string, unknown>>> {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new UsageError(`There is no ${what} ${path}.`, "Check the path; it is relative to the working folder.");
  }
  let end = (): void => {};
  // Nothing is left to do and the file's top-level `await` has not ended: without this the process would end without a word.
  const neverEnds = new Promise<never>((_, reject) => {
    end = () => reject(new Error("an `await` outside all functions waits for something that never comes"));
    process.once("beforeExit", end);
  });
  try {
    return (await Promise.race([import(pathToFileURL(path).href), neverEnds])) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const place = placeOf(cause, path);
    const problem = describeThrown(cause).replace(/[.:]$/, "");
    throw new UsageError(
      `The ${what} ${path} could not be loaded: ${problem}${place === null ? "" : `, at ${place}`}.`,
      cause instanceof SqlmError ? cause.hint : "Mend the file, then run the same command again.",
      { cause },
    );
  } finally {
    process.off("beforeExit", end);
  }
}

/** `file:line` of what kept a file from loading. */
function placeOf(cause: unknown, path: string): string | null {
  if (!(cause instanceof Error)) return null;
  return (
    placeInHeading(cause.stack) ?? (cause instanceof SyntaxError ? placeOfSyntaxError(path) : placeInStack(cause.stack))
  );
}

/** The compiler's own messages begin with `file:line`, above the line itself. */
function placeInHeading(text: string | undefined): string | null {
  const heading = /^(file:\/\/\S+|\/.+|[A-Za-z]:\\.+):(\d+)$/m.exec((text ?? "").split("\n", 1)[0]);
  if (heading === null) return null;
  const [, file, line] = heading;
  return `${file.startsWith("file:") ? fileURLToPath(file) : file}:${line}`;
}

/**
 * Where a JavaScript file, or one that it imports by a relative path, does not parse. The error of `import()` does not say
 * (https://github.com/nodejs/node/issues/49441); `node --check` does.
 */
function placeOfSyntaxError(path: string, seen: Set<string> = new Set()): string | null {
  if (seen.has(path) || seen.size > 20 || !statSync(path, { throwIfNoEntry: false })?.isFile()) return null;
  seen.add(path);
  const { stderr } = spawnSync(process.execPath, ["--check", path], { encoding: "utf8" });
  const place = placeInHeading(stderr);
  if (place !== null) return place;
  for (const [, target] of readFileSync(path, "utf8").matchAll(/["'](\.{1,2}\/[^"'\n]+)["']/g)) {
    const found = placeOfSyntaxError(resolve(dirname(path), target), seen);
    if (found !== null) return found;
  }
  return null;
}
