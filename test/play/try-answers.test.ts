// A model tries what its answers say the other way round, and what that confirms is the label of the group.
import { expect, test } from "vitest";
import { createScriptedPolicy, type ScriptedRequest } from "../../src/engine/scripted.ts";
import { type TryOptions, tryAnswers, valuesToTry } from "../../src/play/try-answers.ts";
import { defineTopic, type TopicDefinition } from "../../src/topics/define-topic.ts";
import type { Answer, Group, Question } from "../../src/types.ts";
import { verify } from "../../src/verify/verify.ts";

const options: TryOptions = {
  ...{ temperature: 1, topP: 1, topK: 0, truncatedReplies: "refuse", seed: 3 },
  inverseAnswers: 5,
};

/** Roots: `49` asks for 7. An answer is tried by its square. */
const definition: TopicDefinition = {
  name: "roots",
  description: "Whole roots.",
  verification: "vote",
  maxTokens: { propose: 8, solve: 8 },
  proposePrompt: () => "P",
  readQuestion: (reply) => ({ ok: true, value: { text: reply, key: reply, difficulty: 1 } }),
  solvePrompt: ({ text }) => `S${text}`,
  readAnswer: (reply) => (/^\d+$/.test(reply) ? { ok: true, value: reply } : { ok: false, reason: "no number" }),
  inverseCheck: ({ text }, answer) =>
    text === "1"
      ? null
      : { prompts: text === "16" ? [`T${answer}`, "T4"] : [`T${answer}`], expected: text === "16" ? null : text },
};
const { topic } = defineTopic(definition);

const question = (text: string): Question => ({ text, key: text, difficulty: 1 });
const group = (text: string, ...values: readonly (string | null)[]): Group => ({
  proposal: 0,
  question: question(text),
  answers: values.map(
    (value): Answer => ({
      ...{ promptTokens: [1], tokens: [2], logprobs: [-1], stopReason: "stop", text: value ?? "?" },
      ...{ form: 0, value },
    }),
  ),
});

/** Squares rightly four times in five, and says nothing of 99. */
const squares = ({ prompt, random }: ScriptedRequest): string => {
  const number = Number(prompt.slice(1));
  if (number === 99) return "?";
  return String(random.next() < 0.8 ? number ** 2 : 1);
};

/** The policy, and how many answers each call asks it for. */
function counting(policy: ReturnType<typeof createScriptedPolicy>): { player: typeof policy; calls: number[] } {
  const calls: number[] = [];
  const player: typeof policy = {
    ...policy,
    sample: (asks, settings) => {
      calls.push(asks.reduce((sum, { numSamples }) => sum + numSamples, 0));
      return policy.sample(asks, settings);
    },
  };
  return { player, calls };
}

const valuesOf = (...values: readonly (string | null)[]) => values.map((value) => ({ value }));

test("what two answers or more say is tried first, three values at most, then the others, and nothing where all are of one mind", () => {
  const nothing = { first: [], others: [] };
  expect(valuesToTry(valuesOf("4", "4", "4", "4"))).toEqual(nothing);
  expect(valuesToTry(valuesOf("4", "4", "5", null))).toEqual({ first: ["4"], others: ["5"] });
  expect(valuesToTry(valuesOf("1", "2", "3", "4"))).toEqual({ first: [], others: ["1", "2", "3", "4"] });
  expect(valuesToTry(valuesOf(null, null, null))).toEqual(nothing);
  const many = valuesToTry(valuesOf("a", "a", "a", "b", "b", "c", "c", "d", "d", ..."efghijkl"));
  expect(many).toEqual({ first: ["a", "b", "c"], others: ["d", "e", "f", "g", "h", "i"] });
});

