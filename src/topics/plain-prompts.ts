// Every word that the topic `plain` says to a model, in one place. To use your own, pass an object of this shape to
// `plainTopic`; the markers below are what its replies are read by, so keep asking for them.
import type { ChatMessage } from "../types.ts";
import { assistant, user } from "./words.ts";

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
   * none where the user gave none. A last message of the assistant, such as the opening mark, is the beginning of the reply.
   */
  propose(subject: string, recent: readonly string[], examples: readonly PlainExample[]): readonly ChatMessage[];
  /** Asks for the answer, in \boxed{}. */
  solve(subject: string, question: string, examples: readonly PlainExample[]): readonly ChatMessage[];
  /** Asks for the same question in other words. */
  paraphrase(subject: string, question: string): readonly ChatMessage[];
}

/**
 * Exchanges about other subjects, shown before the real one: a small model copies the form of a reply more surely than it follows
 * instructions about it (docs/decisions/0059).
 */
const shown = [
  {
    subject: "the calendar",
    question: "How many hours are there in three days?",
    paraphrase: "What is the number of hours in three days?",
    answer: "One day has 24 hours, so three days have 3 * 24 = 72 hours. The answer is \\boxed{72}.",
  },
  {
    subject: "cooking for guests",
    question: "A recipe for 4 people needs 600 grams of rice. How many grams are needed for 6 people?",
    paraphrase: "If 4 people need 600 grams of rice, how many grams do 6 people need?",
    answer: "One person needs 600 / 4 = 150 grams, so 6 people need 6 * 150 = 900 grams. The answer is \\boxed{900}.",
  },
  {
    subject: "spelling",
    question: 'Which letter stands second in the word "river"?',
    paraphrase: 'What is the second letter of the word "river"?',
    answer: "The letters are r, i, v, e, r, and i is the second of them. The answer is \\boxed{i}.",
  },
  // Without one whose answer is a name, a quarter of the answers to questions of fact were not marked (docs/decisions/0097).
  {
    subject: "the solar system",
    question: "Which planet is nearest to the sun?",
    paraphrase: "What is the name of the planet that is closest to the sun?",
    answer: "Mercury is the planet that is nearest to the sun. The answer is \\boxed{Mercury}.",
  },
] as const;

/** A question between its markers. */
export const marked = (question: string): string => `${questionMarkers.open}${question}${questionMarkers.close}`;

/**
 * Of answers to questions that small models ask, half of them about no fact at all, a third had no mark behind the exchanges alone, and an
 * eighth with this before them (docs/decisions/0102).
 */
const solverSystem: ChatMessage = {
  role: "system",
  content: "Answer in one or two sentences. The last one is: The answer is \\boxed{…}.",
};

const topicLine = (subject: string): string => `Topic: ${subject}`;

export const plainPrompts: PlainPrompts = {
  // Earlier questions are not listed: a small model copies a list, and equal prompts are computed once.
  propose: (subject, _, examples) => [
    ...(examples.length === 0 ? shown : examples.map(({ question }) => ({ subject, question }))).flatMap((one) => [
      user(topicLine(one.subject)),
      assistant(marked(one.question)),
    ]),
    user(topicLine(subject)),
    assistant(questionMarkers.open),
  ],
  solve: (_, question, examples) => [
    // What a user's own examples end with is said by them.
    ...(examples.length === 0 ? [solverSystem] : []),
    ...(examples.length === 0 ? shown.map((one) => ({ ...one, reply: one.answer })) : examples).flatMap((one) => [
      user(one.question),
      assistant(one.reply),
    ]),
    user(question),
  ],
  paraphrase: (_, question) => [
    ...shown.flatMap((one) => [user(paraphraseRequest(one.question)), assistant(marked(one.paraphrase))]),
    user(paraphraseRequest(question)),
    assistant(questionMarkers.open),
  ],
};

const paraphraseRequest = (question: string): string => `Say in other words: ${question}`;
