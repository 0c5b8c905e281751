// Every word that the topic `plain` says to a model, in one place. To use your own, pass an object of this shape to
// `plainTopic`; the markers below are what its replies are read by, so keep asking for them.
import type { ChatMessage } from "../types.ts";

/** The proposer's question stands between these, once. */
export const questionMarkers = { open: "<question>", close: "</question>" } as const;

/** A question about the subject with a reply that answers it, from a user's file (`--examples`). */
export interface PlainExample {
  readonly question: string;
  /** Ends in \boxed{}. */
  readonly reply: string;
}

export interface PlainPrompts {
  /**
   * Asks for one new question about `subject`; `recent` are earlier ones that should not come again, `examples` some of the user's own;
   * none where the user gave none.
   */
  propose(subject: string, recent: readonly string[], examples: readonly PlainExample[]): readonly ChatMessage[];
  /** Asks for the answer, in \boxed{}. */
  solve(subject: string, question: string, examples: readonly PlainExample[]): readonly ChatMessage[];
  /** Asks for the same question in other words. */
  paraphrase(subject: string, question: string): readonly ChatMessage[];
}

/**
 * One exchange about another subject, shown before the real one where the user gave no examples: a small model copies the form of a
 * reply more surely than it follows instructions about it (docs/decisions/0016).
 */
const example = {
  subject: "the calendar",
  question: "How many hours are there in three days?",
  paraphrase: "What is the number of hours in three days?",
  answer: "One day has 24 hours.\nThree days have 3 · 24 = 72 hours.\nThe answer is \\boxed{72}.",
};

const contract = `Write the question between ${questionMarkers.open} and ${questionMarkers.close}. Write those markers once, and nothing after them.`;

/** A question between its markers. */
export const marked = (question: string): string => `${questionMarkers.open}${question}${questionMarkers.close}`;

interface Exchange {
  readonly request: string;
  readonly reply: string;
}

/** A conversation: the system's words, examples asked and answered, and what is asked now. */
const conversation = (system: string, shown: readonly Exchange[], request: string): readonly ChatMessage[] => [
  { role: "system", content: system },
  ...shown.flatMap((exchange): readonly ChatMessage[] => [
    { role: "user", content: exchange.request },
    { role: "assistant", content: exchange.reply },
  ]),
  { role: "user", content: request },
];

const askForQuestion = (subject: string, recent: readonly string[]): string =>
  [
    `Write one challenging question about ${subject}.`,
    "Its answer must be a single number, expression or short phrase. Do not give the answer and do not ask two things.",
    ...(recent.length === 0 ? [] : ["Do not repeat these:", ...recent.map((question) => `- ${question}`)]),
    contract,
  ].join("\n");

const askForAnswer = (question: string): string =>
  `${question}\n\nThink step by step, then write the final answer once, in \\boxed{}.`;

const askForParaphrase = (question: string): string =>
  `Rewrite this question in other words. Keep every number, and keep the answer the same.\n\n${question}\n\n${contract}`;

export const plainPrompts: PlainPrompts = {
  propose: (subject, recent, examples) =>
    conversation(
      "You write questions that teach. Each has exactly one short answer that can be checked.",
      examples.length === 0
        ? [{ request: askForQuestion(example.subject, []), reply: marked(example.question) }]
        : examples.map(({ question }) => ({ request: askForQuestion(subject, []), reply: marked(question) })),
      askForQuestion(subject, recent),
    ),
  solve: (_, question, examples) =>
    conversation(
      "You solve problems step by step.",
      examples.length === 0
        ? [{ request: askForAnswer(example.question), reply: example.answer }]
        : examples.map((one) => ({ request: askForAnswer(one.question), reply: one.reply })),
      askForAnswer(question),
    ),
  paraphrase: (_, question) =>
    conversation(
      "You rewrite questions without changing what they ask.",
      [{ request: askForParaphrase(example.question), reply: marked(example.paraphrase) }],
      askForParaphrase(question),
    ),
};
