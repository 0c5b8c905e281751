import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createScriptedEngine } from "../../src/engine/scripted.ts";
import { UsageError } from "../../src/errors.ts";
import { acceptedQuestions, propose } from "../../src/play/propose.ts";
import { solve } from "../../src/play/solve.ts";
import { randomStream } from "../../src/random.ts";
import { plainTopic } from "../../src/topics/plain.ts";
import { plainPrompts } from "../../src/topics/plain-prompts.ts";
import { openTopic } from "../../src/topics/registry.ts";
import type { ChatMessage, Question } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

interface Recorded {
  readonly reply: string;
  readonly text?: string;
  readonly value?: string;
  readonly reason?: string;
}
interface Part {
  readonly question: string;
  readonly messages: readonly ChatMessage[];
  readonly replies: readonly Recorded[];
}
const exchange = JSON.parse(readFileSync(new URL("./fixtures/plain-exchange.json", import.meta.url), "utf8")) as {
  readonly subject: string;
  readonly propose: Part;
  readonly solve: Part;
  readonly paraphrase: Part;
};
const { topic, hidden } = plainTopic(exchange.subject);
const paraphrase = topic.paraphrase ?? expect.fail("a plain topic paraphrases");
const question = (text: string): Question => {
  const read = topic.readQuestion(`<question>${text}</question>`);
  return read.ok ? read.value : expect.fail(read.reason);
};

describe("the recorded exchange", () => {
  it("was asked with these messages", () => {
    expect(topic.proposePrompt({ random: randomStream("test"), recent: [] })).toEqual(exchange.propose.messages);
    expect(topic.solvePrompt(question(exchange.solve.question))).toEqual(exchange.solve.messages);
    expect(paraphrase.prompt(question(exchange.paraphrase.question))).toEqual(exchange.paraphrase.messages);
  });
  it.each(exchange.propose.replies)("proposal: $reply", ({ reply, text, reason }) => {
    const read = topic.readQuestion(reply);
    expect(read.ok ? { text: read.value.text } : { reason: read.reason }).toEqual(
      reason === undefined ? { text } : { reason },
    );
  });
  it.each(exchange.solve.replies)("answer: $reply", ({ reply, value, reason }) => {
    const read = topic.readAnswer(reply, question(exchange.solve.question));
    expect(read).toEqual(reason === undefined ? { ok: true, value } : { ok: false, reason });
  });
  it.each(exchange.paraphrase.replies)("paraphrase: $reply", ({ reply, text, reason }) => {
    const read = paraphrase.read(reply, question(exchange.paraphrase.question));
    expect(read.ok ? { text: read.value.text } : { reason: read.reason }).toEqual(
      reason === undefined ? { text } : { reason },
    );
  });
});

describe("a plain topic", () => {
  it("plays a step: chat prompts, a paraphrase as the other form, votes by mathematics", async () => {
    const engine = createScriptedEngine({
      reply({ prompt, sample }) {
        if (prompt.includes("Rewrite this")) return exchange.paraphrase.replies[0].reply;
        if (prompt.includes("step by step"))
          return exchange.solve.replies[sample % exchange.solve.replies.length].reply;
        return exchange.propose.replies[sample % exchange.propose.replies.length].reply;
      },
    });
    const sampling = { temperature: 1, topP: 1, topK: 0, seed: 1 };
    const none = new Set<string>();
    const proposals = await propose(engine, topic, {
      ...sampling,
      count: 8,
      accept: 1,
      random: randomStream("plain"),
      recent: [],
      seenKeys: none,
      heldOutKeys: none,
    });
    expect(proposals.map(({ reason }) => reason?.replace(/:.*/, ""))).toEqual([
      undefined,
      "surplus",
      ...Array.from({ length: 6 }, () => "malformed"),
    ]);
    const questions = acceptedQuestions(proposals).map((each) => each.question);
    const [group] = await solve(engine, topic, questions, {
      ...sampling,
      groupSize: 8,
      consistentVote: true,
      heldOutKeys: new Set(),
    });
    expect(new Set(group.map(({ form }) => form))).toEqual(new Set([0, 1]));
    expect(vote(group)).toMatchObject({ winner: "≈8.94427191", agreement: 6 / 8, consistent: true });
  });

  it("has no truth, and shows the proposer a few earlier questions", () => {
    expect(hidden).toBeNull();
    const recent = ["one", "two", "three", "four", "five"].map((word) => question(`What is ${word}?`));
    const prompt = topic.proposePrompt({ random: randomStream("test"), recent }) as readonly ChatMessage[];
    expect(recent.filter(({ text }) => prompt[1].content.includes(text)).length).toBe(3);
  });

  it("takes prompts of the user", () => {
    const own = plainTopic("tides", {
      prompts: { ...plainPrompts, propose: (subject) => [{ role: "user", content: `Ask about ${subject}` }] },
    });
    expect(own.topic.proposePrompt({ random: randomStream("test"), recent: [] })).toEqual([
      { role: "user", content: "Ask about tides" },
    ]);
  });

  it("opens by name", async () => {
    const opened = await openTopic("plain:geometry with circles");
    expect(opened.topic.name).toBe("plain:geometry with circles");
  });

  it.each(["", "   ", "x".repeat(201), "two\nlines", "\ud800"])("refuses the subject %j", async (subject) => {
    expect(() => plainTopic(subject)).toThrow(UsageError);
    await expect(openTopic(`plain:${subject}`)).rejects.toThrow(UsageError);
  });

  it("reads hostile replies without an exception", () => {
    const asked = question(exchange.solve.question);
    const hostile = [
      "<question>".repeat(10_000),
      "{".repeat(100_000),
      `\\boxed${"{".repeat(100_000)}`,
      "\ud800<question>\ud800 ab</question>",
      "<question>\ufffd\ufffd words</question>",
      `<question>${"a ".repeat(5000)}</question>`,
    ];
    for (const reply of hostile) {
      expect(topic.readQuestion(reply).ok).toBe(false);
      expect(topic.readAnswer(reply, asked).ok).toBe(false);
    }
  });
});
