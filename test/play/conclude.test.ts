// Replies that say no answer are gone on with, and everything that reads answers sees what came of it.
import { describe, expect, it } from "vitest";
import { createScriptedPolicy, type ScriptedRequest } from "../../src/engine/scripted.ts";
import { judgeLevels } from "../../src/evaluate/evaluate.ts";
import { health } from "../../src/guard/health.ts";
import { buildDatum } from "../../src/learn/datum.ts";
import { askVote } from "../../src/play/ask-vote.ts";
import { type SolveOptions, solve } from "../../src/play/solve.ts";
import { defineTopic, type TopicDefinition } from "../../src/topics/define-topic.ts";
import type { JudgedGroup, Question } from "../../src/types.ts";

const question = (text: string): Question => ({ text, key: text, difficulty: 1 });

/** `=` opens an answer, a digit is one. */
const definition: TopicDefinition = {
  name: "digits",
  description: "Digits.",
  verification: "vote",
  maxTokens: { propose: 8, solve: 12 },
  conclusion: { text: " =", maxTokens: 3, stopText: "." },
  proposePrompt: () => "P",
  readQuestion: (reply) => ({ ok: true, value: question(reply) }),
  solvePrompt: ({ text }) => `S${text}:`,
  readAnswer: (reply) => {
    const said = /=(\d)\.?$/.exec(reply)?.[1];
    return said === undefined ? { ok: false, reason: "no digit" } : { ok: true, value: said };
  },
  hidden: {
    check: (_, answer) => answer === "7",
    levels: [1],
    frontier: 1,
    heldOut: (_, count) => Array.from({ length: count }, (_, i) => question(`h${i}`)),
  },
};
const { topic, hidden } = defineTopic(definition);
const { conclusion: _, ...silent } = definition;
const unconcluded = defineTopic(silent).topic;

/** Says a digit by itself half of the time, else talks: a little, too long, or with a space at the end; opened, it says a digit. */
function reply({ prompt, random, sample }: ScriptedRequest): string {
  if (prompt.endsWith("=")) return `${random.next() < 0.8 ? 7 : random.integer(0, 9)}.`;
  if (prompt === "Snever:") return "?";
  if (prompt.startsWith("Sh")) return "well";
  return ["=7", "well", "well ", "", "much too long for this", "=3"][(sample + Math.floor(random.next() * 6)) % 6];
}
const player = createScriptedPolicy({ reply });
const options: SolveOptions = {
  ...{ temperature: 1, topP: 1, topK: 0, truncatedReplies: "refuse" as const },
  ...{ groupSize: 24, consistentVote: false, heldOutKeys: new Set<string>(), seed: 5 },
};
const proposals = ["a", "b", "c", "d"].map((text) => ({ question: question(text), refusal: null }));

describe("solve", () => {
  it("goes on with replies that ended without an answer, and with no others", async () => {
    const groups = await solve(player, topic, proposals, options);
    const plain = await solve(player, unconcluded, proposals, options);
    const pairs = groups.flatMap(({ answers }, g) =>
      answers.map((answer, i) => [answer, plain[g].answers[i]] as const),
    );
    const seen = new Set<string>();
    for (const [answer, before] of pairs) {
      seen.add(before.text);
      if (before.value !== null || before.stopReason === "length") {
        expect(answer).toEqual(before);
        continue;
      }
      expect(answer.text).toMatch(before.text.trim() === "well" ? /^well =\d\.$/ : /^=\d\.$/);
      expect(answer.value).toMatch(/^\d$/);
      const [from, to] = answer.inserted ?? expect.fail("nothing was inserted");
      expect(player.tokenizer.decode(answer.tokens.slice(from, to))).toBe(before.text === "well" ? " =" : "=");
      expect(answer.tokens.slice(0, from)).toEqual(before.tokens.slice(0, -1));
      expect(answer.logprobs).toHaveLength(answer.tokens.length);
      expect(answer.logprobs.slice(0, from)).toEqual(before.logprobs.slice(0, -1));
      expect(answer.logprobs.map((logprob) => logprob === 0)).toEqual(answer.tokens.map((_, i) => i >= from && i < to));
    }
    expect(seen.size).toBe(6);
    const digits = new Set(pairs.flatMap(([{ inserted, value }]) => (inserted === undefined ? [] : [value])));
    // Each is drawn by itself.
    expect(digits.size).toBeGreaterThan(1);
  });

  it("is the same in rounds as in one call", async () => {
    const whole = await solve(player, topic, proposals, options);
    const part = await solve(player, topic, proposals, { ...options, stopVotes: { minAgreement: 0.5 } });
    expect(part.flatMap(({ answers }) => answers).length).toBeLessThan(24 * proposals.length);
    for (const [i, { answers }] of part.entries()) expect(answers).toEqual(whole[i].answers.slice(0, answers.length));
  });

  it("leaves a reply as it is that has no room to go on", async () => {
    // Prompt, an end and two tokens of the conclusion leave less than its three.
    const narrow = createScriptedPolicy({ reply, maxSequenceTokens: 3 + 12 });
    const [group] = await solve(narrow, topic, proposals.slice(0, 1), options);
    expect(group.answers.some(({ inserted }) => inserted !== undefined)).toBe(true);
    const tight = createScriptedPolicy({ reply: () => "tenletters", maxSequenceTokens: 3 + 12 });
    const [other] = await solve(tight, topic, proposals.slice(0, 1), options);
    for (const { inserted, reason } of other.answers) expect([inserted, reason]).toEqual([undefined, "no digit"]);
  });

  it("keeps the reason where nothing can be read behind the conclusion either", async () => {
    const mute = createScriptedPolicy({ reply: () => "?" });
    const [{ answers }] = await solve(mute, topic, proposals.slice(0, 1), options);
    for (const { text, value, reason } of answers) expect([text, value, reason]).toEqual(["? =?", null, "no digit"]);
  });
});