test("what one answer says is tried where nothing holds that more say, and may be the label", async () => {
  // All but 3, 5 and 8 are squared rightly each time; those three four times in five.
  const policy = createScriptedPolicy({
    reply: ({ prompt, random }) => {
      const number = Number(prompt.slice(1));
      return String([3, 5, 8].includes(number) && random.next() < 0.2 ? 1 : number ** 2);
    },
  });
  const { player, calls } = counting(policy);
  const groups = [
    // Right is what one of six says; the second has nothing that two say; of the third a frequent value holds.
    group("49", "6", "6", "5", "5", "7", "8"),
    group("81", "8", "9", "6", null),
    group("36", "6", "6", "6", "4"),
    group("64", "6", "6", "5", "4"),
    // What only most answers to its check confirm is a label where two said it, and none where one did.
    group("9", "3", "3", "2", "4"),
    group("25", "6", "6", "5", "4"),
  ];
  const tried = await tryAnswers(player, topic, groups, options);
  expect(tried?.map((values) => [...values].filter(([, holds]) => holds).map(([value]) => value))).toEqual([
    ["7"],
    ["9"],
    ["6"],
    [],
    ["3"],
    [],
  ]);
  // Of each group what several say; then one answer to the check of each other value, and the rest where that was right.
  expect(calls).toEqual([5 * (2 + 0 + 1 + 1 + 1 + 1), 2 + 3 + 0 + 2 + 0 + 2, 4 * (1 + 1 + 0 + 0 + 0 + 1)]);
  const verified = await verify(topic, groups, { consistentVote: true, tried });
  expect(verified.map(({ verdict: { winner, confirmed, scores } }) => [winner, confirmed, scores])).toEqual([
    ["7", true, [0, 0, 0, 0, 1, 0]],
    ["9", true, [0, 1, 0, 0]],
    ["6", true, [1, 1, 1, 0]],
    [expect.anything(), false, expect.anything()],
    ["3", true, [1, 1, 0, 0]],
    [expect.anything(), false, expect.anything()],
  ]);
});

test("what a group says most is tried, and one of it confirmed", async () => {
  const policy = createScriptedPolicy({ reply: squares });
  const { player, calls } = counting(policy);
  const groups = [
    // The larger half is wrong.
    group("49", "6", "6", "6", "7", "7"),
    group("81", "9", "9", "9", "9"),
    group("16", "5", "5", "5", "4", "4", "4"),
    group("25", "99", "99", "4", "4"),
    group("1", "3", "3", "2", "2", "2"),
  ];
  const tried = await tryAnswers(player, topic, groups, options);
  expect(tried?.map((values) => [...values])).toEqual([
    [
      ["6", false],
      ["7", true],
    ],
    [],
    [
      ["4", true],
      ["5", false],
    ],
    [
      ["4", false],
      ["99", false],
    ],
    [],
  ]);
  // One call for all, each prompt of a question once, and nothing of what is of one mind or has no check.
  expect(calls).toEqual([5 * (2 + 2 + 2)]);
  const verified = await verify(topic, groups, { consistentVote: true, tried });
  expect(verified.map(({ verdict }) => [verdict.winner, verdict.consistent])).toEqual([
    ["7", true],
    ["9", true],
    ["4", true],
    [null, false],
    ["2", true],
  ]);
  const again = await tryAnswers(createScriptedPolicy({ reply: squares }), topic, groups, options);
  expect(again).toEqual(tried);
});

test("a teacher's answers are tried where it decides", async () => {
  const asked = [group("49", "6", "6", "7", "6")];
  const taught = [group("49", "7", "7", "6", "6")];
  const tried = await tryAnswers(createScriptedPolicy({ reply: squares }), topic, taught, options);
  const [{ verdict }] = await verify(topic, asked, { consistentVote: true, teacher: taught, tried });
  expect(verdict).toMatchObject({ winner: "7", scores: [0, 0, 1, 0], successRate: 0.25, taught: true });
});

test("nothing is asked where it is off, or the topic has no such questions", async () => {
  const policy = createScriptedPolicy({ reply: () => expect.fail("asked") });
  const groups = [group("49", "6", "6", "7", "7")];
  expect(await tryAnswers(policy, topic, groups, { ...options, inverseAnswers: 0 })).toBeUndefined();
  const { inverseCheck: _, ...without } = definition;
  expect(await tryAnswers(policy, defineTopic(without).topic, groups, options)).toBeUndefined();
});

test.each([
  [{ prompts: [], expected: "4" }, "with 0 prompts"],
  [{ prompts: ["a"], expected: null }, "with 1 prompts"],
  [{ prompts: ["a"], expected: 4 }, "whose expected is"],
  [{ prompts: [4], expected: "4" }, "inverseCheck"],
  ["no", "inverseCheck"],
])("a topic that returns something else is named: %j", async (returned, message) => {
  const wrong = defineTopic({ ...definition, inverseCheck: () => returned as never }).topic;
  const groups = [group("49", "6", "6", "7", "7")];
  await expect(tryAnswers(createScriptedPolicy({ reply: squares }), wrong, groups, options)).rejects.toThrow(message);
});
