import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createScriptedPolicy } from "../../src/engine/scripted.ts";
import { UsageError } from "../../src/errors.ts";
import { propose } from "../../src/play/propose.ts";
import { solve } from "../../src/play/solve.ts";
import { randomStream } from "../../src/random.ts";
import { plainTopic } from "../../src/topics/plain.ts";
import { plainPrompts, questionMarkers } from "../../src/topics/plain-prompts.ts";
import { openTopic } from "../../src/topics/registry.ts";
import type { ChatMessage, Question, Reading } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

interface Part {
  readonly question: string;
  readonly messages: readonly ChatMessage[];
  readonly replies: readonly { readonly reply: string; readonly value?: string; readonly reason?: string }[];
}
interface Exchange {
  readonly subject: string;
  readonly propose: Part;
  readonly solve: Part;
  readonly paraphrase: Part;
}
const readExchange = (name: string): Exchange =>
  JSON.parse(readFileSync(new URL(`./fixtures/plain-exchange-${name}.json`, import.meta.url), "utf8")) as Exchange;
const exchange = readExchange("by-hand");
const recording = readExchange("smollm2");
const { topic, hidden } = plainTopic(exchange.subject);
const paraphrase = topic.paraphrase ?? expect.fail("a plain topic paraphrases");
const question = (text: string): Question => {
  const read = topic.readQuestion(`<question>${text}</question>`);
  return read.ok ? read.value : expect.fail(read.reason);
};
const textOf = (reading: Reading<Question>): Reading<string> =>
  reading.ok ? { ok: true, value: reading.value.text } : reading;

describe.each([
  ["a real model", recording],
  ["written by hand", exchange],
])("replies: %s", (_, { propose, solve, paraphrase: rewritten }) => {
  const expected = ({ value, reason }: Part["replies"][number]): Reading<string> =>
    value === undefined ? { ok: false, reason: reason ?? "" } : { ok: true, value };
  it.each(propose.replies)("proposal: $reply", (recorded) => {
    expect(textOf(topic.readQuestion(recorded.reply))).toEqual(expected(recorded));
  });
  it.each(solve.replies)("answer: $reply", (recorded) => {
    expect(topic.readAnswer(recorded.reply, question(solve.question))).toEqual(expected(recorded));
  });
  it.each(rewritten.replies)("paraphrase: $reply", (recorded) => {
    const read = paraphrase.read(recorded.reply, question(rewritten.question));
    expect(textOf(read)).toEqual(expected(recorded));
  });
});

describe("the exchange with a real model", () => {
  const asked = plainTopic(recording.subject).topic;
  it("was asked with the messages of today", () => {
    expect(asked.proposePrompt({ random: randomStream("test"), recent: [] })).toEqual(recording.propose.messages);
    expect(asked.solvePrompt(question(recording.solve.question))).toEqual(recording.solve.messages);
    expect(asked.paraphrase?.prompt(question(recording.paraphrase.question))).toEqual(recording.paraphrase.messages);
  });
  it("shows that a small model keeps to the contract in part", () => {
    for (const { replies } of [recording.propose, recording.solve, recording.paraphrase]) {
      expect(replies.some(({ value }) => value !== undefined)).toBe(true);
    }
    for (const { replies } of [recording.propose, recording.paraphrase]) {
      expect(replies.some(({ reason }) => reason !== undefined)).toBe(true);
    }
  });
});

