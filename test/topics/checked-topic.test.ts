// The border of a topic: whatever its author's functions throw or return, the mistake is named, and nothing sound is changed.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { TopicError, UsageError } from "../../src/errors.ts";
import { randomStream } from "../../src/random.ts";
import { topicCall } from "../../src/topics/checked-topic.ts";
import { type DefinedTopic, defineTopic, type TopicDefinition } from "../../src/topics/define-topic.ts";
import { openTopic } from "../../src/topics/registry.ts";
import type { Question } from "../../src/types.ts";

const question: Question = { text: "1+2", key: "1+2", difficulty: 1 };
const sound = {
  name: "sums",
  description: "Sums.",
  verification: "vote",
  maxTokens: { propose: 8, solve: 8 },
  proposePrompt: () => "P",
  readQuestion: (reply: string) => ({ ok: true, value: { ...question, text: reply } }),
  solvePrompt: () => "S",
  readAnswer: (reply: string) => ({ ok: true, value: reply }),
  restatements: () => [{ question, toOriginal: (answer: string) => answer }],
  paraphrase: { prompt: () => "again", read: () => ({ ok: true, value: question }) },
  hidden: { check: () => true, levels: [1, 2], frontier: 1, heldOut: () => [question] },
} as const;

/** A topic whose author has no compiler. */
const define = (change: object): DefinedTopic => defineTopic({ ...sound, ...change } as unknown as TopicDefinition);
const withHidden = (change: object): DefinedTopic => define({ hidden: { ...sound.hidden, ...change } });

/** Calls the function of a topic that a part is named after. */
const calls: Readonly<Record<string, (defined: DefinedTopic) => unknown>> = {
  proposePrompt: ({ topic }) => topic.proposePrompt({ random: randomStream("test"), recent: [] }),
  readQuestion: ({ topic }) => topic.readQuestion("a reply"),
  solvePrompt: ({ topic }) => topic.solvePrompt(question),
  readAnswer: ({ topic }) => topic.readAnswer("a reply", question),
  restatements: ({ topic }) => topic.restatements?.(question),
  toOriginal: ({ topic }) => topic.restatements?.(question)[0]?.toOriginal("7"),
  "paraphrase.prompt": ({ topic }) => topic.paraphrase?.prompt(question),
  "paraphrase.read": ({ topic }) => topic.paraphrase?.read("a reply", question),
  "hidden.check": ({ hidden }) => hidden?.check(question, "7"),
  "hidden.heldOut": ({ hidden }) => hidden?.heldOut(1, 2, randomStream("test")),
};

/** A topic whose function of this name is `body`. */
function withPart(part: string, body: unknown): DefinedTopic {
  if (part === "toOriginal") return define({ restatements: () => [{ question, toOriginal: body }] });
  const [group, name] = part.split(".");
  if (name === undefined) return define({ [part]: body });
  return define({ [group]: { ...sound[group as "hidden" | "paraphrase"], [name]: body } });
}

describe("every function of a topic", () => {
  it.each(Object.keys(calls))("%s: what it throws is named, with the place", (part) => {
    const throws = withPart(part, () => (undefined as unknown as string).trim());
    expect(() => calls[part](throws)).toThrow(TopicError);
    expect(() => calls[part](throws)).toThrow(
      new RegExp(`^topic "sums": ${part}.* threw TypeError: Cannot read .*, at /.*checked-topic\\.test\\.ts:\\d+`),
    );
    const text = withPart(part, () => {
      throw "no luck";
    });
    expect(() => calls[part](text)).toThrow("threw string no luck");
  });

  it.each(Object.keys(calls))("%s: a promise is refused, except of a check", async (part) => {
    const failing = withPart(part, async () => {
      throw new Error("too late");
    });
    if (part === "hidden.check") {
      await expect(calls[part](failing)).rejects.toThrow(/hidden\.check threw too late/);
    } else {
      expect(() => calls[part](failing)).toThrow(/ returned a Promise \(an async function\), where it must return /);
    }
  });

  it.each(Object.keys(calls))(
    "%s: nothing that JavaScript can return ends in anything but a sound value or a TopicError",
    (part) => {
      fc.assert(
        fc.property(fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }), (value) => {
          try {
            calls[part](withPart(part, () => value));
          } catch (error) {
            expect(error).toBeInstanceOf(TopicError);
            expect((error as Error).message).toMatch(/^topic "sums": .* returned .*, where it must return /s);
          }
        }),
      );
    },
  );

  it("errors of this package pass as they are", () => {
    const error = new UsageError("No.", "Try another.");
    const topic = withPart("readAnswer", () => {
      throw error;
    });
    expect(() => calls["readAnswer"](topic)).toThrow(error);
  });

  it("is known while it runs, and not afterwards, also when it threw or called another", () => {
    const seen: unknown[] = [];
    const inner = withPart("readAnswer", () => seen.push(topicCall()));
    const outer = withPart("readQuestion", () => {
      expect(() => calls["readAnswer"](inner)).toThrow();
      return seen.push(topicCall());
    });
    expect(() => calls["readQuestion"](outer)).toThrow();
    expect(seen).toMatchObject([{ part: "readAnswer" }, { part: "readQuestion" }]);
    expect(topicCall()).toBeNull();
  });
});

