// One reading for training, evaluation and `ask`: what counts in one counts in the others.
import { expect, test } from "vitest";
import type { Player } from "../../src/engine/engine.ts";
import { createScriptedPolicy } from "../../src/engine/scripted.ts";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import { propose } from "../../src/play/propose.ts";
import { solve } from "../../src/play/solve.ts";
import { randomStream } from "../../src/random.ts";
import { defineTopic } from "../../src/topics/define-topic.ts";
import type { TopicSettings } from "../../src/topics/topic.ts";

/** A model whose tokenizer does not mark the end token as special, so that decoding it gives text. */
function withVisibleEnd(engine: Player): Player {
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
  const engine = withVisibleEnd(createScriptedPolicy({ reply: () => "12" }));
  const sampling = {
    temperature: 1,
    topP: 1,
    topK: 0,
    truncatedReplies: "refuse" as const,
    seed: 1,
    heldOutKeys: new Set<string>(),
  };
  const settings = { ...sampling, groupSize: 2, consistentVote: false };
  const [group] = await solve(engine, topic.topic, [{ question, refusal: null }], settings);
  expect(group.answers.map(({ value }) => value)).toEqual(["12", "12"]);
  const { levels } = await evaluate(engine, topic, { questions: 1, model: "scripted" });
  expect(levels).toMatchObject([{ passAt1: 1, greedy: 1, majAt16: 1 }]);
});

test("a reply that was cut off has no answer, unless the setting says that it may be read", async () => {
  const engine = createScriptedPolicy({ reply: () => "1234" });
  const sampling = { temperature: 1, topP: 1, topK: 0, seed: 1, heldOutKeys: new Set<string>() };
  const answersWith = async (solveTokens: number, truncatedReplies: "refuse" | "read") => {
    const shorter = { ...topic.topic, maxTokens: { propose: 8, solve: solveTokens } };
    const settings = { ...sampling, groupSize: 2, consistentVote: false, truncatedReplies };
    const [group] = await solve(engine, shorter, [{ question, refusal: null }], settings);
    return group.answers.map(({ value, reason }) => value ?? reason);
  };
  expect(await answersWith(3, "refuse")).toEqual(["cut off after 3 tokens", "cut off after 3 tokens"]);
  expect(await answersWith(3, "read")).toEqual(["123", "123"]);
  // Ended by its end token with nothing to spare: whole.
  expect(await answersWith(5, "refuse")).toEqual(["1234", "1234"]);
});

test("a question that was cut off is not asked", async () => {
  const engine = createScriptedPolicy({ reply: () => "6+6 and so on" });
  const asking = {
    temperature: 1,
    topP: 1,
    topK: 0,
    seed: 1,
    count: 1,
    accept: 1,
    recent: [],
    random: randomStream("cut"),
  };
  const none = { seenKeys: new Set<string>(), heldOutKeys: new Set<string>() };
  const refused = await propose(engine, topic.topic, { ...asking, ...none, truncatedReplies: "refuse" });
  expect(refused).toMatchObject([{ question: null, refusal: { kind: "malformed", says: "cut off after 8 tokens" } }]);
  const read = await propose(engine, topic.topic, { ...asking, ...none, truncatedReplies: "read" });
  expect(read).toMatchObject([{ question: { text: "6+6 and " }, refusal: null }]);
});

test("evaluation counts a reply that was cut off as wrong, unless the topic lets it be read", async () => {
  const engine = createScriptedPolicy({ reply: () => "12 and so on" });
  const definition = { ...topic.topic, maxTokens: { propose: 8, solve: 2 }, hidden: topic.hidden! };
  const passAt1 = async (settings: TopicSettings) =>
    (await evaluate(engine, defineTopic({ ...definition, settings }), { questions: 1, model: "scripted" })).levels[0]
      .passAt1;
  expect(await passAt1({})).toBe(0);
  expect(await passAt1({ truncatedReplies: "read" })).toBe(1);
});
