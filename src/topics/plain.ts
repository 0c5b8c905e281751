// A topic given in words, such as "geometry with circles", for instruction-tuned models with a chat template. Nothing is
// known about the subject: questions are read by a strict contract (one, between markers), answers are the marked ones,
// compared as mathematics, and the restatement is a paraphrase by the model itself. The truth about its questions is not known, so it
// can be evaluated only on questions with answers that the user gives, which training never sees; without them it is watched.

import { answersEqual } from "../answer/answer.ts";
import { UsageError } from "../errors.ts";
import { refuse } from "../reading.ts";
import type { ChatMessage, Question, Reading } from "../types.ts";
import { type DefinedTopic, defineTopic, type HiddenTruth } from "./define-topic.ts";
import { type PlainExample, type PlainPrompts, plainPrompts, questionMarkers } from "./plain-prompts.ts";
import { type GivenQuestion, readQuestions, refuseOverlap } from "./plain-questions.ts";
import { keyOf, readConclusion, readRestated, withoutThoughts } from "./words.ts";

const maxSubjectCharacters = 200;
const maxQuestionCharacters = 1500;
/** Earlier questions that a proposer is shown. */
const shownQuestions = 3;
/** Examples of the user's that a prompt shows. */
const shownExamples = 3;

/** What a user may give beside the subject. */
export interface PlainOptions {
  readonly prompts?: PlainPrompts;
  /** Path of a file of JSON lines {question, answer} that the topic is evaluated on, and that training never sees. */
  readonly evalFile?: string;
  /** Path of such a file whose questions are shown to the model: to the proposer without answers, to the solver with them. */
  readonly examples?: string;
}

/**
 * A topic about `subject`. Throws UsageError for a subject that is empty, too long or more than one line, and for a file with a line
 * that is no question with an answer, or that shares a question with the other file.
 *
 * @example
 * import { plainTopic } from "self-questioning";
 *
 * const { topic } = plainTopic("geometry with circles");
 * console.log(topic.readQuestion("<question>How long is the edge of a circle of radius 2?</question>"));
 */
export function plainTopic(subject: string, options: PlainOptions = {}): DefinedTopic {
  const words = subject.trim();
  if (words === "" || words.length > maxSubjectCharacters || /[\p{Cc}]/u.test(words) || !words.isWellFormed()) {
    throw new UsageError(
      `A topic in words is one line of 1 to ${maxSubjectCharacters} characters, not ${JSON.stringify(subject.slice(0, 60))}.`,
      'Name a subject, as in "plain:geometry with circles".',
    );
  }
  const prompts = options.prompts ?? plainPrompts;
  const given = options.examples === undefined ? [] : readQuestions(options.examples, "file of examples", keyOf);
  const evaluation = options.evalFile === undefined ? [] : readQuestions(options.evalFile, "eval file", keyOf);
  refuseOverlap(evaluation, given, keyOf);
  const examples = given.map(exampleOf);
  const opened = {
    propose: isOpened(prompts.propose(words, [], [])),
    paraphrase: isOpened(prompts.paraphrase(words, "")),
  };
  return defineTopic({
    name: `plain:${words}`,
    description: `Questions about ${words}, for models that follow instructions.`,
    verification: "vote",
    // Nothing reads what is between the marks: paid for disagreement a 0.5B proposer left the subject within 20 steps (0097).
    // Weights of its own, since with the solver's it asks more and more of the same as these learn to answer.
    settings: { proposerEvery: 0, proposerWeights: "separate" },
    maxTokens: { propose: 200, solve: 512 },
    // One reply in eight to what a small model asks says no answer (docs/decisions/0103). A brace alone may close less than the box.
    conclusion: { text: " The answer is \\boxed{", maxTokens: 48, stopText: "}." },
    // Where the prompt has opened the question, nothing else can come first that is closed like this.
    ...(opened.propose ? { stopText: { propose: "</" } } : {}),
    proposePrompt: ({ random, recent }) => {
      const shown = random.shuffle(recent).slice(0, shownQuestions);
      return prompts.propose(
        words,
        shown.map((question) => question.text),
        examples.length <= shownExamples ? examples : random.shuffle(examples).slice(0, shownExamples),
      );
    },
    readQuestion: (reply) => readQuestion(reply, opened.propose),
    // Always the same ones: what all prompts begin with is computed once.
    solvePrompt: (question) => prompts.solve(words, question.text, examples.slice(0, shownExamples)),
    readAnswer: (reply, question) => readRestated(reply, question) ?? readConclusion(reply),
    paraphrase: {
      prompt: (question) => prompts.paraphrase(words, question.text),
      read: (reply, question) => readParaphrase(reply, question, opened.paraphrase),
    },
    ...(evaluation.length === 0 ? {} : { hidden: truthOf(evaluation) }),
  });
}

