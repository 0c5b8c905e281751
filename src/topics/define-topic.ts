// The one extension point: a topic says what to ask about, how to read questions and answers, and how to verify.
// What knows the truth (`hidden`) is kept apart from what training sees (`topic`): the loop's reward path is typed to
// receive a Topic only, so a checker cannot reach a reward.
import { didYouMean, UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Question } from "../types.ts";
import {
  checked,
  checkedLater,
  isAnswer,
  isBoolean,
  isHeldOut,
  isInverseCheck,
  isPrompt,
  isQuestion,
  isReading,
  isRestatements,
  type Part,
  standFor,
} from "./checked-topic.ts";
import type { Conclusion, QuestionGenerator, Topic, TopicSettings } from "./topic.ts";

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
  /**
   * Where the truth is a list of questions with their answers: the keys of all of them. It says nothing of any other question, and
   * training may see none of them, also those that an evaluation leaves out. Left out where every question can be checked.
   */
  readonly onlyKeys?: readonly string[];
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
 * it. Throws UsageError naming the part that is missing, wrong or unknown. Its functions then throw TopicError where the
 * definition's throw, or return what they may not.
 * @param source what messages call the topic: the path of its file; its name where left out
 *
 * @example
 * import { defineTopic } from "self-questioning";
 *
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
 *     const [, city = ""] = /^ ([A-Z][a-z]+)\.?$/.exec(reply) ?? [];
 *     return city === "" ? { ok: false, reason: "not one city" } : { ok: true, value: city };
 *   },
 * });
 */
export function defineTopic(definition: TopicDefinition, source?: string): DefinedTopic {
  if (typeof definition !== "object" || definition === null)
    throw problem("a topic", "the definition is not an object");
  const name = `topic "${String(definition.name ?? "without a name")}"`;
  requireKnown(name, "", definition, knownParts);
  requireText(name, definition, ["name", "description"]);
  requireOneOf(name, "verification", definition.verification, ["vote", "tests"]);
  requireFunctions(name, "", definition, ["proposePrompt", "readQuestion", "solvePrompt", "readAnswer"]);
  for (const role of ["propose", "solve"] as const) {
    requireCount(name, `maxTokens.${role}`, definition.maxTokens?.[role]);
  }
  for (const [role, text] of Object.entries(definition.stopText ?? {})) {
    if (role !== "propose" && role !== "solve") throw problem(name, `stopText.${role} is not a role: propose, solve`);
    requireStopText(name, `stopText.${role}`, text);
  }
  if (definition.conclusion !== undefined) requireConclusion(name, definition);
  if (definition.levels !== undefined && !isAscending(definition.levels))
    throw problem(name, "levels must list at least one difficulty, ascending numbers");
  for (const part of ["restatements", "inverseCheck"] as const) {
    if (definition[part] !== undefined) requireFunctions(name, "", definition, [part]);
  }
  if (definition.paraphrase !== undefined) {
    requireFunctions(name, "paraphrase.", definition.paraphrase, ["prompt", "read"]);
  }
  if (definition.generator !== undefined) requireGenerator(name, definition);
  if (definition.verification === "tests" || definition.language !== undefined) {
    requireOneOf(name, "language", definition.language, ["python", "javascript"]);
  }

  const topic = checkedTopic(definition, name, source ?? name);
  const hidden = definition.hidden == null ? null : checkedHidden(name, definition.hidden, source ?? name);
  return Object.freeze({ topic, hidden });
}

/** The same topic with longest replies of other lengths; 0, or nothing, leaves a length as the topic has it. */
export function withReplyLengths(
  defined: DefinedTopic,
  {
    maxQuestionTokens = 0,
    maxAnswerTokens = 0,
  }: { readonly maxQuestionTokens?: number; readonly maxAnswerTokens?: number },
): DefinedTopic {
  if (maxQuestionTokens === 0 && maxAnswerTokens === 0) return defined;
  const { propose, solve } = defined.topic.maxTokens;
  const maxTokens = Object.freeze({ propose: maxQuestionTokens || propose, solve: maxAnswerTokens || solve });
  return Object.freeze({ topic: Object.freeze({ ...defined.topic, maxTokens }), hidden: defined.hidden });
}

