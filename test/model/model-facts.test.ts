// A model's facts decide in which words a topic asks it, and by which recipe it trains.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openTopicFor } from "../../src/cli/open-topic.ts";
import { FileFormatError } from "../../src/errors.ts";
import { findModel } from "../../src/model/find-model.ts";
import { modelFacts } from "../../src/model/model-facts.ts";
import { openTokenizer } from "../../src/model/tokenizer.ts";
import { arithmetic } from "../../src/topics/arithmetic.ts";
import { arithmeticInWords } from "../../src/topics/arithmetic-words.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-facts-"));
afterAll(() => rmSync(folder, { recursive: true }));

const small = { model_type: "llama", vocab_size: 8, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1 };
const config = {
  ...small,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-5,
};
const template =
  "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

const write = (name: string, content: unknown): void =>
  writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));

test("a chat template and more than 50 M parameters are seen without reading weights", () => {
  write("config.json", config);
  write("tokenizer_config.json", {});
  expect(modelFacts(folder)).toEqual({ chat: false, large: false });
  write("tokenizer_config.json", { chat_template: template });
  write("config.json", {
    ...config,
    vocab_size: 100_000,
    hidden_size: 640,
    num_attention_heads: 10,
    num_key_value_heads: 10,
  });
  expect(modelFacts(folder)).toEqual({ chat: true, large: true });
  write("tokenizer_config.json", { chat_template: null });
  write("chat_template.jinja", template);
  expect(modelFacts(folder).chat).toBe(true);
  expect(modelFacts(findModel({ model: "arithmetic" }))).toEqual({ chat: false, large: false });
  write("config.json", "{");
  expect(() => modelFacts(folder)).toThrow();
  write("config.json", {});
  expect(() => modelFacts(folder)).toThrow(FileFormatError);
});

test("topics are opened in the words of the model, with the lengths of the settings", async () => {
  write("config.json", config);
  write("tokenizer_config.json", { chat_template: template });
  expect(await openTopicFor("arithmetic", folder)).toBe(arithmeticInWords);
  expect(await openTopicFor("arithmetic", findModel({ model: "arithmetic" }))).toBe(arithmetic);
  expect(await openTopicFor("arithmetic", null)).toBe(arithmetic);
  // What is wrong with a model is said by whoever opens it.
  expect(await openTopicFor("arithmetic", join(folder, "absent"))).toBe(arithmetic);
  const { topic, hidden } = await openTopicFor("arithmetic", folder, { maxQuestionTokens: 0, maxAnswerTokens: 99 });
  expect(topic.maxTokens).toEqual({ ...arithmeticInWords.topic.maxTokens, solve: 99 });
  expect(topic.stopText).toEqual({ propose: "?", solve: "}" });
  expect(hidden).toBe(arithmeticInWords.hidden);
});

test("a last message of the assistant is continued, and tokens are found by what is in them", () => {
  const vocab = ["<", "user", ">", "assistant", "a", "}", "}.", "b"];
  const model = {
    type: "BPE",
    vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
    merges: [],
    ignore_merges: true,
  };
  const added = vocab.map((content, id) => ({
    id,
    content,
    special: false,
    normalized: false,
    single_word: false,
    lstrip: false,
    rstrip: false,
  }));
  write("tokenizer.json", {
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: null,
    decoder: { type: "Fuse" },
    model,
  });
  write("config.json", config);
  write("tokenizer_config.json", { chat_template: template });
  const tokenizer = openTokenizer(folder);
  const text = (ids: readonly number[]): string => ids.map((id) => vocab[id]).join("");
  const asked = [{ role: "user", content: "a" }] as const;
  expect(text(tokenizer.encodeChat(asked))).toBe("<user>a<assistant>");
  expect(text(tokenizer.encodeChat([...asked, { role: "assistant", content: "b" }]))).toBe("<user>a<assistant>b");
  expect(tokenizer.tokensWith("}").map((id) => vocab[id])).toEqual(["}", "}."]);
  expect(tokenizer.tokensWith("?")).toEqual([]);
});
