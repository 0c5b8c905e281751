import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Player } from "../../src/engine/engine.ts";
import { createScriptedPolicy, type ScriptedRequest } from "../../src/engine/scripted.ts";
import { type SolveOptions, solve as solveProposals } from "../../src/play/solve.ts";
import { arithmetic } from "../../src/topics/arithmetic.ts";
import { readSum, sumQuestion, writeNumber } from "../../src/topics/arithmetic-notation.ts";
import { truth } from "../../src/topics/arithmetic-truth.ts";
import { defineTopic, type TopicDefinition } from "../../src/topics/define-topic.ts";
import type { Topic } from "../../src/topics/topic.ts";
import type { Answer, Question } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

const options: SolveOptions = {
  groupSize: 8,
  consistentVote: true,
  heldOutKeys: new Set(),
  temperature: 1,
  topP: 1,
  topK: 0,
  truncatedReplies: "refuse",
  seed: 3,
};

/** Answers to questions that nobody refused, by question. */
async function solve(engine: Player, topic: Topic, questions: readonly Question[], settings: SolveOptions) {
  const groups = await solveProposals(
    engine,
    topic,
    questions.map((question) => ({ question, refusal: null })),
    settings,
  );
  expect(groups.map(({ question, proposal }) => [question, proposal])).toEqual(
    questions.map((question, index) => [question, index]),
  );
  return groups.map(({ answers }): readonly Answer[] => answers);
}

const sum = (text: string) => {
  const read = readSum(text);
  return read.ok ? read.value : expect.fail(read.reason);
};
const question = (text: string): Question => sumQuestion(sum(text));

/** Answers every sum rightly. */
const perfect = ({ prompt }: ScriptedRequest) => {
  const read = arithmetic.topic.readQuestion(prompt.slice(1));
  return read.ok ? writeNumber(truth(sum(read.value.text))) : "?";
};

function counting(engine: Player): { engine: Player; calls: number[][] } {
  const calls: number[][] = [];
  const sample: Player["sample"] = (asks, sampleOptions) => {
    calls.push(asks.map(({ numSamples }) => numSamples));
    return engine.sample(asks, sampleOptions);
  };
  return { engine: { ...engine, sample }, calls };
}

const shape = (answers: readonly { readonly form: number }[]) => answers.map(({ form }) => form);

