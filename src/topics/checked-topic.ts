// The border between sqlm and what a topic's author wrote: every function of a topic is called through here. What it throws
// and what it returns is checked, and a mistake is named with the topic's file, the function, what came and what should
// have come. A reply that cannot be read is data with a reason and passes; this is about topics that are wrong.
import { describeThrown, placeInStack, SqlmError, TopicError } from "../errors.ts";
import type { Question } from "../types.ts";

/** What is wrong with a value, as `came` and `should` of a sentence; null where nothing is. */
export type Check = (value: unknown) => { readonly came: string; readonly should: string } | null;

/** A function of a topic, and how it is named in messages. */
export interface Part {
  /** The topic's file, or its name. */
  readonly source: string;
  readonly part: string;
}

let inCall: Part | null = null;

/** The function of a topic that is being carried out at this moment; for who watches whether it ever returns. */
export function topicCall(): Part | null {
  return inCall;
}

/** The author's own function of each checked one: a topic that is defined anew, under its file's name, is checked once. */
const authorsOwn = new WeakMap<object, unknown>();

/** `wrapper`, remembered as standing for the author's function that `given` is or stands for. */
export function standFor<Wrapper extends object, Given extends object>(given: Given, wrapper: Wrapper): Wrapper {
  authorsOwn.set(wrapper, authorsOwn.get(given) ?? given);
  return wrapper;
}

/**
 * The function with its border: called with `self()` as `this`, and throwing TopicError for what it throws or returns wrongly.
 * Errors of this package pass: they say what is wrong by themselves.
 */
export function checked<Args extends unknown[], Result>(
  { source, part }: Part,
  given: (...args: Args) => Result,
  self: () => unknown,
  check: Check,
): (...args: Args) => Result {
  const body = (authorsOwn.get(given) ?? given) as typeof given;
  const name: Part = { source, part };
  const call = (...args: Args): Result => {
    const outer = inCall;
    inCall = name;
    let result: Result;
    try {
      result = body.apply(self(), args);
    } catch (cause) {
      throw thrown(name, cause, args);
    } finally {
      inCall = outer;
    }
    const problem = check(result);
    if (problem !== null) throw wrong(name, problem, args);
    return result;
  };
  return standFor(body, call);
}

/** As `checked`, for a function that may also return a promise of its result. */
export function checkedLater<Args extends unknown[], Result>(
  name: Part,
  given: (...args: Args) => Result | Promise<Result>,
  self: () => unknown,
  check: Check,
): (...args: Args) => Result | Promise<Result> {
  const call = checked(name, given, self, (value) => (isPromise(value) ? null : check(value)));
  const settled = (...args: Args): Result | Promise<Result> => {
    const result = call(...args);
    if (!isPromise(result)) return result;
    return (result as Promise<Result>).then(
      (value) => {
        const problem = check(value);
        if (problem !== null) throw wrong(name, problem, args);
        return value;
      },
      (cause: unknown) => {
        throw thrown(name, cause, args);
      },
    );
  };
  return standFor(call, settled);
}

function thrown({ source, part }: Part, cause: unknown, args: readonly unknown[]): unknown {
  if (cause instanceof SqlmError) return cause;
  const place = cause instanceof Error ? placeInStack(cause.stack) : null;
  const at = place === null ? "" : `, at ${place}`;
  return new TopicError(source, part, `threw ${describeThrown(cause)}${at}${givenWhat(args)}.`, { cause });
}

function wrong(
  { source, part }: Part,
  { came, should }: NonNullable<ReturnType<Check>>,
  args: readonly unknown[],
): TopicError {
  return new TopicError(source, part, `returned ${came}, where it must return ${should}${givenWhat(args)}.`);
}

/** `, when it was given "12"`: the reply, question or answer that the mistake was seen with. */
function givenWhat([first]: readonly unknown[]): string {
  if (typeof first === "string") return `, when it was given ${quoted(first)}`;
  const text = typeof first === "object" && first !== null && "text" in first ? first.text : undefined;
  return typeof text === "string" ? `, when it was given the question ${quoted(text)}` : "";
}

