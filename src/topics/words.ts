// Shared by the topics that speak to instruct models: a topic's notation put into words and heard back, and numbers read from
// replies in words. The questions are those of the notation, so what is the same, how hard it is and what is right stay decided there.
import { markedAnswer } from "../answer/answer.ts";
import { UsageError } from "../errors.ts";
import { refuse } from "../reading.ts";
import type { ChatMessage, Question, Reading, Restatement } from "../types.ts";
import type { HiddenTruth } from "./define-topic.ts";

/** Two ways to write one question. */
export interface Wording {
  /** The words for a question in the topic's notation. */
  say(notation: string): string;
  /** The notation of a question in words; strict about what is asked. */
  hear(words: string): Reading<string>;
}

export const user = (content: string): ChatMessage => ({ role: "user", content });
/** A turn of the model; as the last one, the beginning of its reply. */
export const assistant = (content: string): ChatMessage => ({ role: "assistant", content });

/** The same question, put into words. */
export const inWords = ({ say }: Wording, question: Question): Question => ({ ...question, text: say(question.text) });

/** The same question in the topic's notation. Throws UsageError where the words ask nothing that the topic knows. */
export function inNotation({ hear }: Wording, topic: string, question: Question, hint: string): Question {
  const heard = hear(question.text);
  if (heard.ok) return { ...question, text: heard.value };
  throw new UsageError(`"${question.text}" is not a question of ${topic}: ${heard.reason}.`, hint);
}

export const restatementsInWords = (wording: Wording, forms: readonly Restatement[]): readonly Restatement[] =>
  forms.map(({ question, toOriginal }) => ({ question: inWords(wording, question), toOriginal }));

/** The forms that ask neither the same as the question nor as one before them, such as `8 * 7` beside `7 * 8`. */
export const otherQuestions = ({ key }: Question, forms: readonly Restatement[]): readonly Restatement[] =>
  forms.filter(
    (form, index) =>
      form.question.key !== key && forms.findIndex(({ question }) => question.key === form.question.key) === index,
  );

/** The same truth about questions in words. */
export function truthInWords(
  wording: Wording,
  truth: HiddenTruth,
  { topic, hint, levels, frontier }: Pick<HiddenTruth, "levels" | "frontier"> & { topic: string; hint: string },
): HiddenTruth {
  return {
    check: (question, answer, sandbox) => truth.check(inNotation(wording, topic, question, hint), answer, sandbox),
    levels,
    frontier,
    heldOut: (difficulty, count, random) =>
      truth.heldOut(difficulty, count, random).map((question) => inWords(wording, question)),
  };
}

/** What opens a reply that is to be a bare answer. */
export const openedBox = "\\boxed{";

/** What a reasoning model thought is not part of its reply; nothing is left of one that was cut off while thinking. */
export function withoutThoughts(reply: string): string {
  const end = reply.lastIndexOf("</think>");
  return end >= 0 ? reply.slice(end + "</think>".length) : reply.includes("<think>") ? "" : reply;
}

/** A last box that is left open though its sentence ended, as in `\boxed{"north".`: closed before the sentence's end. */
const withEndedBox = (said: string): string =>
  said.replace(/(\\boxed\{)["“']?([^{}\n]{1,80}?)(?:["”']\.?|(?<!\d)\.)\s*$/, "$1$2}");

/**
 * What a reply answers: its last box, else what "answer is" says, a number in it before words, else its last number. The canonical
 * text of `markedAnswer`.
 */
export function readConclusion(reply: string): Reading<string> {
  const said = withEndedBox(withoutThoughts(reply));
  if (said.includes("\\boxed")) return markedAnswer(said);
  const concluded = /\banswer\s*(?:is|:|=)(?!.*\banswer\s*(?:is|:|=))(.*)/is.exec(said)?.[1];
  const numbers = (concluded ?? said).match(/(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?:\s*\/\s*\d+)?(?![\w])/g) ?? [];
  const number = concluded === undefined ? numbers.at(-1) : numbers[0];
  const words =
    concluded === undefined ? undefined : /^[\s:*"']*([^.\n]{1,80}?)[*"'\s]*(?:[.\n]|$)/.exec(concluded)?.[1];
  const answer = number ?? words;
  return answer === undefined ? refuse("no marked answer") : markedAnswer(`\\boxed{${answer}}`);
}

/** A value that follows what the question asked for has so many words at most: a longer one says more than a value. */
const maxRestatedWords = 5;
const maxRestatingCharacters = 300;

/** Words that a sentence may have beside those of the question without being about something else. */
const joining = new Set(["a", "an", "the", "of", "to", "for", "in", "word", "words"]);

/**
 * What one sentence says of what it repeats from the question: "The capital of Peru is Lima." to "What is the capital of Peru?", in whatever
 * order. Null where a reply is marked, is more than that sentence, is about another word, or repeats fewer than two.
 */
export function readRestated(reply: string, question: Question): Reading<string> | null {
  const said = withoutThoughts(reply).trim();
  if (said.length > maxRestatingCharacters || /\\boxed|\banswer\b|\n/i.test(said)) return null;
  const asked = ` ${keyOf(question.text)} `;
  const words = new Set(asked.trim().split(" "));
  const repeats = (subject: string): boolean => {
    const named = subject.split(" ").filter((word) => !joining.has(word));
    return named.length >= 2 && named.every((word) => words.has(word));
  };
  for (const { index, 0: copula } of said.matchAll(/\s(?:is|are|was|were)\s/g)) {
    const subject = keyOf(said.slice(0, index).replace(/^the\s/i, ""));
    const value = said.slice(index + copula.length).replace(/[.!]$/, "");
    const isOneValue =
      value.split(/\s+/).length <= maxRestatedWords &&
      !/[{}\\]|[.!?]\s+\p{Lu}\p{Ll}|^(?:not|no|never|also|called|known)\b/u.test(value);
    const isAsked = /[ +*/^=<>]/.test(subject) && asked.includes(` ${subject} `);
    if (isOneValue && (isAsked || repeats(subject))) return markedAnswer(`\\boxed{${value}}`);
  }
  return null;
}

/** Letters, digits and operators in order, so that case, spacing and punctuation make no new question, nor a comma in 1,000. */
export const keyOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/(\d),(?=\d{3}(?!\d))/g, "$1")
    .replace(/[^\p{L}\p{N}+\-*/^=<>]+/gu, " ")
    .replace(/\s*([+*/^=<>])\s*/g, "$1")
    .trim();

/** The number that a reply answers, canonical and in lowest terms: `7/2` for `\boxed{3.5}`. */
export function readNumber(reply: string): Reading<string> {
  const read = readConclusion(reply);
  return read.ok && !isNumber(read.value) ? refuse("the answer is not a number") : read;
}

const isNumber = (value: string): boolean => /^-?\d+(?:\/\d+)?$/.test(value);

/** Also of a whole number only. */
export function readWholeNumber(reply: string): Reading<string> {
  const number = readNumber(reply);
  return number.ok && number.value.includes("/") ? refuse("not a whole number") : number;
}

/** A reply that went on behind an opened box, with the box; one that ended there without closing it has said its answer. */
export const withOpenedBox = (reply: string): string =>
  reply.includes("\\boxed") ? reply : `${openedBox}${reply}${reply.includes("}") ? "" : "}"}`;