/** All questions of an eval file are of one level. */
const evaluationLevel = 1;

/** What is known: the answers to these questions, and of no other. */
function truthOf(evaluation: readonly GivenQuestion[]): HiddenTruth {
  const questions = evaluation.map(
    ({ question }): Question => ({ text: question, key: keyOf(question), difficulty: evaluationLevel }),
  );
  const answers = new Map(evaluation.map(({ answer }, i) => [questions[i].key, answer]));
  return {
    check: ({ key }, answer) => {
      const right = answers.get(key);
      return right !== undefined && answersEqual(right, answer).equal;
    },
    levels: [evaluationLevel],
    frontier: evaluationLevel,
    heldOut: (_, count, random) => (count >= questions.length ? questions : random.shuffle(questions).slice(0, count)),
    onlyKeys: [...answers.keys()],
  };
}

/** An example as a solver would have replied to it. Throws UsageError where nobody can say which part of it is the answer. */
function exampleOf({ question, answer, place }: GivenQuestion): PlainExample {
  // As GSM8K writes them: calculations in double brackets, and the answer behind the last line's marks.
  const [, working, final] = /^([\s\S]*?)\s*####\s*([^\n]+)$/.exec(answer) ?? [];
  const shown = (working ?? answer).replace(/<<[^<>]*>>/g, "").trim();
  if (final !== undefined) return { question, reply: `${shown}\nThe answer is \\boxed{${final.trim()}}.`.trim() };
  if (answer.includes("\\boxed")) return { question, reply: shown };
  if (!answer.includes("\n")) return { question, reply: `The answer is \\boxed{${answer}}.` };
  throw new UsageError(
    `${place}: the answer has several lines, and none is marked as what it ends in.`,
    "End it with \\boxed{…}, or with a last line #### ….",
  );
}

const isOpened = (prompt: readonly ChatMessage[]): boolean => prompt.at(-1)?.role === "assistant";

/**
 * A reply with the mark that the prompt had opened already, and with the whole mark at whose beginning it ended. One line that ends by
 * itself with a question mark needs none: nothing else can have been opened.
 */
function withMarks(reply: string): string {
  const { open, close } = questionMarkers;
  const [end] = /<\/\w*\s*$/.exec(reply) ?? [null];
  const closed = end !== null && close.startsWith(end.trim()) ? `${reply.slice(0, -end.length)}${close}` : reply;
  if (closed.includes(open)) return closed;
  if (closed.includes(close)) return `${open}${closed}`;
  return /^[^\n]+\?$/.test(closed.trim()) ? `${open}${closed}${close}` : closed;
}

/** Exactly one marked question and nothing after it; what a model says before it is allowed. */
function readQuestion(reply: string, opened: boolean): Reading<Question> {
  const thought = withoutThoughts(reply);
  const said = opened ? withMarks(thought) : thought;
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

/** A paraphrase must be another text with the same numbers; otherwise it may ask something else. */
function readParaphrase(reply: string, original: Question, opened: boolean): Reading<Question> {
  const read = readQuestion(reply, opened);
  if (!read.ok) return read;
  if (read.value.key === original.key) return refuse("not other words");
  const numbers = (text: string): string => (text.match(/\d+(?:[.,]\d+)*/g) ?? []).sort().join(" ");
  if (numbers(read.value.text) !== numbers(original.text)) return refuse("other numbers than the question");
  return read;
}
