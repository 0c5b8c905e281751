// Finds a topic by name, or loads one from a file. A topic file is a program that the user chose to run: it is imported,
// not sandboxed.
import { statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { didYouMean, UsageError } from "../errors.ts";
import { algebra } from "./algebra.ts";
import { arithmetic } from "./arithmetic.ts";
import { coding } from "./coding.ts";
import { type DefinedTopic, defineTopic } from "./define-topic.ts";
import { multiplication } from "./multiplication.ts";
import { plainTopic } from "./plain.ts";

const builtInTopics: ReadonlyMap<string, DefinedTopic> = new Map(
  [arithmetic, multiplication, algebra, coding].map((one) => [one.topic.name, one]),
);

/** Names of the topics that come with the package. */
export const builtInTopicNames: readonly string[] = [...builtInTopics.keys()];

/** What follows it is a subject in words, for models that follow instructions. */
const plainPrefix = "plain:";

const moduleExtensions: ReadonlySet<string> = new Set([".ts", ".mts", ".js", ".mjs"]);

/**
 * Opens a built-in topic by name, makes one of words (`plain:geometry with circles`), or imports the `topic` that a module exports; a relative path starts at the working
 * folder. Throws UsageError for an unknown name (naming the nearest), a missing file, or a file without a sound topic.
 */
export async function openTopic(nameOrPath: string): Promise<DefinedTopic> {
  const builtIn = builtInTopics.get(nameOrPath);
  if (builtIn !== undefined) return builtIn;
  if (nameOrPath.startsWith(plainPrefix)) return plainTopic(nameOrPath.slice(plainPrefix.length));
  if (moduleExtensions.has(extname(nameOrPath))) return importTopic(resolve(nameOrPath));
  throw new UsageError(
    `Unknown topic "${nameOrPath}".${didYouMean(nameOrPath, builtInTopicNames)}`,
    `Give one of ${builtInTopicNames.join(", ")}, "plain:" and a subject in words, or the path of a .ts or .js file that exports \`topic\`.`,
  );
}

async function importTopic(path: string): Promise<DefinedTopic> {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new UsageError(`There is no topic file ${path}.`, "Check the path; it is relative to the working folder.");
  }
  let exports: { readonly topic?: unknown };
  try {
    exports = await import(pathToFileURL(path).href);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`The topic file ${path} could not be loaded: ${reason}`, "Mend the file, then run again.", {
      cause,
    });
  }
  if (!isDefinedTopic(exports.topic)) {
    throw new UsageError(
      `The file ${path} exports no \`topic\` made by defineTopic.`,
      "Write `export const topic = defineTopic({ ... })` in it.",
    );
  }
  // The file may have used another copy of this package, or none: check it by our own rules.
  const { topic, hidden } = exports.topic;
  return defineTopic(hidden === null ? topic : { ...topic, hidden });
}

function isDefinedTopic(value: unknown): value is DefinedTopic {
  return typeof value === "object" && value !== null && "topic" in value && "hidden" in value;
}
