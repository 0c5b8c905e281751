// Every word that the topic `plain` says to a model, in one place. To use your own, pass an object of this shape to
// `plainTopic`; the markers below are what its replies are read by, so keep asking for them.
import type { ChatMessage } from "../types.ts";

/** The proposer's question stands between these, once. */
export const questionMarkers = { open: "<question>", close: "</question>" } as const;

export interface PlainPrompts {
  /** Asks for one new question about `subject`; `recent` are earlier ones that should not come again. */
  propose(subject: string, recent: readonly string[]): readonly ChatMessage[];
  /** Asks for the answer, in \boxed{}. */
  solve(subject: string, question: string): readonly ChatMessage[];
  /** Asks for the same question in other words. */
  paraphrase(subject: string, question: string): readonly ChatMessage[];
}

const contract = `Write the question between ${questionMarkers.open} and ${questionMarkers.close}. Write those markers once, and nothing after them.`;

export const plainPrompts: PlainPrompts = {
  propose: (subject, recent) => [
    {
      role: "system",
      content: "You write questions that teach. Each has exactly one short answer that can be checked.",
    },
    {
      role: "user",
      content: [
        `Write one challenging question about ${subject}.`,
        "Its answer must be a single number, expression or short phrase. Do not give the answer and do not ask two things.",
        ...(recent.length === 0 ? [] : ["Do not repeat these:", ...recent.map((question) => `- ${question}`)]),
        contract,
      ].join("\n"),
    },
  ],
  solve: (_, question) => [
    { role: "system", content: "You solve problems step by step." },
    { role: "user", content: `${question}\n\nThink step by step, then write the final answer once, in \\boxed{}.` },
  ],
  paraphrase: (_, question) => [
    { role: "system", content: "You rewrite questions without changing what they ask." },
    {
      role: "user",
      content: `Rewrite this question in other words. Keep every number, and keep the answer the same.\n\n${question}\n\n${contract}`,
    },
  ],
};
