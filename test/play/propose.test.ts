import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Ask, Player, SampleOptions } from "../../src/engine/engine.ts";
import { createScriptedPolicy } from "../../src/engine/scripted.ts";
import { type ProposeOptions, propose } from "../../src/play/propose.ts";
import { randomStream } from "../../src/random.ts";
import { arithmetic } from "../../src/topics/arithmetic.ts";
import { arithmeticInWords } from "../../src/topics/arithmetic-words.ts";
import { defineTopic } from "../../src/topics/define-topic.ts";
import type { Topic } from "../../src/topics/topic.ts";

const options: ProposeOptions = {
  count: 6,
  accept: 10,
  temperature: 1,
  topP: 1,
  topK: 0,
  truncatedReplies: "refuse",
  seed: 5,
  random: randomStream("test"),
  recent: [],
  seenKeys: new Set(),
  heldOutKeys: new Set(),
};

interface Call {
  readonly prompts: readonly string[];
  readonly asks: readonly Ask[];
  readonly options: SampleOptions;
}

/** The same engine, remembering how it was asked to sample. */
function recording(engine: Player): { engine: Player; calls: Call[] } {
  const calls: Call[] = [];
  const sample: Player["sample"] = (asks, sampleOptions) => {
    const prompts = asks.map(({ promptTokens }) => engine.tokenizer.decode(promptTokens));
    calls.push({ prompts, asks, options: sampleOptions });
    return engine.sample(asks, sampleOptions);
  };
  return { engine: { ...engine, sample }, calls };
}

const replies = (...texts: string[]) => createScriptedPolicy({ reply: ({ sample }) => texts[sample % texts.length] });

