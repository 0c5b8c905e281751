// A topic for models that follow instructions: which weekday comes some days after another. See what it reads with
//
//   npx sqlm check examples/weekdays.ts --reply "Monday + 3" --reply "Someday" --answer " Thursday."
//
// and let a model of your own play it, a folder in Hugging Face layout:
//
//   npx sqlm run examples/weekdays.ts --model FOLDER
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
    const [, day = "", count = ""] = /^(\w+day) \+ (\d{1,3})$/.exec(reply.trim()) ?? [];
    if (!days.includes(day)) return { ok: false, reason: "not a weekday and a number" };
    const text = `${day} + ${Number(count)}`;
    return { ok: true, value: { text, key: text, difficulty: count.length } };
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
