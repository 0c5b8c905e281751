// How much a step asks of an engine: counted from settings and topic, against what the loop itself asks for.
import { expect, test } from "vitest";
import { runConfigSchema } from "../src/config/config.ts";
import { createScriptedEngine } from "../src/engine/scripted.ts";
import { completionsOf } from "../src/engine/work.ts";
import { stepWork } from "../src/step-work.ts";
import { arithmetic } from "../src/topics/arithmetic.ts";
import { plainTopic } from "../src/topics/plain.ts";

const { tokenizer } = createScriptedEngine({ reply: () => "" });
const config = runConfigSchema.parse({ groupsPerBatch: 16, groupSize: 8, proposalsPerQuestion: 1.5 });

test("proposals, answers, and what is learned from them", () => {
  const { sampled, trained, ...rest } = stepWork(config, arithmetic.topic, tokenizer);
  const { propose, solve } = arithmetic.topic.maxTokens;
  expect(sampled.map((one) => [one.stage, completionsOf(one), one.maxTokens])).toEqual([
    ["propose", 24, propose],
    ["solve", 128, solve],
  ]);
  expect(trained.map(({ stage, share }) => [stage, share])).toEqual([
    ["solve", 1],
    ["propose", 1 / config.proposerEvery],
  ]);
  expect(rest).toEqual({ updates: 1, referencePasses: 0, correction: "coarse", policies: 1, frozenPlayers: 0 });
});

test("settings that ask for more passes and players", () => {
  const asked = {
    ...config,
    klPenaltyCoef: 0.1,
    importanceCap: 2,
    numSubsteps: 3,
    proposerWeights: "separate",
  } as const;
  expect(stepWork(asked, arithmetic.topic, tokenizer)).toMatchObject({
    updates: 3,
    referencePasses: 1,
    correction: "always",
    policies: 2,
    frozenPlayers: 1,
  });
  const never = stepWork({ ...config, importanceCap: 0, proposerEvery: 0 }, arithmetic.topic, tokenizer);
  expect(never).toMatchObject({ correction: "never", trained: [{ stage: "solve" }] });
});

test("a topic in words asks for paraphrases, and its prompts begin alike", () => {
  const chat = {
    ...tokenizer,
    encodeChat: (messages: readonly { content: string }[]) =>
      tokenizer.encode(messages.map(({ content }) => content).join("\n")),
  };
  const { topic } = plainTopic("sums");
  const { sampled } = stepWork(config, topic, chat);
  expect(sampled.map((one) => [one.stage, one.prompts, one.samplesOfPrompt])).toEqual([
    ["propose", 1, 24],
    ["paraphrase", 16, 1],
    ["solve", 32, 4],
  ]);
  for (const { stage, promptTokens, sharedTokens } of sampled) {
    expect(sharedTokens).toBeGreaterThan(20);
    expect(sharedTokens).toBeLessThan(promptTokens + (stage === "propose" ? 1 : 0));
  }
  const once = stepWork({ ...config, consistentVote: false }, topic, chat);
  expect(once.sampled.map(({ stage }) => stage)).toEqual(["propose", "solve"]);
});

test("a proposer that is shown earlier questions is prompted anew for every proposal", () => {
  const shown = {
    ...arithmetic.topic,
    proposePrompt: ({
      random,
      recent,
    }: {
      random: { shuffle<T>(items: readonly T[]): T[] };
      recent: readonly { text: string }[];
    }) =>
      `P${random
        .shuffle(recent)
        .slice(0, 3)
        .map(({ text }) => text)
        .join(" ")}`,
  };
  const [propose] = stepWork(config, shown, tokenizer).sampled;
  expect([propose.prompts, propose.samplesOfPrompt]).toEqual([24, 1]);
});

test("a topic that refuses questions which are none of its own has prompts as long as its proposer's", () => {
  const { topic } = arithmetic;
  const strict = {
    ...topic,
    proposePrompt: () => "x".repeat(70),
    solvePrompt: () => {
      throw new Error("not mine");
    },
  };
  const solve = stepWork(config, strict, tokenizer).sampled.at(-1);
  expect(solve?.promptTokens).toBeGreaterThanOrEqual(70);
});
