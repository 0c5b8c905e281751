// A topic in thirty lines: which weekday comes some days after another. Run it with `sqlm run examples/my-topic.ts`, on any
// model that follows instructions.
import { defineTopic } from "self-questioning";

const days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

export const topic = defineTopic({
  name: "weekdays",
  description: "Which weekday comes some days after another.",
  verification: "vote", // the most frequent answer is taken for right
  maxTokens: { propose: 16, solve: 12 },

  // The proposer continues this, and readQuestion takes nothing but a well-formed question.
  proposePrompt: () => "Name a weekday and a number of days, like Monday + 3:\n",
  readQuestion(reply) {
    const match = /^(\w+day) \+ (\d{1,3})$/.exec(reply.trim());
    if (match === null || !days.includes(match[1])) return { ok: false, reason: "not a weekday and a number" };
    const text = `${match[1]} + ${Number(match[2])}`;
    return { ok: true, value: { text, key: text, difficulty: match[2].length } };
  },

  // The solver continues this. Equal answers must give equal strings: votes are counted by them.
  solvePrompt: (question) => `Which weekday is ${question.text} days? It is`,
  readAnswer(reply) {
    const day = days.find((name) => name.toLowerCase() === reply.trim().replace(/\.$/, "").toLowerCase());
    return day === undefined ? { ok: false, reason: "not a weekday" } : { ok: true, value: day };
  },

  // Optional: another question with the same answer. A week later it is the same day.
  restatements(question) {
    const [day, count] = question.text.split(" + ");
    const text = `${day} + ${Number(count) + 7}`;
    return [{ question: { ...question, text, key: text }, toOriginal: (answer) => answer }];
  },
});
