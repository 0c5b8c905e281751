// A topic for timing: whatever a model writes is a question, and every answer has one of two values, so that each step is a whole one.
import { defineTopic } from "../src/topics/define-topic.ts";

export const topic = defineTopic({
  name: "bench",
  description: "Whole steps of any instruction-tuned model, for timing.",
  verification: "vote",
  maxTokens: { propose: 48, solve: 256 },
  proposePrompt: () => [{ role: "user", content: "Write one question about everyday life, and nothing else." }],
  readQuestion: (reply) => {
    const text = reply.replace(/\s+/g, " ").trim();
    return text === "" ? { ok: false, reason: "empty" } : { ok: true, value: { text, key: text, difficulty: 1 } };
  },
  solvePrompt: ({ text }) => [{ role: "user", content: `${text}\nAnswer at length, with an example.` }],
  readAnswer: (reply) => ({ ok: true, value: reply.length % 3 === 0 ? "a" : "b" }),
});