/** The topic without its truth, each function behind its border. */
function checkedTopic(definition: TopicDefinition, name: string, source: string): Topic {
  const self = (): Topic => topic;
  const { restatements, inverseCheck, paraphrase } = definition;
  const topic: Topic = Object.freeze({
    name: definition.name,
    description: definition.description,
    verification: definition.verification,
    maxTokens: Object.freeze({ ...definition.maxTokens }),
    ...(definition.stopText && { stopText: Object.freeze({ ...definition.stopText }) }),
    proposePrompt: checked({ source, part: "proposePrompt" }, definition.proposePrompt, self, isPrompt),
    readQuestion: checked({ source, part: "readQuestion" }, definition.readQuestion, self, isReading(isQuestion)),
    solvePrompt: checked({ source, part: "solvePrompt" }, definition.solvePrompt, self, isPrompt),
    readAnswer: checked({ source, part: "readAnswer" }, definition.readAnswer, self, isReading(isAnswer)),
    ...(definition.conclusion && { conclusion: Object.freeze({ ...definition.conclusion }) }),
    ...(definition.levels && { levels: Object.freeze([...definition.levels]) }),
    ...(restatements && { restatements: checkedRestatements(restatements, self, source) }),
    ...(inverseCheck && {
      inverseCheck: checked({ source, part: "inverseCheck" }, inverseCheck, self, isInverseCheck),
    }),
    ...(paraphrase && { paraphrase: checkedParaphrase(paraphrase, source) }),
    ...(definition.generator && { generator: checkedGenerator(definition.generator, source) }),
    ...(definition.language && { language: definition.language }),
    ...(definition.settings && { settings: checkedSettings(name, definition.settings) }),
  });
  return topic;
}

/** The map back to the original is a function of the topic too, made anew with each restatement. */
function checkedRestatements(
  given: NonNullable<Topic["restatements"]>,
  self: () => Topic,
  source: string,
): NonNullable<Topic["restatements"]> {
  const restatements = checked({ source, part: "restatements" }, given, self, isRestatements);
  return standFor(given, (question: Question) =>
    restatements(question).map((one) => ({
      question: one.question,
      toOriginal: checked({ source, part: "toOriginal of a restatement" }, one.toOriginal, () => one, isAnswer),
    })),
  );
}

function checkedParaphrase(given: NonNullable<Topic["paraphrase"]>, source: string): NonNullable<Topic["paraphrase"]> {
  const paraphrase: NonNullable<Topic["paraphrase"]> = Object.freeze({
    prompt: checked({ source, part: "paraphrase.prompt" }, given.prompt, () => paraphrase, isPrompt),
    read: checked({ source, part: "paraphrase.read" }, given.read, () => paraphrase, isReading(isQuestion)),
  });
  return paraphrase;
}

const conclusionParts: ReadonlySet<string> = new Set<keyof Conclusion>(["text", "maxTokens", "stopText"]);

function requireConclusion(name: string, { verification, conclusion }: TopicDefinition): void {
  if (verification === "tests") throw problem(name, "conclusion opens an answer in words, and programs have none");
  requireKnown(name, "conclusion.", conclusion!, conclusionParts);
  const { text, maxTokens, stopText } = conclusion!;
  if (typeof text !== "string" || text.trim() === "")
    throw problem(name, "conclusion.text must be a text that says something");
  requireCount(name, "conclusion.maxTokens", maxTokens);
  if (stopText !== undefined) requireStopText(name, "conclusion.stopText", stopText);
}

function requireGenerator(name: string, { verification, generator }: TopicDefinition): void {
  if (verification === "tests")
    throw problem(name, "generator draws questions with their tests, which say what is right");
  requireFunctions(name, "generator.", generator!, ["draw"]);
  if (!isAscending(generator!.levels))
    throw problem(name, "generator.levels must list at least one difficulty, ascending numbers");
}

