// Cases from the field: what went wrong in other projects that read models. Each case describes its input; here it is built and read.
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { SqlmError } from "../../src/errors.ts";
import { parameterSpecs, parseModelConfig } from "../../src/model/model-config.ts";
import { openModelFolder, readWeights } from "../../src/model/model-folder.ts";
import { type NamedTensor, writeSafetensors } from "../../src/model/safetensors.ts";
import { openTokenizer } from "../../src/model/tokenizer.ts";
import { runCli } from "../cli/scripted-parts.ts";

const tensorChange = z.union([z.object({ fill: z.number() }), z.object({ copyOf: z.string() })]);
type TensorChange = z.output<typeof tensorChange>;
const tensorChanges = z.record(z.string(), tensorChange);
const message = z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() });
const tokenizerSchema = z.object({
  vocab: z.array(z.string()),
  merges: z.array(z.tuple([z.string(), z.string()])).default([]),
  added: z.array(z.looseObject({ content: z.string() })).default([]),
  unk: z.string().optional(),
  normalizer: z.unknown().optional(),
  preTokenizer: z.unknown().optional(),
  decoder: z.unknown().optional(),
  ignoreMerges: z.boolean().default(false),
});
const template = z.union([z.string(), z.array(z.unknown())]);
const inputSchema = z.discriminatedUnion("do", [
  z.object({
    do: z.literal("config"),
    config: z.record(z.string(), z.unknown()),
    remove: z.array(z.string()).default([]),
  }),
  z.object({
    do: z.literal("weights"),
    config: z.record(z.string(), z.unknown()).default({}),
    metadata: z.record(z.string(), z.string()).optional(),
    tensors: tensorChanges.default({}),
    remove: z.array(z.string()).default([]),
    shards: z.array(z.array(z.string())).optional(),
    stale: z.record(z.string(), tensorChanges).default({}),
    dropped: z.record(z.string(), z.array(z.string())).default({}),
    files: z.record(z.string(), tensorChanges).default({}),
    delete: z.array(z.string()).default([]),
    move: z.record(z.string(), z.string()).default({}),
  }),
  z.object({ do: z.literal("encode"), tokenizer: tokenizerSchema, text: z.string() }),
  z.object({ do: z.literal("decode"), tokenizer: tokenizerSchema, ids: z.array(z.number()) }),
  z.object({
    do: z.literal("end-tokens"),
    generationConfig: z.unknown().optional(),
    config: z.unknown().optional(),
    endToken: z.string(),
  }),
  z.object({ do: z.literal("chat"), template, messages: z.array(message) }),
  z.object({ do: z.literal("run-topic"), topic: z.string(), template }),
]);
type Input = z.output<typeof inputSchema>;
const caseSchema = z.object({
  id: z.string(),
  why: z.string(),
  input: inputSchema,
  expected: z.record(z.string(), z.unknown()),
});
const cases = z
  .array(caseSchema)
  .parse(JSON.parse(readFileSync(new URL("./fixtures/field-cases.json", import.meta.url), "utf8")));

const root = mkdtempSync(join(tmpdir(), "sqlm-field-"));
afterAll(() => rmSync(root, { recursive: true }));
const folder = join(root, "model");
beforeEach(() => {
  rmSync(root, { recursive: true });
  mkdirSync(folder, { recursive: true });
});

const baseConfig = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 128,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  hidden_act: "silu",
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  max_position_embeddings: 4096,
  tie_word_embeddings: false,
};
const writeJson = (name: string, content: unknown): void => writeFileSync(join(folder, name), JSON.stringify(content));

function writeTokenizer(given: z.output<typeof tokenizerSchema>, config: object = {}): void {
  writeJson("tokenizer.json", {
    version: "1.0",
    added_tokens: given.added.map((token, i) => ({
      id: given.vocab.length + i,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
      ...token,
    })),
    normalizer: given.normalizer ?? null,
    pre_tokenizer: given.preTokenizer ?? null,
    post_processor: null,
    decoder: given.decoder ?? { type: "Fuse" },
    model: {
      type: "BPE",
      unk_token: given.unk ?? null,
      ignore_merges: given.ignoreMerges,
      vocab: Object.fromEntries(given.vocab.map((token, id) => [token, id])),
      merges: given.merges,
    },
  });
  writeJson("tokenizer_config.json", config);
}

/** Every printable character a token, so that a rendered prompt can be read back. */
const characters = tokenizerSchema.parse({
  vocab: [...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)), "\n"],
});

function chatTokenizer(chatTemplate: unknown): void {
  const special = { bos_token: "<s>", eos_token: "</s>", pad_token: "<pad>" };
  writeTokenizer(characters, { ...special, chat_template: chatTemplate });
}

/** Writes the folder that a case of weights describes, beginning from a whole one in which every value is 1. */
function writeWeights(input: Extract<Input, { do: "weights" }>): void {
  const config = { ...baseConfig, ...input.config };
  writeJson("config.json", config);
  const specs = parameterSpecs({ ...parseModelConfig(config, "config.json"), tiedEmbeddings: false });
  const make = (name: string, change: TensorChange): NamedTensor => {
    const shape = specs.find((spec) => spec.name === name)?.shape ?? [];
    const size = shape.reduce((a, b) => a * b, 1);
    return { shape, data: new Float32Array(size).fill("fill" in change ? change.fill : 1) };
  };
  const names = specs.map(({ name }) => name);
  const kept = names.filter((name) => !input.remove.includes(name));
  const stored = new Map(kept.map((name) => [name, make(name, input.tensors[name] ?? { fill: 1 })]));
  if (input.config["tie_word_embeddings"] === true && !("lm_head.weight" in input.tensors))
    stored.delete("lm_head.weight");
  if (input.shards === undefined) writeSafetensors(join(folder, "model.safetensors"), stored, input.metadata ?? {});
  else writeShards(input.shards, input, stored, make);
  for (const [file, tensors] of Object.entries(input.files)) {
    const made = Object.entries(tensors).map(([name, change]) => [name, make(name, change)] as const);
    writeSafetensors(join(folder, file), new Map(made), {});
  }
}

