// Finds a topic by name or by the path of a file that defines one. Leaves what a topic is to define-topic.ts.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { didYouMean, SqlmError, UsageError } from "../errors.ts";
import type { DefinedTopic } from "./define-topic.ts";

/** Topics that come with the package. */
export const builtInTopics: Readonly<Record<string, () => Promise<DefinedTopic>>> = {};

/**
 * The topic of this name, or the one that the file at this path exports (default export, or one named `topic`).
 * Throws UsageError that names the nearest topic, or says what the file lacks.
 */
export async function loadTopic(name: string): Promise<DefinedTopic> {
  const builtIn = Object.hasOwn(builtInTopics, name) ? builtInTopics[name] : undefined;
  if (builtIn !== undefined) return builtIn();
  if (!/[./\\]/.test(name)) {
    const names = Object.keys(builtInTopics);
    throw new UsageError(
      `There is no topic "${name}".${didYouMean(name, names)}`,
      `Topics here: ${names.join(", ")}. A topic of your own is a file: sqlm run ./my-topic.ts.`,
    );
  }
  const path = resolve(name);
  if (!existsSync(path)) {
    throw new UsageError(`There is no topic file ${path}.`, "Check the path; `sqlm topics` lists built-in topics.");
  }
  return importTopic(path);
}

async function importTopic(path: string): Promise<DefinedTopic> {
  const advice = "End the file with: export const topic = defineTopic({ ... }).";
  let loaded: Record<string, unknown>;
  try {
    loaded = await import(pathToFileURL(path).href);
  } catch (cause) {
    // A missing part, found by defineTopic while the file loads, already says what to do.
    if (cause instanceof SqlmError) throw cause;
    const problem = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
    throw new UsageError(`${path} does not load: ${problem}`, advice, { cause });
  }
  const found = loaded["default"] ?? loaded["topic"];
  if (typeof found !== "object" || found === null || !("topic" in found) || !("hidden" in found)) {
    throw new UsageError(`${path} exports no topic.`, advice);
  }
  return found as DefinedTopic;
}
