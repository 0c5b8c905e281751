// One reading for training, evaluation and `ask`: what counts in one counts in the others.
import { expect, test } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import { createScriptedEngine } from "../../src/engine/scripted.ts";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import { solve } from "../../src/play/solve.ts";
import { defineTopic } from "../../src/topics/define-topic.ts";

/** A model whose tokenizer does not mark the end token as special, so that decoding it gives text. */
function withVisibleEnd(engine: Engine): Engine {
  const { tokenizer } = engine;
  const end = (token: number): boolean => tokenizer.endTokens.includes(token);
  const decode = (tokens: readonly number[]): string =>
    tokens.map((token) => (end(token) ? "<end>" : tokenizer.decode([token]))).join("");
  return { ...engine, tokenizer: { ...tokenizer, decode } };
}

const question = { text: "6+6", key: "6+6", difficulty: 1 };
const topic = defineTopic({
  name: "twelve",
  description: "Always twelve.",
  verification: "vote",
  maxTokens: { propose: 8, solve: 8 },
  proposePrompt: () => "P",
  readQuestion: (reply) => ({ ok: true, value: { text: reply, key: reply, difficulty: 1 } }),
  solvePrompt: ({ text }) => text,
  readAnswer: (reply) => (/^\d+$/.test(reply) ? { ok: true, value: reply } : { ok: false, reason: "not a number" }),
  hidden: { check: (_, answer) => answer === "12", levels: [1], frontier: 1, heldOut: () => [question] },
});

test("the end token is no part of an answer, in training and in evaluation, though the tokenizer prints it", async () => {
  const engine = withVisibleEnd(createScriptedEngine({ reply: () => "12" }));
  const sampling = { temperature: 1, topP: 1, topK: 0, seed: 1, heldOutKeys: new Set<string>() };
  const settings = { ...sampling, groupSize: 2, consistentVote: false };
  const [group] = await solve(engine, topic.topic, [{ question, refusal: null }], settings);
  expect(group.answers.map(({ value }) => value)).toEqual(["12", "12"]);
  const { levels } = await evaluate(engine, topic, { questions: 1, model: "scripted" });
  expect(levels).toMatchObject([{ passAt1: 1, greedy: 1, majAt16: 1 }]);
});
