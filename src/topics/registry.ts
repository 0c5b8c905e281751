// Finds a topic by name, or loads one from a file. A topic file is a program that the user chose to run: it is imported,
// not sandboxed.
import { dirname, extname, resolve } from "node:path";
import { importFile } from "../config/import-file.ts";
import { didYouMean, UsageError } from "../errors.ts";
import { subjectOf } from "../topic-names.ts";
import type { ModelFacts } from "../types.ts";
import { addition } from "./addition.ts";
import { algebra } from "./algebra.ts";
import { algebraInWords } from "./algebra-words.ts";
import { arithmetic } from "./arithmetic.ts";
import { arithmeticInWords } from "./arithmetic-words.ts";
import { coding } from "./coding.ts";
import { codingInWords } from "./coding-words.ts";
import { type DefinedTopic, defineTopic } from "./define-topic.ts";
import { multiplication } from "./multiplication.ts";
import { multiplicationInWords } from "./multiplication-words.ts";
import { type PlainOptions, plainTopic } from "./plain.ts";
import type { TopicSettings } from "./topic.ts";

/** In the notation of the shipped models, and in words for models that take conversations. */
const builtInTopics: ReadonlyMap<string, { readonly notation: DefinedTopic; readonly words?: DefinedTopic }> = new Map(
  [
    { notation: arithmetic, words: arithmeticInWords },
    { notation: multiplication, words: multiplicationInWords },
    { notation: algebra, words: algebraInWords },
    { notation: coding, words: codingInWords },
    // The climb's topic: its columns are what it is about, so there is no other way to write it.
    { notation: addition },
  ].map((both) => [both.notation.topic.name, both]),
);

/** Names of the topics that come with the package. */
export const builtInTopicNames: readonly string[] = [...builtInTopics.keys()];

const moduleExtensions: ReadonlySet<string> = new Set([".ts", ".mts", ".js", ".mjs"]);

/**
 * Opens a built-in topic by name, makes one of words (`plain:geometry with circles`), or imports the `topic` that a module exports; a relative path starts at the working
 * folder. A built-in topic speaks the notation of the shipped models, or words to a model with a chat template. `files` are for a topic in words. Throws UsageError for an unknown name (naming the nearest), a missing file, or a file without a sound topic.
 *
 * @example
 * import { openTopic, randomStream } from "self-questioning";
 *
 * const { topic, hidden } = await openTopic("arithmetic");
 * const [question] = hidden?.heldOut(3, 1, randomStream("example")) ?? [];
 * if (question !== undefined) console.log(question.text, topic.solvePrompt(question));
 */
export async function openTopic(
  nameOrPath: string,
  model?: Pick<ModelFacts, "chat">,
  files: Pick<PlainOptions, "evalFile" | "examples"> = {},
): Promise<DefinedTopic> {
  const builtIn = builtInTopics.get(nameOrPath);
  if (builtIn !== undefined) {
    if (model?.chat !== true) return builtIn.notation;
    if (builtIn.words !== undefined) return builtIn.words;
    throw new UsageError(
      `The topic ${nameOrPath} has no words for a model that takes conversations: it is written in columns.`,
      "Ask such a model for arithmetic, or leave the model out.",
    );
  }
  const subject = subjectOf(nameOrPath);
  if (subject !== null) return plainTopic(subject, files);
  if (moduleExtensions.has(extname(nameOrPath))) return importTopic(resolve(nameOrPath));
  throw new UsageError(
    `Unknown topic "${nameOrPath}".${didYouMean(nameOrPath, builtInTopicNames)}`,
    `Give one of ${builtInTopicNames.join(", ")}, "plain:" and a subject in words, or the path of a .ts or .js file that exports \`topic\`.`,
  );
}

/** The same topic for a process in another working folder: a path made absolute, any other name as it is. */
export function absoluteTopicName(nameOrPath: string): string {
  return builtInTopics.has(nameOrPath) || subjectOf(nameOrPath) !== null ? nameOrPath : resolve(nameOrPath);
}

async function importTopic(path: string): Promise<DefinedTopic> {
  const exports = await importFile(path, "topic file");
  if (!isDefinedTopic(exports["topic"])) {
    const names = Object.keys(exports).join(", ");
    throw new UsageError(
      `The file ${path} exports no \`topic\` made by defineTopic; it exports ${names === "" ? "nothing" : names}.`,
      "Write `export const topic = defineTopic({ ... })` in it.",
    );
  }
  // The file may have used another copy of this package, or none: check it by our own rules, and name the file in them.
  const { topic, hidden } = exports["topic"];
  const settings = topic.settings && { settings: withAbsoluteModel(topic.settings, path) };
  return defineTopic({ ...topic, ...settings, ...(hidden === null ? {} : { hidden }) }, path);
}

/** A model that a topic names by a relative path lies beside the topic, not in the working folder. */
function withAbsoluteModel<Settings extends TopicSettings>(settings: Settings, path: string): Settings {
  const { model } = settings;
  return typeof model === "string" && /^\.{1,2}([/\\]|$)/.test(model)
    ? { ...settings, model: resolve(dirname(path), model) }
    : settings;
}

function isDefinedTopic(value: unknown): value is DefinedTopic {
  return typeof value === "object" && value !== null && "topic" in value && "hidden" in value;
}