describe("solve", () => {
  it("maps right answers to every form onto one answer to the original", async () => {
    const engine = createScriptedPolicy({ reply: perfect });
    const questions = ["50-73=", "73-50=", "123+456=", "407*6=", "7-7="].map(question);
    const groups = await solve(engine, arithmetic.topic, questions, options);
    expect(groups.map((answers) => vote(answers).winner)).toEqual(["-23", "23", "579", "2442", "0"]);
    for (const answers of groups) expect(vote(answers)).toMatchObject({ agreement: 1, consistent: true, groupSize: 8 });
    expect(groups.map(shape)).toEqual([
      ...Array.from({ length: 4 }, () => [0, 0, 0, 1, 1, 1, 2, 2]),
      [0, 0, 0, 0, 1, 1, 1, 1],
    ]);
  });

  it("finds inconsistency: a solver that ignores the order of a difference", async () => {
    const engine = createScriptedPolicy({ reply: () => "32" });
    const [answers] = await solve(engine, arithmetic.topic, [question("73-50=")], options);
    expect(vote(answers)).toMatchObject({ formWinners: ["23", "-23", "34"], consistent: false });
  });

  it("leaves out a restatement that evaluation keeps for itself", async () => {
    const engine = createScriptedPolicy({ reply: perfect });
    const moved = question("123+567=");
    const heldOutKeys = new Set([moved.key]);
    const [answers] = await solve(engine, arithmetic.topic, [question("123+456=")], { ...options, heldOutKeys });
    expect(shape(answers)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(answers.every(({ promptTokens }) => !engine.tokenizer.decode(promptTokens).includes("765"))).toBe(true);
  });

  it("gives form 0 the larger share and never splits a group too small", async () => {
    const engine = createScriptedPolicy({ reply: perfect });
    const forms = async (groupSize: number, consistentVote = true) =>
      shape((await solve(engine, arithmetic.topic, [question("12+3=")], { ...options, groupSize, consistentVote }))[0]);
    expect(await forms(5)).toEqual([0, 0, 0, 1, 1]);
    expect(await forms(4)).toEqual([0, 0, 1, 1]);
    expect(await forms(3)).toEqual([0, 0, 0]);
    expect(await forms(2)).toEqual([0, 0]);
    expect(await forms(4, false)).toEqual([0, 0, 0, 0]);
  });

  it("asks the engine once, whatever the shares of the forms", async () => {
    const { engine, calls } = counting(createScriptedPolicy({ reply: perfect }));
    await solve(engine, arithmetic.topic, ["1+2=", "3+4=", "5+5="].map(question), options);
    // 5+5= has two forms of 4 answers; the others have three, of 3, 3 and 2.
    expect(calls).toEqual([[3, 3, 2, 3, 3, 2, 4, 4]]);
  });

  it("answers to a question do not depend on the questions beside it, nor on their order", async () => {
    const engine = createScriptedPolicy({ reply: ({ random }) => String(random.integer(1, 9)) });
    const questions = ["1+2=", "3+4=", "5+5="].map(question);
    const together = await solve(engine, arithmetic.topic, questions, options);
    expect(await solve(engine, arithmetic.topic, questions.toReversed(), options)).toEqual(together.toReversed());
    for (const [i, alone] of questions.entries()) {
      expect(await solve(engine, arithmetic.topic, [alone], options)).toEqual([together[i]]);
    }
  });

  it("keeps unreadable answers with their reason, and the end token out of the text", async () => {
    const engine = createScriptedPolicy({ reply: ({ sample }) => ["5", "x", "50", ""][sample % 4] });
    const [answers] = await solve(engine, arithmetic.topic, [question("2+3=")], {
      ...options,
      groupSize: 4,
      consistentVote: false,
    });
    expect(answers.map(({ text }) => text)).toEqual(["5", "x", "50", ""]);
    expect(answers.map(({ value }) => value)).toEqual(["5", null, null, null]);
    expect(answers.map(({ reason }) => reason)).toEqual([undefined, "not a number", "leading zero", "empty"]);
    for (const { tokens, logprobs } of answers) expect(logprobs).toHaveLength(tokens.length);
  });

  it("does not take a reply without an end for an answer", async () => {
    const engine = createScriptedPolicy({ reply: () => "1".repeat(40) });
    const [answers] = await solve(engine, arithmetic.topic, [question("2+3=")], options);
    expect(answers.every(({ value, stopReason }) => value === null && stopReason === "length")).toBe(true);
  });

  it("asks what was not refused, and remembers whose proposal it was", async () => {
    const engine = createScriptedPolicy({ reply: perfect });
    const asked = [
      { question: null, refusal: { kind: "malformed" as const, says: "?" } },
      { question: question("1+2="), refusal: null },
      { question: question("1+3="), refusal: { kind: "held-out" as const } },
      { question: question("1+4="), refusal: null },
    ];
    const groups = await solveProposals(engine, arithmetic.topic, asked, options);
    expect(groups.map(({ proposal, question }) => [proposal, question.key])).toEqual([
      [1, "2+1"],
      [3, "4+1"],
    ]);
  });

  it("takes no questions", async () => {
    const { engine, calls } = counting(createScriptedPolicy({ reply: perfect }));
    expect(await solve(engine, arithmetic.topic, [], options)).toEqual([]);
    expect(calls).toEqual([]);
  });

  it("gives the same answers for the same seed", async () => {
    const engine = createScriptedPolicy({ reply: ({ random }) => String(random.integer(1, 9)) });
    const once = await solve(engine, arithmetic.topic, [question("2+3=")], options);
    expect(await solve(engine, arithmetic.topic, [question("2+3=")], options)).toEqual(once);
    expect(await solve(engine, arithmetic.topic, [question("2+3=")], { ...options, seed: 4 })).not.toEqual(once);
  });

  it("gives every question its groupSize answers, in order of forms, whatever the topic restates", async () => {
    const engine = createScriptedPolicy({ reply: ({ prompt }) => prompt });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 4 }), { maxLength: 4 }),
        fc.integer({ min: 2, max: 9 }),
        async (restatements, groupSize) => {
          const plain = (text: string): Question => ({ text, key: text, difficulty: 1 });
          const { topic } = defineTopic({
            ...wordTopic,
            restatements: ({ text }) =>
              restatements[Number(text.slice(1))].map((name) => ({
                question: plain(name),
                toOriginal: (answer) => answer,
              })),
          });
          const questions = restatements.map((_, i) => plain(`q${i}`));
          const groups = await solve(engine, topic, questions, { ...options, groupSize });
          expect(groups).toHaveLength(questions.length);
          groups.forEach((answers, i) => {
            expect(answers).toHaveLength(groupSize);
            const forms = ["", ...new Set(restatements[i])].slice(0, Math.max(1, Math.floor(groupSize / 2)));
            expect(new Set(shape(answers)).size).toBe(forms.length);
            answers.forEach(({ form, text }, j) => {
              expect(text).toBe(form === 0 ? `q${i}` : forms[form]);
              if (j > 0) expect(form).toBeGreaterThanOrEqual(answers[j - 1].form);
            });
            const shares = forms.map((_, form) => answers.filter((answer) => answer.form === form).length);
            expect(shares[0]).toBe(Math.max(...shares));
            expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
          });
        },
      ),
    );
  });
});

const wordTopic: TopicDefinition = {
  name: "words",
  description: "Anything.",
  verification: "vote",
  maxTokens: { propose: 40, solve: 40 },
  proposePrompt: () => "ask",
  readQuestion: (reply) => ({ ok: true, value: { text: reply, key: reply, difficulty: 1 } }),
  solvePrompt: ({ text }) => text,
  readAnswer: (reply) => ({ ok: true, value: reply }),
};

describe("solve with the model's own paraphrases", () => {
  const { topic } = defineTopic({
    ...wordTopic,
    solvePrompt: ({ text }) => [{ role: "user", content: text }],
    paraphrase: {
      prompt: ({ text }) => `again: ${text}`,
      read: (reply) => (reply === "" ? { ok: false, reason: "empty" } : topic.readQuestion(reply)),
    },
  });
  const ask = async (paraphrase: string, groupSize = 4) => {
    const engine = createScriptedPolicy({
      reply: ({ prompt }) => (prompt.startsWith("again: ") ? paraphrase : prompt),
    });
    const questions = ["why?"].map((text) => ({ text, key: text, difficulty: 1 }));
    return (await solve(engine, topic, questions, { ...options, groupSize }))[0].map(({ text }) => text);
  };

  it("puts the paraphrase as the second form, through the chat template", async () => {
    expect(await ask("wherefore?")).toEqual([
      ...Array.from({ length: 2 }, () => "<user>why?\n<assistant>"),
      ...Array.from({ length: 2 }, () => "<user>wherefore?\n<assistant>"),
    ]);
  });

  it("puts the original alone where the paraphrase is unreadable or no other text", async () => {
    const alone = Array.from({ length: 4 }, () => "<user>why?\n<assistant>");
    expect(await ask("")).toEqual(alone);
    expect(await ask("why?")).toEqual(alone);
    expect(await ask("wherefore?", 3)).toEqual(alone.slice(1));
  });
});