it("learns from what the model said, and not from what was put in its mouth", async () => {
  const [{ answers }] = await solve(player, topic, proposals.slice(0, 1), options);
  const concluded = answers.find(({ text }) => text.startsWith("well")) ?? expect.fail("none was concluded");
  const { weights, tokens, logprobs } = buildDatum({ ...concluded, advantage: 1 });
  const trained = tokens.filter((_, i) => weights[i] !== 0);
  expect(player.tokenizer.decode(trained)).toMatch(/^well ?\d\.$/);
  expect(logprobs.every((logprob, i) => weights[i] === 0 || logprob < 0)).toBe(true);
});

it("is counted, and does not make replies look surer than they are", async () => {
  const judged = async (asked: typeof topic): Promise<Record<string, number>> => {
    const groups = await solve(player, asked, proposals, options);
    const verdict = { agreement: 1, winner: "7", kind: "tests", passed: [], trustedTests: [], unagreedTests: [] };
    return health({
      proposals: [],
      groups: groups.map((group) => ({
        ...group,
        verdict: { ...verdict, contradictoryTests: [] },
        ...{ signal: "trained", proposerReward: 0 },
        answers: group.answers.map((answer) => ({ ...answer, reward: 0, advantage: 0 })),
      })) as unknown as JudgedGroup[],
    });
  };
  const [with_, without] = [await judged(topic), await judged(unconcluded)];
  expect(without["concludedShare"]).toBeUndefined();
  expect(with_["concludedShare"]).toBeCloseTo(without["unreadableShare"] - with_["unreadableShare"], 9);
  expect(with_["unreadableShare"]).toBe(with_["truncatedShare"]);
  const entropies = await solve(player, topic, proposals, options);
  const drawn = entropies.flatMap(({ answers }) =>
    answers.flatMap(({ logprobs }) => logprobs.filter((one) => one !== 0)),
  );
  expect(with_["tokenEntropy"]).toBeCloseTo(-drawn.reduce((sum, one) => sum + one, 0) / drawn.length, 9);
});

it("counts in an evaluation, at temperature 1 and for the most likely answer", async () => {
  const [level] = await judgeLevels(player, { topic, hidden }, { questions: 6 });
  expect(level.outcomes).toHaveLength(6);
  for (const { sampled, greedy } of level.outcomes) {
    expect(greedy?.text).toMatch(/^well =\d\.$/);
    for (const { value } of sampled) expect(value).toMatch(/^\d$/);
  }
  const [before] = await judgeLevels(player, { topic: unconcluded, hidden }, { questions: 6 });
  for (const { sampled } of before.outcomes) for (const { value } of sampled) expect(value).toBeNull();
});

describe("ask", () => {
  const asking = { votes: 17, truncatedReplies: "refuse" as const };
  const rounds = { ...player, capabilities: { ...player.capabilities, tellsTokens: false } };
  rounds.sample = player.sample.bind(player);

  it.each([true, false])("is the same in rounds and all at once, stopping early: %s", async (stop) => {
    for (let seed = 0; seed < 20; seed++) {
      const one = await askVote(player, topic, question(`q${seed}`), { ...asking, seed, stop });
      expect(await askVote(rounds, topic, question(`q${seed}`), { ...asking, seed, stop })).toEqual(one);
      const whole = await askVote(player, topic, question(`q${seed}`), { ...asking, seed, stop: false });
      expect(one[0].values).toEqual(whole[0].values.slice(0, one[0].values.length));
      expect(whole[0].values).toHaveLength(17);
    }
  });

  it("tells how an answer went on", async () => {
    const texts = new Map<number, string>();
    await askVote(player, topic, question("hm"), {
      ...{ ...asking, votes: 1, seed: 1, stop: false },
      onPiece: ({ answer, tokens }) =>
        texts.set(answer, (texts.get(answer) ?? "") + tokens.map((token) => player.tokenizer.decode([token])).join("")),
    });
    expect(texts.get(0)).toMatch(/^well =\d\.$/);
  });
});

describe("a topic's conclusion", () => {
  it.each([
    [{ text: " ", maxTokens: 3 }, "conclusion.text"],
    [{ text: "=", maxTokens: 0 }, "conclusion.maxTokens"],
    [{ text: "=", maxTokens: 3, stopText: "" }, "conclusion.stopText"],
    [
      { text: "=", maxTokens: 3, stoptext: "." },
      'conclusion.stoptext" is not a part of a topic. Did you mean "stopText"?',
    ],
  ])("%j is refused", (conclusion, says) => {
    expect(() => defineTopic({ ...definition, conclusion })).toThrow(says);
  });

  it("is none of programs", () => {
    const tests = { ...definition, verification: "tests" as const, language: "python" as const };
    expect(() => defineTopic(tests)).toThrow("programs have none");
  });
});
