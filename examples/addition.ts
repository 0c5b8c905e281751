// A topic of your own, whole: sums that the model writes with the last digit first. Run it with
//
//   npx sqlm run examples/addition.ts
import { defineTopic } from "self-questioning";

const reverse = (digits: string): string => [...digits].reverse().join("");

export const topic = defineTopic({
  name: "addition",
  description: "Sums of two numbers of up to five digits.",
  verification: "vote",
  maxTokens: { propose: 14, solve: 8 },
  proposePrompt: () => "P",
  // What the proposer wrote is a question only if it has exactly this form.
  readQuestion: (reply) => {
    const sum = /^(\d{1,5})\+(\d{1,5})=$/.exec(reply);
    if (sum === null) return { ok: false, reason: "not of the form a+b=" };
    const [a, b] = sum.slice(1).sort();
    return { ok: true, value: { text: reply, key: `${a}+${b}`, difficulty: Math.max(a.length, b.length) } };
  },
  solvePrompt: (question) => `S${question.text}`,
  // Equal answers must become equal strings.
  readAnswer: (reply) =>
    /^\d{1,6}$/.test(reply)
      ? { ok: true, value: String(Number(reverse(reply))) }
      : { ok: false, reason: "not a number" },
  // b+a= asks the same: half of the answers are given to it, and both halves must elect the same sum.
  restatements: (question) => {
    const [a, b] = question.text.slice(0, -1).split("+");
    return [{ question: { ...question, text: `${b}+${a}=` }, toOriginal: (answer) => answer }];
  },
});