function checkedGenerator(given: QuestionGenerator, source: string): QuestionGenerator {
  const generator: QuestionGenerator = Object.freeze({
    levels: Object.freeze([...given.levels]),
    draw: drawChecked(given.draw, { source, part: "generator.draw" }, () => generator),
  });
  return generator;
}

type Draw = QuestionGenerator["draw"];

/** What is asked for decides what may come, so the check is made with the call. */
function drawChecked(given: Draw, part: Part, self: () => unknown): Draw {
  return standFor(given, (difficulty: number, count: number, random: Random) =>
    checked(part, given, self, isHeldOut(difficulty, count))(difficulty, count, random),
  );
}

function isAscending(levels: unknown): boolean {
  return (
    Array.isArray(levels) &&
    levels.length > 0 &&
    levels.every((level, i) => Number.isFinite(level) && (i === 0 || level > levels[i - 1]))
  );
}

const knownParts: ReadonlySet<string> = new Set<keyof TopicDefinition>([
  "name",
  "description",
  "verification",
  "maxTokens",
  "stopText",
  "conclusion",
  "proposePrompt",
  "levels",
  "readQuestion",
  "solvePrompt",
  "readAnswer",
  "restatements",
  "inverseCheck",
  "paraphrase",
  "generator",
  "language",
  "settings",
  "hidden",
]);

const hiddenParts: ReadonlySet<string> = new Set<keyof HiddenTruth>([
  "check",
  "levels",
  "frontier",
  "heldOut",
  "onlyKeys",
]);

/** Their values are checked with the run's config, where the message can say which key may be what. */
function checkedSettings(name: string, settings: TopicSettings): TopicSettings {
  if (typeof settings !== "object" || settings === null) throw problem(name, "settings must be an object");
  const refused = ["topic", "preset", "seed"].find((key) => key in settings);
  if (refused !== undefined) throw problem(name, `settings.${refused} is not a topic's to set`);
  return Object.freeze({ ...settings });
}

function checkedHidden(name: string, hidden: HiddenTruth, source: string): HiddenTruth {
  requireKnown(name, "hidden.", hidden, hiddenParts);
  requireFunctions(name, "hidden.", hidden, ["check", "heldOut"]);
  const { levels, frontier } = hidden;
  if (!isAscending(levels)) throw problem(name, "hidden.levels must list at least one difficulty, ascending numbers");
  if (!levels.includes(frontier)) throw problem(name, "hidden.frontier must be one of hidden.levels");
  const { onlyKeys } = hidden;
  if (onlyKeys !== undefined && !(Array.isArray(onlyKeys) && onlyKeys.every((key) => typeof key === "string"))) {
    throw problem(name, "hidden.onlyKeys must list keys of questions");
  }
  const truth: HiddenTruth = Object.freeze({
    check: checkedLater({ source, part: "hidden.check" }, hidden.check, () => truth, isBoolean),
    levels: Object.freeze([...levels]),
    frontier,
    heldOut: drawChecked(hidden.heldOut, { source, part: "hidden.heldOut" }, () => truth),
    ...(onlyKeys && { onlyKeys: Object.freeze([...onlyKeys]) }),
  });
  return truth;
}

function problem(name: string, what: string): UsageError {
  return new UsageError(
    `${name}: ${what}`,
    "Complete the definition that is given to defineTopic; its example shows every part.",
  );
}

function requireKnown(name: string, prefix: string, object: object, known: ReadonlySet<string>): void {
  for (const key of Object.keys(object)) {
    if (known.has(key)) continue;
    throw problem(name, `"${prefix}${key}" is not a part of a topic.${didYouMean(key, known)}`);
  }
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

function requireCount(name: string, key: string, value: unknown): void {
  if (!Number.isInteger(value) || Number(value) < 1) throw problem(name, `${key} must be a whole number above 0`);
}

function requireStopText(name: string, key: string, value: unknown): void {
  if (typeof value !== "string" || value === "") throw problem(name, `${key} must be a text that is not empty`);
}

function requireOneOf(name: string, key: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value === "string" && allowed.includes(value)) return;
  throw problem(name, `${key} must be ${allowed.map((one) => `"${one}"`).join(" or ")}`);
}
