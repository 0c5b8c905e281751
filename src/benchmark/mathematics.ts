// Questions with one right answer: how they are put to a model, and how its answers are compared with the right one.
import { answersEqual, concludedAnswer } from "../answer/answer.ts";
import type { Exam } from "../evaluate/exam.ts";
import type { ChatMessage, Prompt } from "../types.ts";
import type { AnsweredItem } from "./benchmark.ts";
import { type ReplyOptions, replyText } from "./replies.ts";

/**
 * Worked exchanges of our own, in no benchmark. Small models copy the form of a reply more surely than they follow words about it: a
 * 0.5B model marked 28 % of its answers when told to, and all of them after two such turns (docs/decisions/0061).
 */
const exchanges = [
  {
    question:
      "A shelf holds 24 jars. Ann fills 3 such shelves and then gives away 15 jars. How many jars does she keep?",
    working: "3 shelves hold 3 * 24 = 72 jars.\nShe gives away 15, so she keeps 72 - 15 = 57 jars.",
    answer: "57",
  },
  {
    question: "If 3x + 5 = 6, what is the value of x?",
    working: "Taking 5 from both sides gives 3x = 6 - 5 = 1.\nDividing by 3 gives x = \\frac{1}{3}.",
    answer: "\\frac{1}{3}",
  },
] as const;

const system = "You solve problems step by step.";
const request = (question: string): string =>
  `${question}\n\nThink step by step, then write the final answer once, in \\boxed{}.`;

/** As a conversation, for models with a chat template. */
function conversation(question: string): readonly ChatMessage[] {
  return [
    { role: "system", content: system },
    ...exchanges.flatMap(({ question: asked, working, answer }): ChatMessage[] => [
      { role: "user", content: request(asked) },
      { role: "assistant", content: `${working}\nThe answer is \\boxed{${answer}}.` },
    ]),
    { role: "user", content: request(question) },
  ];
}

/** As a text to be continued, for base models. */
function continuation(question: string): string {
  const shown = exchanges.map(
    ({ question: asked, working, answer }) => `Question: ${asked}\nAnswer: ${working}\nThe answer is ${answer}.\n\n`,
  );
  return `${shown.join("")}Question: ${question}\nAnswer:`;
}

/** A base model goes on with a question of its own. */
const nextQuestion = ["\nQuestion:", "\n\nQ:"];

/** The exam of these items. */
export function mathematicsExam(items: readonly AnsweredItem[], options: ReplyOptions): Exam {
  const answers = new Map(items.map(({ question, answer }) => [question.key, answer]));
  return {
    questions: items.map(({ question }) => question),
    maxTokens: options.maxTokens,
    votes: true,
    prompt: ({ text }): Prompt => (options.chat ? conversation(text) : continuation(text)),
    read: (reply) => {
      const { text, whole } = replyText(reply, options, options.chat ? [] : nextQuestion);
      if (!whole) return { text, value: null, reason: `cut off after ${reply.tokens.length} tokens` };
      const reading = concludedAnswer(text);
      return reading.ok ? { text, value: reading.value } : { text, value: null, reason: reading.reason };
    },
    check: ({ key }, { text }) => answersEqual(answers.get(key) ?? "", text).equal,
  };
}
