// Replies that say no answer are gone on with, and everything that reads answers sees what came of it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import type { RewardSettings } from "../../src/config/learn.ts";
import { createScriptedEngine, createScriptedPolicy, type ScriptedRequest } from "../../src/engine/scripted.ts";
import { judgeLevels } from "../../src/evaluate/evaluate.ts";
import { health } from "../../src/guard/health.ts";
import { judge } from "../../src/learn/judge.ts";
import { askVote } from "../../src/play/ask-vote.ts";
import { type SolveOptions, solve } from "../../src/play/solve.ts";
import { selfPlay } from "../../src/self-play.ts";
import { answersTo, findQuestions, listRuns, openReader } from "../../src/store/queries.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { defineTopic, type TopicDefinition } from "../../src/topics/define-topic.ts";
import type { Question, VoteVerdict } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

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
      if (before.value !== null) {
        expect(answer).toEqual(before);
        continue;
      }
      // What is learned from is the reply as it was; what is read is what became of it.
      const { text, value, reason, askedFor, ...sampled } = answer;
      const { text: own, value: none, reason: why, ...original } = before;
      expect([none, why]).toEqual([null, before.stopReason === "length" ? "cut off after 12 tokens" : "no digit"]);
      expect(sampled).toEqual(original);
      expect(text).toBe(`${own === "" || own.endsWith(" ") ? `${own}=` : `${own} =`}${value}.`);
      expect([askedFor, reason]).toEqual([true, `asked for: …${text.slice(own.length)}`]);
    }
    expect(seen.size).toBe(6);
    const digits = new Set(pairs.flatMap(([{ askedFor, value }]) => (askedFor ? [value] : [])));
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
    expect(group.answers.some(({ askedFor }) => askedFor)).toBe(true);
    const tight = createScriptedPolicy({ reply: () => "tenletters", maxSequenceTokens: 3 + 12 });
    const [other] = await solve(tight, topic, proposals.slice(0, 1), options);
    for (const { askedFor, reason } of other.answers) expect([askedFor, reason]).toEqual([undefined, "no digit"]);
  });

  it("keeps the reason where nothing can be read behind the conclusion either", async () => {
    const mute = createScriptedPolicy({ reply: () => "?" });
    const [{ answers }] = await solve(mute, topic, proposals.slice(0, 1), options);
    for (const { text, value, reason } of answers) expect([text, value, reason]).toEqual(["? =?", null, "no digit"]);
  });
});

describe("what is learned", () => {
  const settings = runConfigSchema.parse({ topic: "arithmetic", minAgreement: 0.3 });
  const judged = async (asked: typeof topic, input: Partial<RewardSettings> = {}) => {
    const groups = await solve(player, asked, proposals, options);
    const verified = groups.map((group) => ({ ...group, verdict: vote(group.answers) }));
    const own = proposals.map((proposal, ask) => ({
      ...{ ...proposal, promptTokens: [1], tokens: [2], logprobs: [-1], stopReason: "stop" as const, text: "", ask },
    }));
    return judge({ step: 1, proposals: own, groups: verified }, { ...settings, ...input });
  };

  it.each(["majority", "soft", "format"] as const)(
    "an answer that was asked for votes and earns nothing: %s",
    async (solverReward) => {
      const { groups } = await judged(topic, { solverReward });
      const answers = groups.flatMap(({ answers, signal }) => (signal === "trained" ? answers : []));
      const askedFor = answers.filter((answer) => answer.askedFor);
      expect(askedFor.length).toBeGreaterThan(0);
      for (const { value, advantage, reward } of askedFor) {
        expect(value).not.toBeNull();
        if (solverReward !== "soft") expect(reward).toBe(0);
        expect(advantage).toBeLessThan(0);
      }
      const said = answers.filter(({ value, askedFor }) => value === "7" && !askedFor);
      for (const { advantage } of said) expect(advantage).toBeGreaterThan(0);
      // They have elected: without them the vote is another.
      for (const { answers: all, verdict } of groups) {
        expect((verdict as VoteVerdict).counts.reduce((sum, [, votes]) => sum + votes, 0)).toBe(
          all.filter(({ value }) => value !== null).length,
        );
      }
    },
  );

  it("is counted", async () => {
    const { step: _, ...with_ } = await judged(topic);
    const { step: __, ...without } = await judged(unconcluded);
    const [concluded, before] = [health(with_), health(without)];
    expect(before["concludedShare"]).toBeUndefined();
    expect(concluded["concludedShare"]).toBeCloseTo(before["unreadableShare"] - concluded["unreadableShare"], 9);
    expect([concluded["unreadableShare"], concluded["truncatedShare"]]).toEqual([0, before["truncatedShare"]]);
    for (const same of ["tokenEntropy", "answerTokens"]) expect(concluded[same]).toBe(before[same]);
  });
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

it("is recorded: the reply as it was, its answer, and how that was asked for", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-conclude-"));
  try {
    const sizes = { groupsPerBatch: 4, groupSize: 8, steps: 1, evalQuestions: 2, minAgreement: 0.3 };
    const config = runConfigSchema.parse({ topic: "digits", consistentVote: false, ...sizes });
    const says = (asked: ScriptedRequest): string =>
      asked.prompt === "P" ? String(asked.random.integer(10, 9999)) : reply(asked);
    await using workspace = openWorkspace(folder);
    await using store = workspace.createRun(config);
    const engine = createScriptedEngine({ reply: says });
    for await (const _ of selfPlay({ topic: { topic, hidden }, engine, store, config }));
    using reader = openReader(folder);
    const [{ run }] = listRuns(reader);
    const { decode } = player.tokenizer;
    const { questions } = findQuestions(reader, run);
    const answers = questions.flatMap(({ step, position }) => answersTo(reader, run, step, position, decode));
    const askedFor = answers.filter(({ value, reason }) => value !== null && reason !== null);
    expect(askedFor.length).toBeGreaterThan(0);
    for (const { value, reason, text = "", reward } of askedFor) {
      expect(text).toMatch(/^(?:well ?|much too lon)?$/);
      expect(reason).toBe(`asked for: …${/[a-z]$/.test(text) ? " " : ""}=${value}.`);
      expect(reward).toBe(0);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