describe("propose", () => {
  it("marks what will not be solved with the reason, in sample order", async () => {
    const engine = replies("321+4=", "nonsense", "4+321=", "1+1=", "2+2=", "3+3=");
    const proposals = await propose(engine, arithmetic.topic, {
      ...options,
      accept: 2,
      heldOutKeys: new Set(["1+1"]),
    });
    expect(proposals.map(({ refusal }) => refusal?.kind ?? null)).toEqual([
      null,
      "malformed",
      "duplicate",
      "held-out",
      null,
      "surplus",
    ]);
    expect(proposals[1]).toMatchObject({ question: null, refusal: { says: expect.stringContaining("form") } });
    expect(proposals[0].question).toEqual({ text: "123+4=", key: "123+4", difficulty: 3 });
    expect(proposals[4].question).toEqual({ text: "2+2=", key: "2+2", difficulty: 1 });
  });

  it("solves those of more good questions that are chosen; what is no good question is no choice", async () => {
    const engine = replies("321+4=", "nonsense", "4+321=", "1+1=", "2+2=", "3+3=");
    const offered: string[][] = [];
    const proposals = await propose(engine, arithmetic.topic, {
      ...options,
      accept: 2,
      heldOutKeys: new Set(["1+1"]),
      choose: (questions, count) => {
        offered.push(questions.map(({ key }) => key));
        return [1, 2].slice(0, count);
      },
    });
    expect(offered).toEqual([["123+4", "2+2", "3+3"]]);
    expect(proposals.map(({ refusal }) => refusal?.kind ?? null)).toEqual([
      "surplus",
      "malformed",
      "duplicate",
      "held-out",
      null,
      null,
    ]);
  });

  it("goes on with an opened reply, and ends it on text", async () => {
    const { engine, calls } = recording(replies(" 123 + 4? And what is 5 + 6?", " 7"));
    const [first, second] = await propose(engine, arithmeticInWords.topic, { ...options, count: 2 });
    expect(calls[0].prompts.every((prompt) => prompt.endsWith("<assistant>What is"))).toBe(true);
    for (const proposal of [first, second]) {
      expect(proposal.text === " 123 + 4?" ? proposal.question?.text : proposal.refusal?.kind).toBe(
        proposal.text === " 123 + 4?" ? "What is 123 + 4?" : "malformed",
      );
      expect(proposal.stopReason).toBe("stop");
    }
  });

  it("knows questions of earlier steps, also restated ones", async () => {
    const seenKeys = new Set(["123+4"]);
    const proposals = await propose(replies("4+321="), arithmetic.topic, { ...options, count: 1, seenKeys });
    expect(proposals[0].refusal).toEqual({ kind: "duplicate" });
  });

  it("keeps held-out questions out even when they were also seen", async () => {
    const keys = new Set(["2+2"]);
    const proposals = await propose(replies("2+2="), arithmetic.topic, {
      ...options,
      count: 1,
      seenKeys: keys,
      heldOutKeys: keys,
    });
    expect(proposals[0].refusal).toEqual({ kind: "held-out" });
  });

  it("keeps prompt, tokens and log-probabilities together, and the end token out of the text", async () => {
    const engine = replies("321+4=");
    const [proposal] = await propose(engine, arithmetic.topic, { ...options, count: 1 });
    expect(proposal.text).toBe("321+4=");
    expect(proposal.tokens.at(-1)).toBe(engine.tokenizer.endTokens[0]);
    expect(proposal.tokens).toHaveLength(7);
    expect(engine.tokenizer.decode(proposal.promptTokens)).toBe("P");
    const [scored] = await engine.score([[...proposal.promptTokens, ...proposal.tokens]]);
    expect(proposal.logprobs).toEqual(scored.slice(1));
  });

  it("samples equal prompts as one prompt, and passes the options on", async () => {
    const { engine, calls } = recording(replies("1+2="));
    await propose(engine, arithmetic.topic, { ...options, count: 7, temperature: 0.5 });
    expect(calls).toHaveLength(1);
    expect(calls[0].prompts).toEqual(["P"]);
    expect(calls[0].asks).toMatchObject([{ numSamples: 7, first: 0 }]);
    expect(calls[0].options).toMatchObject({ temperature: 0.5, topP: 1, topK: 0, maxTokens: 21 });
    expect(calls[0].options.stop).toEqual(engine.tokenizer.endTokens);
  });

  it("returns proposals in prompt order where the topic varies its prompts", async () => {
    const names = ["a", "b", "a", "c", "a", "b"];
    let asked = 0;
    const { topic } = defineTopic({ ...arithmetic.topic, proposePrompt: () => names[asked++] });
    const { engine, calls } = recording(createScriptedPolicy({ reply: ({ prompt, sample }) => `${prompt}${sample}` }));
    const proposals = await propose(engine, topic, options);
    expect(proposals.map(({ text }) => text)).toEqual(["a0", "b0", "a1", "c0", "a2", "b1"]);
    expect(proposals.map(({ ask }) => ask)).toEqual([0, 1, 0, 2, 0, 1]);
    expect(calls.map(({ prompts, asks }) => [prompts, asks.map(({ numSamples }) => numSamples)])).toEqual([
      [
        ["a", "b", "c"],
        [3, 2, 1],
      ],
    ]);
    expect(new Set(calls[0].asks.map(({ seed }) => seed)).size).toBe(3);
  });

  it("refuses a question that leaves no room for an answer", async () => {
    const engine = createScriptedPolicy({
      reply: ({ sample }) => (sample ? "1+1=" : "111111111+1="),
      maxSequenceTokens: 24,
    });
    const proposals = await propose(engine, arithmetic.topic, { ...options, count: 2 });
    expect(proposals[0]).toMatchObject({
      question: null,
      refusal: { kind: "malformed", says: expect.stringContaining("24 tokens") },
    });
    expect(proposals[1].refusal).toBeNull();
  });

  it("accepts distinct, unseen, well-formed questions only, whatever the model says", async () => {
    const reply = fc.oneof(fc.stringMatching(/^[0-9]{1,2}[-+*][0-9]=$/), fc.string({ maxLength: 8 }));
    await fc.assert(
      fc.asyncProperty(fc.array(reply, { minLength: 1, maxLength: 12 }), fc.nat({ max: 6 }), async (texts, accept) => {
        const heldOutKeys = new Set(["1+1", "7*2"]);
        const seenKeys = new Set(["2+2"]);
        const count = texts.length;
        const topic: Topic = arithmetic.topic;
        const proposals = await propose(replies(...texts), topic, { ...options, count, accept, heldOutKeys, seenKeys });
        expect(proposals).toHaveLength(count);
        const keys = proposals.flatMap(({ question, refusal }) => (question && !refusal ? [question.key] : []));
        expect(keys.length).toBeLessThanOrEqual(accept);
        expect(new Set(keys).size).toBe(keys.length);
        for (const key of keys) expect(heldOutKeys.has(key) || seenKeys.has(key)).toBe(false);
        for (const { question, refusal } of proposals) {
          expect(question === null).toBe(refusal?.kind === "malformed");
          if (refusal?.kind === "malformed") expect(refusal.says).toBeTruthy();
        }
      }),
    );
  });
});