describe("a plain topic", () => {
  it("plays a step: chat prompts, a paraphrase as the other form, votes by mathematics", async () => {
    const engine = createScriptedPolicy({
      reply({ prompt, sample }) {
        if (prompt.includes("in other words")) return exchange.paraphrase.replies[0].reply;
        const { replies } = prompt.endsWith(questionMarkers.open) ? exchange.propose : exchange.solve;
        return replies[sample % replies.length].reply;
      },
    });
    const sampling = { temperature: 1, topP: 1, topK: 0, truncatedReplies: "refuse" as const, seed: 1 };
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
    const readable = exchange.propose.replies.slice(0, 8).map(({ value }) => value !== undefined);
    expect(proposals.map(({ refusal }) => refusal?.kind ?? null)).toEqual(
      readable.map((each, i) => (i === 0 ? null : each ? "surplus" : "malformed")),
    );
    const [{ answers }] = await solve(engine, topic, proposals, {
      ...sampling,
      groupSize: 8,
      consistentVote: true,
      heldOutKeys: new Set(),
    });
    expect(new Set(answers.map(({ form }) => form))).toEqual(new Set([0, 1]));
    expect(vote(answers)).toMatchObject({ winner: "≈8.94427191", agreement: 6 / 8, consistent: true });
  });

  it("has no truth, opens the question in its prompt, and ends it where its closing mark begins", () => {
    expect(hidden).toBeNull();
    const recent = ["one", "two"].map((word) => question(`What is ${word}?`));
    const prompts = [[], recent].map((earlier) =>
      topic.proposePrompt({ random: randomStream("test"), recent: earlier }),
    );
    expect(prompts[0]).toEqual(prompts[1]);
    expect(prompts[0].at(-1)).toEqual({ role: "assistant", content: "<question>" });
    expect(paraphrase.prompt(question("What is one?")).at(-1)).toEqual({ role: "assistant", content: "<question>" });
    expect(topic.stopText).toEqual({ propose: "</" });
  });

  it("takes prompts of the user", () => {
    const own = plainTopic("tides", {
      prompts: {
        ...plainPrompts,
        propose: (subject, recent) => [{ role: "user", content: `Ask about ${subject}. Not: ${recent.join(" ")}` }],
      },
    });
    // What a reasoning model thinks is closed in the same way as a question.
    expect(own.topic.stopText).toBeUndefined();
    const recent = ["one", "two", "three", "four", "five"].map((word) => question(`What is ${word}?`));
    const [asked] = own.topic.proposePrompt({ random: randomStream("test"), recent }) as readonly ChatMessage[];
    expect(recent.filter(({ text }) => asked.content.includes(text))).toHaveLength(3);
    expect(own.topic.proposePrompt({ random: randomStream("test"), recent: [] })).toEqual([
      { role: "user", content: "Ask about tides. Not: " },
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

  it.each([
    ["What is the capital of Peru?", "The capital of Peru is Lima.", "lima"],
    ["Which European city is considered the capital of Russia?", "The capital of Russia is Moscow", "moscow"],
    ["Which is the capital city of the U. S.?", "The capital city of the U. S. is Washington, D. C.", "washington d c"],
    ["What is the opposite of hot?", "The opposite of hot is cold.", "cold"],
    ["What is 5 + 3?", "5 + 3 is 8.", "8"],
    ['What is the opposite of the word "test"?', 'The opposite word of "test" is "fail".', "fail"],
    ["What colour has the sky of Mars?", "The sky colour of Mars is red.", "red"],
    ["How old was the city of Rome in 1000?", "The city of Rome was very old.", "very old"],
    ["What is the opposite of tan?", 'The opposite of "tan" is "sin". The answer is \\boxed{\\sin}.', "sin"],
    ["Which is first?", 'In their categories "apple" comes first. The answer is \\boxed{"apple".', "apple"],
    ["What is the opposite of south?", "The answer is \\boxed{north.", "north"],
    // What is marked goes first, and a number counts where no value follows what the question asked for.
    ["What is the opposite of hot?", "The opposite of hot is warm. The answer is cold.", "cold"],
    ["How many days has a week?", "The days of a week are 7.", "7"],
    ["What is the number of days in two weeks?", "The number of days in two weeks is two times 7, that is 14.", "14"],
  ])("reads what is said of what the question asked for: %s %s", (asked, reply, value) => {
    expect(topic.readAnswer(reply, question(asked))).toEqual({ ok: true, value });
  });

  it.each([
    ["Which is the tallest mountain of Europe?", "Asia's tallest mountain is Everest."],
    ["What is the opposite of hot?", "The opposite of a word is another word."],
    ["What is the opposite of hot?", "The opposite of hot is not cold."],
    ["What is the opposite of hot?", "The opposite of cold is hot."],
    ["What is the capital of Russia?", "The capital of Russia is a city that lies on the river Moskva."],
    ["What is the capital of Russia?", "The capital of Russia is old. Moscow is large."],
    ["What is the capital of Russia?", "It is Moscow."],
    // It may go on: nothing says that it has ended.
    ["What is the opposite of south?", "The answer is \\boxed{north"],
    ["What is 4 + 4.5?", "The answer is \\boxed{8."],
    ["What is the opposite of hot?", "The answer is \\boxed{}."],
    ["What is the capital of Russia?", "Russia is large."],
  ])("reads no value where a sentence says another thing: %s %s", (asked, reply) => {
    expect(topic.readAnswer(reply, question(asked)).ok).toBe(false);
  });

  it("reads hostile replies without an exception", () => {
    const asked = question(exchange.solve.question);
    const hostile = [
      "<question>".repeat(10_000),
      "{".repeat(100_000),
      `\\boxed${"{".repeat(100_000)}`,
      `${'\\boxed{"'.repeat(50_000)}.`,
      "\ud800<question>\ud800 ab</question>",
      "<question>\ufffd\ufffd words</question>",
      `<question>${"a ".repeat(5000)}</question>`,
      "the edge is ".repeat(100_000),
    ];
    for (const reply of hostile) {
      expect(topic.readQuestion(reply).ok).toBe(false);
      expect(topic.readAnswer(reply, asked).ok).toBe(false);
    }
  });
});

it("asks a reply that says no answer for it, and reads a fraction behind the opened box whole", async () => {
  const player = createScriptedPolicy({
    reply: ({ prompt }) => (prompt.endsWith("The answer is \\boxed{") ? "\\frac{1}{2}}." : "It is hard to say."),
  });
  const asked = { question: question("What is half of one?"), refusal: null };
  const [{ answers }] = await solve(player, topic, [asked], {
    ...{ groupSize: 3, consistentVote: false, heldOutKeys: new Set<string>(), seed: 1 },
    ...{ temperature: 1, topP: 1, topK: 0, truncatedReplies: "refuse" },
  });
  for (const { text, value, askedFor } of answers) {
    expect(text).toBe("It is hard to say. The answer is \\boxed{\\frac{1}{2}}.");
    expect([value, askedFor]).toEqual(["1/2", true]);
  }
});