function writeShards(
  shards: readonly (readonly string[])[],
  input: Extract<Input, { do: "weights" }>,
  stored: ReadonlyMap<string, NamedTensor>,
  make: (name: string, change: TensorChange) => NamedTensor,
): void {
  const map: Record<string, string> = {};
  for (const [i, listed] of shards.entries()) {
    const elsewhere = shards.flatMap((shard, j) => (j === i ? [] : shard));
    const names = listed.includes("*") ? [...stored.keys()].filter((name) => !elsewhere.includes(name)) : listed;
    const file = `model-0000${i + 1}-of-0000${shards.length}.safetensors`;
    const target = input.move[file] ?? file;
    const content = new Map(names.map((name) => [name, stored.get(name)!]));
    for (const name of names) map[name] = target;
    for (const [name, change] of Object.entries(input.stale[i] ?? {})) content.set(name, make(name, change));
    for (const name of input.dropped[i] ?? []) content.delete(name);
    mkdirSync(dirname(join(folder, target)), { recursive: true });
    writeSafetensors(join(folder, file), content, {});
    if (target !== file) renameSync(join(folder, file), join(folder, target));
  }
  writeJson("model.safetensors.index.json", { weight_map: map });
  for (const file of input.delete) rmSync(join(folder, file));
}

/** What came of it: a value, or the error of ours that refused it. Any other error fails the test. */
function outcome<Value>(work: () => Value): { readonly value: Value } | { readonly refused: SqlmError } {
  try {
    return { value: work() };
  } catch (error) {
    if (!(error instanceof SqlmError)) throw error;
    expect(error.message).not.toContain("\n");
    expect(error.hint).not.toBe("");
    return { refused: error };
  }
}

function checkWeights(input: Extract<Input, { do: "weights" }>, expected: Readonly<Record<string, unknown>>): void {
  writeWeights(input);
  const read = outcome(() => readWeights(openModelFolder(folder)));
  if (expected["refused"] === true) {
    expect(read).toHaveProperty("refused");
    return;
  }
  if (!("value" in read)) {
    expect(expected).toHaveProperty("headKeptOr", "refused");
    return;
  }
  if ("headKeptOr" in expected) {
    const head = input.tensors["lm_head.weight"];
    expect(read.value.get("lm_head.weight")?.data[0]).toBe("fill" in head ? head.fill : 1);
  }
  const first = z.record(z.string(), z.number()).parse(expected["first"] ?? {});
  for (const [name, value] of Object.entries(first)) expect(read.value.get(name)?.data[0]).toBe(value);
}

function checkConfig(input: Extract<Input, { do: "config" }>, expected: Readonly<Record<string, unknown>>): void {
  const content: Record<string, unknown> = { ...baseConfig, ...input.config };
  for (const name of input.remove) delete content[name];
  const read = outcome(() => parseModelConfig(content, "config.json"));
  if (expected["error"] === "refused") expect(read).toHaveProperty("refused");
  else expect(read).toMatchObject({ value: expected });
}

async function checkRun(
  input: Extract<Input, { do: "run-topic" }>,
  expected: Readonly<Record<string, unknown>>,
): Promise<void> {
  writeWeights(inputSchema.parse({ do: "weights" }) as Extract<Input, { do: "weights" }>);
  chatTokenizer(input.template);
  const workspace = join(root, "workspace");
  const args = ["run", input.topic, "--model", folder, "--workspace", workspace, "--steps", "1", "--threads", "1"];
  const { code, stdout, stderr } = await runCli(args);
  expect(code).not.toBe(0);
  const said = stdout + stderr;
  for (const part of z.array(z.string()).parse(expected["says"])) expect(said).toContain(part);
  for (const part of z.array(z.string()).parse(expected["saysNot"])) expect(said).not.toContain(part);
  const { stdout: listed } = await runCli(["list", "--workspace", workspace, "--json"]);
  expect(JSON.parse(listed || '{"runs":[]}')).toMatchObject({ runs: { length: expected["runsRecorded"] } });
}

describe("cases from the field", () => {
  test.each(cases)("$id: $why", async ({ input, expected }) => {
    switch (input.do) {
      case "config":
        return checkConfig(input, expected);
      case "weights":
        return checkWeights(input, expected);
      case "encode":
        writeTokenizer(input.tokenizer);
        return expect(openTokenizer(folder).encode(input.text)).toEqual(expected["ids"]);
      case "decode":
        writeTokenizer(input.tokenizer);
        return expect(openTokenizer(folder).decode(input.ids)).toBe(expected["text"]);
      case "end-tokens": {
        writeTokenizer({ ...characters, added: [{ content: input.endToken }] }, { eos_token: input.endToken });
        writeJson("generation_config.json", { eos_token_id: input.generationConfig });
        writeJson("config.json", { ...baseConfig, eos_token_id: input.config });
        const { endTokens } = openTokenizer(folder);
        return expect(endTokens).toEqual([...(expected["contains"] as number[]), characters.vocab.length]);
      }
      case "chat": {
        chatTokenizer(input.template);
        const tokenizer = openTokenizer(folder);
        return expect(tokenizer.decode(tokenizer.encodeChat(input.messages))).toBe(expected["text"]);
      }
      case "run-topic":
        return checkRun(input, expected);
    }
  });
});
