// A topic to start from: sums, in the notation of the shipped model for arithmetic, which writes numbers last digit first.
//
//   sqlm check topic.ts      what it reads of a few replies, and why not the rest
//   sqlm run                 self-play, with the settings of sqlm.config.ts
//   sqlm test                the tests in topic.test.ts
import { defineTopic, type Question } from "self-questioning";

const reverse = (digits: string): string => [...digits].reverse().join("");

/** The question for two numbers as they are written, last digit first. */
function sum(a: string, b: string): Question {
  // `key` is equal for questions that ask the same: 12+3= and 3+12= count once.
  return { text: `${a}+${b}=`, key: [a, b].sort().join("+"), difficulty: Math.max(a.length, b.length) };
}

function operands(question: Question): [a: string, b: string] {
  const [a = "", b = ""] = question.text.slice(0, -1).split("+");
  return [a, b];
}

export const topic = defineTopic({
  name: "sums",
  description: "Sums of two numbers of up to four digits.",
  // The most frequent answer is taken for right.
  verification: "vote",
  maxTokens: { propose: 12, solve: 8 },
  // The model that self-play starts from: a shipped one by name, or a folder in Hugging Face layout.
  settings: { model: "arithmetic" },

  // What the proposer continues, and what is a question of what it wrote. Anything else is refused with a reason.
  proposePrompt: () => "P",
  readQuestion: (reply) => {
    const [, a = "", b = ""] = /^(\d{1,4})\+(\d{1,4})=$/.exec(reply) ?? [];
    return a === "" ? { ok: false, reason: "not of the form a+b=" } : { ok: true, value: sum(a, b) };
  },

  // What the solver continues, and what is an answer. Equal answers must become equal texts: votes are counted by them.
  solvePrompt: (question) => `S${question.text}`,
  readAnswer: (reply) =>
    /^\d{1,5}$/.test(reply)
      ? { ok: true, value: String(Number(reverse(reply))) }
      : { ok: false, reason: "not a number" },

  // Optional: other questions with the same answer. A vote counts where all forms elect the same.
  restatements: (question) => {
    const [a, b] = operands(question);
    return [{ question: sum(b, a), toOriginal: (answer) => answer }];
  },

  // Optional: what knows the truth. It measures, before and after and on the way, and never reaches a reward.
  hidden: {
    levels: [1, 2, 3],
    frontier: 3,
    check: (question, answer) => {
      const [a, b] = operands(question);
      return String(Number(reverse(a)) + Number(reverse(b))) === answer;
    },
    heldOut: (difficulty, count, random) => {
      const number = (): string =>
        reverse(String(random.integer(difficulty === 1 ? 0 : 10 ** (difficulty - 1), 10 ** difficulty - 1)));
      const questions = new Map<string, Question>();
      // Of short sums there are fewer than may be asked for.
      for (let tries = 0; questions.size < count && tries < 50 * count; tries++) {
        const question = sum(number(), number());
        questions.set(question.key, question);
      }
      return [...questions.values()];
    },
  },
});
