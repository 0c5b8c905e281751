import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { defineTopic, type TopicDefinition } from "../../src/topics/define-topic.ts";

const complete: TopicDefinition = {
  name: "capitals",
  description: "Capitals of countries.",
  verification: "vote",
  maxTokens: { propose: 8, solve: 8 },
  proposePrompt: () => "Country:",
  readQuestion: (reply) => ({ ok: true, value: { text: reply, key: reply, difficulty: 1 } }),
  solvePrompt: (question) => `Capital of ${question.text}:`,
  readAnswer: (reply) => ({ ok: true, value: reply }),
  hidden: { check: () => true, levels: [1, 2], frontier: 1, heldOut: () => [] },
};

/** The definition as a user without a type checker might give it. */
const broken = (change: object) => () => defineTopic({ ...complete, ...change } as unknown as TopicDefinition);

describe("defineTopic", () => {
  it("splits the truth off and freezes both halves", () => {
    const { topic, hidden } = defineTopic(complete);
    expect(hidden?.levels).toEqual([1, 2]);
    expect("hidden" in topic).toBe(false);
    for (const part of [topic, topic.maxTokens, hidden]) expect(Object.isFrozen(part)).toBe(true);
  });

  it("gives no method of the topic a way to the truth through `this`", () => {
    const seen: unknown[] = [];
    const { topic } = defineTopic({
      ...complete,
      solvePrompt(this: unknown) {
        seen.push((this as { hidden?: unknown }).hidden);
        return "";
      },
    });
    topic.solvePrompt({ text: "", key: "", difficulty: 1 });
    expect(seen).toEqual([undefined]);
  });

  it("takes a topic without hidden truth", () => {
    const { hidden: _, ...withoutTruth } = complete;
    expect(defineTopic(withoutTruth).hidden).toBeNull();
  });

  it("names the part that is missing or wrong", () => {
    const required = [
      "name",
      "description",
      "verification",
      "proposePrompt",
      "readQuestion",
      "solvePrompt",
      "readAnswer",
    ];
    for (const part of required) {
      expect(broken({ [part]: undefined }), part).toThrow(UsageError);
      expect(broken({ [part]: undefined }), part).toThrow(part);
    }
    expect(broken({ maxTokens: { propose: 8 } })).toThrow("maxTokens.solve");
    expect(broken({ maxTokens: { propose: 0, solve: 1 } })).toThrow("maxTokens.propose");
    expect(broken({ maxTokens: undefined })).toThrow("maxTokens.propose");
    expect(broken({ paraphrase: { prompt: () => "" } })).toThrow("paraphrase.read");
    expect(broken({ restatements: [] })).toThrow("restatements");
    expect(broken({ verification: "tests" })).toThrow("language");
    expect(broken({ hidden: { ...complete.hidden, check: undefined } })).toThrow("hidden.check");
    expect(broken({ hidden: { ...complete.hidden, levels: [2, 1] } })).toThrow("hidden.levels");
    expect(broken({ hidden: { ...complete.hidden, frontier: 7 } })).toThrow("hidden.frontier");
    expect(() => defineTopic(null as unknown as TopicDefinition)).toThrow(UsageError);
  });

  it("keeps settings, and refuses those that say which run it is", () => {
    expect(defineTopic({ ...complete, settings: { steps: 4 } }).topic.settings).toEqual({ steps: 4 });
    expect(broken({ settings: { steps: 4, topic: "other" } })).toThrow("settings.topic is not a topic's to set");
    expect(broken({ settings: "steps" })).toThrow("settings must be an object");
  });

  it("refuses an unknown part and names the nearest", () => {
    expect(broken({ restatement: () => [] })).toThrow('Did you mean "restatements"?');
  });
});
