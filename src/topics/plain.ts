// A topic given in words, such as "geometry with circles", for instruction-tuned models with a chat template. Nothing is
// known about the subject: questions are read by a strict contract (one, between markers), answers are the marked ones,
// compared as mathematics, and the restatement is a paraphrase by the model itself. There is no hidden truth, so such a
// topic cannot be evaluated, only watched.

import { markedAnswer } from "../answer/answer.ts";
import { UsageError } from "../errors.ts";
import { refuse } from "../reading.ts";
import type { Question, Reading } from "../types.ts";
import { type DefinedTopic, defineTopic } from "./define-topic.ts";
import { type PlainPrompts, plainPrompts, questionMarkers } from "./plain-prompts.ts";
import { withoutThoughts } from "./words.ts";

const maxSubjectCharacters = 200;
const maxQuestionCharacters = 1500;
/** Earlier questions that a proposer is shown. */
const shownQuestions = 3;

/**
 * A topic about `subject`. Throws UsageError for a subject that is empty, too long or more than one line.
 *
 * @example
 * import { plainTopic } from "self-questioning";
 *
 * const { topic } = plainTopic("geometry with circles");
 * console.log(topic.readQuestion("<question>How long is the edge of a circle of radius 2?</question>"));
 */
export function plainTopic(subject: string, options: { readonly prompts?: PlainPrompts } = {}): DefinedTopic {
  const words = subject.trim();
  if (words === "" || words.length > maxSubjectCharacters || /[\p{Cc}]/u.test(words) || !words.isWellFormed()) {
    throw new UsageError(
      `A topic in words is one line of 1 to ${maxSubjectCharacters} characters, not ${JSON.stringify(subject.slice(0, 60))}.`,
      'Name a subject, as in "plain:geometry with circles".',
    );
  }
  const prompts = options.prompts ?? plainPrompts;
  return defineTopic({
    name: `plain:${words}`,
    description: `Questions about ${words}, for models that follow instructions.`,
    verification: "vote",
    maxTokens: { propose: 512, solve: 1024 },
    proposePrompt: ({ random, recent }) => {
      const shown = random.shuffle(recent).slice(0, shownQuestions);
      return prompts.propose(
        words,
        shown.map((question) => question.text),
      );
    },
    readQuestion,
    solvePrompt: (question) => prompts.solve(words, question.text),
    readAnswer: (reply) => readMarked(reply),
    paraphrase: {
      prompt: (question) => prompts.paraphrase(words, question.text),
      read: (reply, question) => readParaphrase(reply, question),
    },
  });
}

/** Exactly one marked question and nothing after it; what a model says before it is allowed. */
function readQuestion(reply: string): Reading<Question> {
  const said = withoutThoughts(reply);
  const [before, rest, ...more] = said.split(questionMarkers.open);
  if (rest === undefined) return refuse("no marked question");
  if (more.length > 0) return refuse("more than one marked question");
  if (before.includes(questionMarkers.close)) return refuse("markers in the wrong order");
  const [inside, after, ...closes] = rest.split(questionMarkers.close);
  if (after === undefined) return refuse("the question has no end");
  if (closes.length > 0) return refuse("more than one marked question");
  if (after.trim() !== "") return refuse("text after the question");
  const text = inside.trim().replace(/\s+/g, " ");
  if (!text.isWellFormed() || text.includes("\ufffd")) return refuse("not Unicode");
  if (text.length > maxQuestionCharacters) return refuse(`longer than ${maxQuestionCharacters} characters`);
  if (!/\p{L}{2}/u.test(text)) return refuse("no words in the question");
  if (/\\boxed\b|\banswer\s*(?:is|:)/i.test(text)) return refuse("the question gives an answer");
  return { ok: true, value: { text, key: keyOf(text), difficulty: text.split(" ").length } };
}

/** Letters, digits and operators in order, so that case, spacing and punctuation make no new question. */
const keyOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}+\-*/^=<>]+/gu, " ")
    .trim();

/** A box is asked for, so a reply without one is refused; where more is marked behind it, the last mark counts. */
function readMarked(reply: string): Reading<string> {
  const said = withoutThoughts(reply);
  return said.includes("\\boxed") ? markedAnswer(said) : refuse("no marked answer");
}

/** A paraphrase must be another text with the same numbers; otherwise it may ask something else. */
function readParaphrase(reply: string, original: Question): Reading<Question> {
  const read = readQuestion(reply);
  if (!read.ok) return read;
  if (read.value.key === original.key) return refuse("not other words");
  const numbers = (text: string): string => (text.match(/\d+(?:[.,]\d+)*/g) ?? []).sort().join(" ");
  if (numbers(read.value.text) !== numbers(original.text)) return refuse("other numbers than the question");
  return read;
}