function quoted(text: string): string {
  const characters = [...text];
  return JSON.stringify(characters.length <= 80 ? text : `${characters.slice(0, 79).join("")}…`);
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as its author would speak of it. */
function describe(value: unknown): string {
  if (value === undefined) return "nothing (undefined)";
  if (value === null) return "null";
  if (typeof value === "string") return `the text ${quoted(value)}`;
  if (isPromise(value)) return "a Promise (an async function)";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return `an object with ${Object.keys(value).join(", ") || "no fields"}`;
  return typeof value === "function" ? "a function" : `the ${typeof value} ${String(value)}`;
}

/** Refuses `value` for not being `should`. A promise that nobody waits for must not end the process when it fails. */
function refuse(value: unknown, should: string): { readonly came: string; readonly should: string } {
  if (isPromise(value)) value.then(undefined, () => {});
  return { came: describe(value), should };
}

const promptShould = 'a text, or a list of chat messages like { role: "user", content: "…" }';

export const isPrompt: Check = (value) => {
  if (typeof value === "string") return null;
  if (!Array.isArray(value) || value.length === 0) return refuse(value, promptShould);
  const bad = value.find(
    (message) =>
      !isRecord(message) ||
      !["system", "user", "assistant"].includes(message["role"] as string) ||
      typeof message["content"] !== "string",
  );
  return bad === undefined ? null : { came: `a message that is ${describe(bad)}`, should: promptShould };
};

/** `{ ok: true, value }` with a value that passes `check`, or `{ ok: false, reason }`. */
export function isReading(check: Check): Check {
  return (reading) => {
    const should = '{ ok: true, value } or { ok: false, reason: "…" }';
    if (!isRecord(reading) || typeof reading["ok"] !== "boolean") return refuse(reading, should);
    if (reading["ok"]) return check(reading["value"]);
    if (typeof reading["reason"] === "string") return null;
    return { came: `{ ok: false } whose reason is ${describe(reading["reason"])}`, should: "a reason that is a text" };
  };
}

export const isAnswer: Check = (value) =>
  typeof value === "string"
    ? null
    : refuse(value, "an answer that is a text, for example String(number): equal answers are equal texts");

export const isBoolean: Check = (value) => (typeof value === "boolean" ? null : refuse(value, "true or false"));

const questionParts: ReadonlySet<string> = new Set<keyof Question>(["text", "key", "difficulty", "kind", "tests"]);

export const isQuestion: Check = (value) => {
  if (!isRecord(value)) return refuse(value, "a question { text, key, difficulty }");
  const field = (name: string, what: string) => ({
    came: `a question whose ${name} is ${describe(value[name])}`,
    should: `one whose ${name} is ${what}`,
  });
  if (typeof value["text"] !== "string" || value["text"] === "") return field("text", "a text that is not empty");
  if (typeof value["key"] !== "string" || value["key"] === "") {
    return field("key", "a text, equal for questions that ask the same");
  }
  if (!Number.isFinite(value["difficulty"])) return field("difficulty", "a finite number");
  if (value["kind"] !== undefined && typeof value["kind"] !== "string") return field("kind", "a text, or nothing");
  if (value["tests"] !== undefined && !Array.isArray(value["tests"])) return field("tests", "a list of unit tests");
  const extra = Object.keys(value).find((name) => !questionParts.has(name) && !isStorable(value[name]));
  return extra === undefined ? null : field(extra, "plain data, or nothing: questions are stored as JSON");
};

function isStorable(value: unknown): boolean {
  try {
    return value === undefined || JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

export const isRestatements: Check = (value) => {
  if (!Array.isArray(value)) return refuse(value, "a list of restatements; where there are none, an empty list");
  for (const one of value) {
    if (!isRecord(one) || typeof one["toOriginal"] !== "function") {
      return {
        came: `a restatement that is ${describe(one)}`,
        should: "restatements { question, toOriginal: (answer) => … }",
      };
    }
    const problem = isQuestion(one["question"]);
    if (problem !== null) return { came: `a restatement with ${problem.came}`, should: problem.should };
  }
  return null;
};

export const isInverseCheck: Check = (value) => {
  if (value === null) return null;
  const should = "{ prompts, expected } with at least one prompt, and two where expected is null; or null";
  if (!isRecord(value) || !Array.isArray(value["prompts"])) return refuse(value, should);
  const { prompts, expected } = value as { readonly prompts: readonly unknown[]; readonly expected?: unknown };
  if (expected !== null && typeof expected !== "string") {
    return { came: `an inverse check whose expected is ${describe(expected)}`, should: "a text, or null" };
  }
  if (prompts.length < (expected === null ? 2 : 1)) {
    return { came: `an inverse check with ${prompts.length} prompts`, should };
  }
  for (const prompt of prompts) {
    const problem = isPrompt(prompt);
    if (problem !== null) return problem;
  }
  return null;
};

/** `count` questions at most, at least one, all of this difficulty and with keys of their own. */
export function isHeldOut(difficulty: number, count: number): Check {
  return (value) => {
    if (!Array.isArray(value)) return refuse(value, "a list of questions");
    if (value.length > count || (value.length === 0 && count > 0)) {
      return {
        came: `${value.length} questions of difficulty ${difficulty}`,
        should: `${count}, or fewer where there are no more`,
      };
    }
    const keys = new Set<string>();
    for (const question of value as readonly Question[]) {
      const problem = isQuestion(question);
      if (problem !== null) return problem;
      if (question.difficulty !== difficulty) {
        const came = `the question ${quoted(question.text)} of difficulty ${question.difficulty}`;
        return { came, should: `questions of difficulty ${difficulty}` };
      }
      if (keys.has(question.key)) {
        return {
          came: `two questions with the key ${quoted(question.key)}`,
          should: "different questions, each with its own key",
        };
      }
      keys.add(question.key);
    }
    return null;
  };
}