describe("what came and what should have come", () => {
  const says: readonly (readonly [part: string, value: unknown, message: string])[] = [
    ["readQuestion", undefined, "returned nothing (undefined), where it must return { ok: true, value }"],
    ["readQuestion", { ok: true, value: { text: "1" } }, "a question whose key is nothing (undefined)"],
    ["readQuestion", { ok: true, value: { text: "1", key: 5 } }, "whose key is the number 5"],
    [
      "readQuestion",
      { ok: true, value: { text: "1", key: "1", difficulty: Number.NaN } },
      "difficulty is the number NaN",
    ],
    ["readQuestion", { ok: true, value: { ...question, answer: 7n } }, "whose answer is the bigint 7"],
    ["readQuestion", { ok: false }, "whose reason is nothing (undefined)"],
    ["readAnswer", { ok: true, value: 42 }, "the number 42, where it must return an answer that is a text"],
    ["readAnswer", "42", 'the text "42", where it must return { ok: true, value }'],
    ["readAnswer", { ok: true, value: 42 }, 'when it was given "a reply"'],
    ["solvePrompt", [], "a list of 0, where it must return a text, or a list of chat messages"],
    ["solvePrompt", [{ role: "robot", content: "x" }], "a message that is an object with role, content"],
    ["solvePrompt", undefined, 'when it was given the question "1+2"'],
    ["restatements", undefined, "an empty list"],
    ["restatements", [{ text: "2+1" }], "a restatement that is an object with text"],
    ["restatements", [{ question: { text: "2+1" }, toOriginal: String }], "a restatement with a question whose key"],
    ["toOriginal", 7, "the number 7"],
    ["hidden.check", 1, "the number 1, where it must return true or false"],
    ["hidden.heldOut", [question, { ...question, text: "2+1" }], 'two questions with the key "1+2"'],
    ["hidden.heldOut", [{ ...question, difficulty: 2 }], 'the question "1+2" of difficulty 2'],
    ["hidden.heldOut", [], "0 questions of difficulty 1, where it must return 2"],
    ["hidden.heldOut", [1, 2, 3], "3 questions of difficulty 1"],
  ];
  it.each(says)("%s, case %#", (part, value, message) => {
    expect(() => calls[part](withPart(part, () => value))).toThrow(message);
  });

  it("a check's promise of something else than a boolean", async () => {
    const { hidden } = withHidden({ check: async () => "yes" });
    await expect(hidden?.check(question, "7")).rejects.toThrow('the text "yes", where it must return true or false');
  });
});

it("sound values pass untouched, the same objects", () => {
  const reading = { ok: true, value: { ...question, kind: "sum", tests: [] } };
  expect(calls["readQuestion"](withPart("readQuestion", () => reading))).toBe(reading);
  const chat = [{ role: "user", content: "1+2" }];
  expect(calls["solvePrompt"](withPart("solvePrompt", () => chat))).toBe(chat);
  expect(calls["hidden.check"](define({}))).toBe(true);
  for (const call of Object.values(calls)) expect(() => call(define({}))).not.toThrow();
});

describe("a topic from a file", () => {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-border-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is named by its file, once, however often it was defined", async () => {
    const path = join(folder, "numbers.mjs");
    const own = new URL("../../src/topics/define-topic.ts", import.meta.url).href;
    writeFileSync(
      path,
      `import { defineTopic } from ${JSON.stringify(own)};
       export const topic = defineTopic({
         name: "numbers", description: "Numbers.", verification: "vote", maxTokens: { propose: 4, solve: 4 },
         proposePrompt: () => "P", readQuestion: (text) => ({ ok: true, value: { text, key: text, difficulty: 1 } }),
         solvePrompt: () => "S", readAnswer: (reply) => ({ ok: true, value: Number(reply) }),
         restatements: (question) => [{ question, toOriginal: () => 1 }],
         settings: { model: "./my-model", steps: 3 },
         hidden: { check: () => 1, levels: [1], frontier: 1, heldOut: () => 1 },
       });`,
    );
    const defined = await openTopic(path);
    for (const part of ["readAnswer", "toOriginal", "hidden.check", "hidden.heldOut"]) {
      expect(() => calls[part](defined), part).toThrow(new RegExp(`^${path}: ${part}.* returned the number `));
    }
    // A model named by a relative path lies beside the topic.
    expect(defined.topic.settings).toEqual({ model: join(folder, "my-model"), steps: 3 });
  });
});
