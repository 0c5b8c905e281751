// Questions with answers that a user gives a topic in words: examples that the model is shown, and questions that it is evaluated
// on and never sees in training. The two files may not share a question.
import { canonicalAnswer } from "../answer/answer.ts";
import { readJsonLines } from "../config/json-lines-file.ts";
import { UsageError } from "../errors.ts";

/** A line of such a file. */
export interface GivenQuestion {
  readonly question: string;
  /** The right answer, or working that ends in it. */
  readonly answer: string;
  /** `file:line`. */
  readonly place: string;
}

const longest = { question: 1500, answer: 4000 } as const;
const hint = 'Each line holds one question with its answer: {"question": "…", "answer": "…"}.';

/**
 * The questions of a file of JSON lines, {question, answer} each; other keys are left alone. Throws UsageError naming file and line
 * for one that lacks a part, has an answer that cannot be read as one, or asks what an earlier line asks.
 * @param what what the file is to the user, for example `eval file`
 * @param keyOf equal for questions that ask the same
 */
export function readQuestions(path: string, what: string, keyOf: (text: string) => string): GivenQuestion[] {
  const places = new Map<string, string>();
  return readJsonLines(path, what).map(({ place, value }) => {
    const question = textOf(place, value, "question").trim().replace(/\s+/g, " ");
    const given = value["answer"];
    const answer = typeof given === "number" ? String(given) : textOf(place, value, "answer").trim();
    const read = canonicalAnswer(answer);
    if (!read.ok) throw new UsageError(`${place}: the answer cannot be read as one: ${read.reason}.`, hint);
    const key = keyOf(question);
    if (key === "") throw new UsageError(`${place}: the question holds no word and no number.`, hint);
    const earlier = places.get(key);
    if (earlier !== undefined) {
      throw new UsageError(`${place} asks the same as ${earlier}.`, "Leave one of the two out.");
    }
    places.set(key, place);
    return { question, answer, place };
  });
}

function textOf(place: string, value: Readonly<Record<string, unknown>>, key: "question" | "answer"): string {
  const text = value[key];
  if (typeof text !== "string" || text.trim() === "") {
    throw new UsageError(`${place} lacks "${key}"${text === undefined ? "" : " (a text that is not empty)"}.`, hint);
  }
  if (text.length > longest[key]) {
    throw new UsageError(
      `${place}: the ${key} is longer than ${longest[key]} characters.`,
      "Shorten it, or leave it out.",
    );
  }
  if (!text.isWellFormed()) throw new UsageError(`${place}: the ${key} is not Unicode.`, hint);
  return text;
}

/** Throws UsageError where a question to be evaluated on is one of the examples: the model would have seen its answer. */
export function refuseOverlap(
  evaluation: readonly GivenQuestion[],
  examples: readonly GivenQuestion[],
  keyOf: (text: string) => string,
): void {
  const shown = new Map(examples.map(({ question, place }) => [keyOf(question), place]));
  for (const { question, place } of evaluation) {
    const example = shown.get(keyOf(question));
    if (example === undefined) continue;
    throw new UsageError(
      `${place} asks what the example ${example} shows with its answer.`,
      "Take the question out of one of the two files: what is shown says nothing about ability.",
    );
  }
}
