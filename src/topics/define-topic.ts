// The one extension point: a topic says what to ask about, how to read questions and answers, and how to verify.
// What knows the truth (`hidden`) is kept apart from what training sees (`topic`): the loop's reward path is typed to
// receive a Topic only, so a checker cannot reach a reward.
import { didYouMean, UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Question } from "../types.ts";
import type { Topic, TopicSettings } from "./topic.ts";

/** What knows the truth. Feeds diagnostics and evaluation only. */
export interface HiddenTruth {
  /**
   * True when the canonical answer is right. Where answers are programs, `sandbox` runs them; a checker that needs it and
   * is called without it throws UnsupportedError.
   */
  check(question: Question, answer: string, sandbox?: Sandbox): boolean | Promise<boolean>;
  /** Difficulties that evaluation reports, ascending. */
  readonly levels: readonly number[];
  /** The difficulty at which the shipped seed model is half right. */
  readonly frontier: number;
  /** `count` different questions of exactly this difficulty, the same for the same stream; all keys differ. */
  heldOut(difficulty: number, count: number, random: Random): readonly Question[];
}

export interface TopicDefinition extends Topic {
  readonly hidden?: HiddenTruth;
}

/** A topic with the truth taken out of it. */
export interface DefinedTopic {
  readonly topic: Topic;
  readonly hidden: HiddenTruth | null;
}

/**
 * Checks a topic and takes the truth out of it: the `topic` that comes back is frozen and has no way to `hidden`.
 * Methods are called on that topic, so `this` cannot reach the truth either; helpers belong beside the definition, not in
 * it. Throws UsageError naming the part that is missing, wrong or unknown.
 *
 * @example
 * export const topic = defineTopic({
 *   name: "capitals",
 *   description: "Capitals of countries.",
 *   verification: "vote",
 *   maxTokens: { propose: 12, solve: 12 },
 *   proposePrompt: () => "Name one country.\nCountry:",
 *   readQuestion: (reply) => {
 *     const country = reply.trim();
 *     return /^[A-Z][a-z]+$/.test(country)
 *       ? { ok: true, value: { text: country, key: country, difficulty: country.length } }
 *       : { ok: false, reason: "not one capitalised word" };
 *   },
 *   solvePrompt: (question) => `The capital of ${question.text} is`,
 *   readAnswer: (reply) => {
 *     const city = /^ ([A-Z][a-z]+)\.?$/.exec(reply);
 *     return city === null ? { ok: false, reason: "not one city" } : { ok: true, value: city[1] };
 *   },
 * });
 */
export function defineTopic(definition: TopicDefinition): DefinedTopic {
  if (typeof definition !== "object" || definition === null)
    throw problem("a topic", "the definition is not an object");
  const name = `topic "${String(definition.name ?? "without a name")}"`;
  for (const key of Object.keys(definition)) {
    if (!knownParts.has(key)) throw problem(name, `"${key}" is not a part of a topic.${didYouMean(key, knownParts)}`);
  }
  requireText(name, definition, ["name", "description"]);
  requireOneOf(name, "verification", definition.verification, ["vote", "tests"]);
  requireFunctions(name, "", definition, ["proposePrompt", "readQuestion", "solvePrompt", "readAnswer"]);
  for (const role of ["propose", "solve"] as const) {
    const limit = definition.maxTokens?.[role];
    if (!Number.isInteger(limit) || limit < 1) throw problem(name, `maxTokens.${role} must be a whole number above 0`);
  }
  if (definition.restatements !== undefined) requireFunctions(name, "", definition, ["restatements"]);
  if (definition.paraphrase !== undefined) {
    requireFunctions(name, "paraphrase.", definition.paraphrase, ["prompt", "read"]);
  }
  if (definition.verification === "tests" || definition.language !== undefined) {
    requireOneOf(name, "language", definition.language, ["python", "javascript"]);
  }

  const topic: Topic = Object.freeze({
    name: definition.name,
    description: definition.description,
    verification: definition.verification,
    maxTokens: Object.freeze({ ...definition.maxTokens }),
    proposePrompt: definition.proposePrompt,
    readQuestion: definition.readQuestion,
    solvePrompt: definition.solvePrompt,
    readAnswer: definition.readAnswer,
    ...(definition.restatements && { restatements: definition.restatements }),
    ...(definition.paraphrase && { paraphrase: Object.freeze({ ...definition.paraphrase }) }),
    ...(definition.language && { language: definition.language }),
    ...(definition.settings && { settings: checkedSettings(name, definition.settings) }),
  });
  const hidden = definition.hidden == null ? null : checkedHidden(name, definition.hidden);
  return Object.freeze({ topic, hidden });
}

const knownParts: ReadonlySet<string> = new Set<keyof TopicDefinition>([
  "name",
  "description",
  "verification",
  "maxTokens",
  "proposePrompt",
  "readQuestion",
  "solvePrompt",
  "readAnswer",
  "restatements",
  "paraphrase",
  "language",
  "settings",
  "hidden",
]);

/** Their values are checked with the run's config, where the message can say which key may be what. */
function checkedSettings(name: string, settings: TopicSettings): TopicSettings {
  if (typeof settings !== "object" || settings === null) throw problem(name, "settings must be an object");
  const refused = ["topic", "model", "preset", "seed"].find((key) => key in settings);
  if (refused !== undefined) throw problem(name, `settings.${refused} is not a topic's to set`);
  return Object.freeze({ ...settings });
}

function checkedHidden(name: string, hidden: HiddenTruth): HiddenTruth {
  requireFunctions(name, "hidden.", hidden, ["check", "heldOut"]);
  const { levels, frontier } = hidden;
  if (!Array.isArray(levels) || levels.length === 0 || levels.some((level, i) => i > 0 && level <= levels[i - 1])) {
    throw problem(name, "hidden.levels must list at least one difficulty, ascending");
  }
  if (!levels.includes(frontier)) throw problem(name, "hidden.frontier must be one of hidden.levels");
  return Object.freeze({ check: hidden.check, levels: Object.freeze([...levels]), frontier, heldOut: hidden.heldOut });
}

function problem(name: string, what: string): UsageError {
  return new UsageError(
    `${name}: ${what}`,
    "Complete the definition that is given to defineTopic; its example shows every part.",
  );
}

function requireText<Key extends string>(
  name: string,
  object: Readonly<Record<Key, unknown>>,
  keys: readonly Key[],
): void {
  for (const key of keys) {
    const value = object[key];
    if (typeof value !== "string" || value.trim() === "")
      throw problem(name, `${key} is missing (a text that is not empty)`);
  }
}

function requireFunctions<Key extends string>(
  name: string,
  prefix: string,
  object: Readonly<Partial<Record<Key, unknown>>>,
  keys: readonly Key[],
): void {
  for (const key of keys) {
    if (typeof object[key] !== "function") throw problem(name, `${prefix}${key} is missing (a function)`);
  }
}

function requireOneOf(name: string, key: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value === "string" && allowed.includes(value)) return;
  throw problem(name, `${key} must be ${allowed.map((one) => `"${one}"`).join(" or ")}`);
}
