// What a config.json says by leaving out, by null, or twice. What is right follows transformers 5.24's config classes.
import { describe, expect, test } from "vitest";
import { SqlmError, UnsupportedError } from "../../src/errors.ts";
import { parseModelConfig } from "../../src/model/model-config.ts";

const base = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 32,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
};
const read = (change: object) => parseModelConfig({ ...base, ...change }, "config.json");
// These two classes have a number of key-value heads of their own where none is given.
const qwen3 = { architectures: ["Qwen3ForCausalLM"], model_type: "qwen3", num_key_value_heads: 2 };
const qwen2 = { architectures: ["Qwen2ForCausalLM"], model_type: "qwen2", num_key_value_heads: 2 };

const optional = [
  "head_dim",
  "rms_norm_eps",
  "rope_theta",
  "rope_scaling",
  "rope_parameters",
  "max_position_embeddings",
  "tie_word_embeddings",
  "attention_bias",
  "mlp_bias",
  "hidden_act",
  "use_sliding_window",
  "sliding_window",
  "max_window_layers",
  "layer_types",
  "partial_rotary_factor",
  "quantization_config",
  "model_type",
];

describe("null says the same as absent", () => {
  test.each(optional)("%s", (name) => {
    for (const family of [{}, qwen2, qwen3]) expect(read({ ...family, [name]: null })).toEqual(read(family));
  });

  test("all at once, and without a list of architectures", () => {
    const nothing = Object.fromEntries(optional.map((name) => [name, null]));
    expect(read({ ...nothing, architectures: null, model_type: "llama" })).toEqual(read({}));
    expect(read({ ...qwen3, architectures: [] })).toEqual(read(qwen3));
  });

  test("but for key-value heads: null is as many as heads, absent what the family's class says", () => {
    const of = (change: object) => read({ ...change, num_attention_heads: 64, head_dim: 8 }).keyValueHeads;
    expect(of({})).toBe(64);
    expect(of({ ...qwen2, num_key_value_heads: undefined })).toBe(32);
    expect(of({ ...qwen3, num_key_value_heads: undefined })).toBe(32);
    for (const family of [{}, qwen2, qwen3]) expect(of({ ...family, num_key_value_heads: null })).toBe(64);
  });
});

describe("what is absent is what the family's class says", () => {
  test.each([
    [
      {},
      { keyValueHeads: 4, headSize: 16, maxPositions: 2048, ropeTheta: 10_000, normEps: 1e-6, tiedEmbeddings: false },
    ],
    [qwen2, { keyValueHeads: 2, headSize: 16, maxPositions: 32_768, queryKeyValueBias: true, outputBias: false }],
    [qwen3, { keyValueHeads: 2, headSize: 128, maxPositions: 32_768, queryKeyNorm: true, queryKeyValueBias: false }],
  ])("%j", (change, shape) => {
    expect(read(change)).toMatchObject(shape);
  });
});

describe("the rotary base", () => {
  test.each([
    [{ rope_theta: 7 }, 7],
    [{ rope_theta: 7, rope_parameters: { rope_theta: 9 } }, 9],
    [{ rope_theta: 7, rope_parameters: { rope_type: "default" } }, 7],
    [{ rope_theta: 7, rope_parameters: {} }, 7],
    [{ rope_theta: 7, rope_parameters: { rope_theta: null } }, 7],
    [{ rope_theta: 7, rope_scaling: { rope_type: "linear", factor: 2, rope_theta: 9 } }, 9],
    [{ rope_theta: 7, rope_scaling: { rope_type: "linear", factor: 2 }, rope_parameters: { rope_theta: 9 } }, 9],
    [{ rope_theta: 7, rope_scaling: null, rope_parameters: { rope_theta: 9 } }, 9],
    [{ rope_parameters: { full_attention: { rope_type: "default", rope_theta: 9 } } }, 9],
    [{ rope_parameters: { full_attention: { rope_theta: 9 }, sliding_attention: null } }, 9],
  ])("%j", (change, ropeTheta) => {
    expect(read(change).ropeTheta).toBe(ropeTheta);
  });

  test("scaling of newer configs", () => {
    const llama3 = { rope_type: "llama3", rope_theta: 5e5, factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
    const { ropeScaling } = read({ rope_parameters: llama3, max_position_embeddings: 4096 });
    expect(ropeScaling).toMatchObject({ type: "llama3", factor: 8, originalMaxPositions: 4096 });
  });
});

describe("what is not computed is refused", () => {
  test.each<[object, string]>([
    [{ partial_rotary_factor: 0.5 }, "part of each head"],
    [{ rope_parameters: { partial_rotary_factor: 0.25 } }, "part of each head"],
    [{ rope_scaling: { type: "default", partial_rotary_factor: 0.75 } }, "part of each head"],
    [{ rotary_pct: 0.25 }, "part of each head"],
    [{ rope_pct: 0.25 }, "part of each head"],
    [{ rotary_emb_fraction: 0.5 }, "part of each head"],
    [{ rotary_dim: 8 }, "part of each head"],
    [{ rope_local_base_freq: 10_000 }, "second rotary base"],
    [
      { rope_parameters: { full_attention: { rope_theta: 9 }, sliding_attention: { rope_theta: 7 } } },
      "by kind of layer",
    ],
    [{ rope_parameters: { sliding_attention: { rope_theta: 7 } } }, "full_attention"],
    [{ rope_parameters: { rope_theta: -1 } }, "rotary base of -1"],
    [{ ...qwen2, use_sliding_window: true, sliding_window: 16 }, "sliding-window"],
    [{ ...qwen2, use_sliding_window: true, sliding_window: 16, max_window_layers: 1 }, "sliding-window"],
    [{ layer_types: ["full_attention", "sliding_attention"] }, "sliding-window"],
    [{ quantization_config: { quant_method: "gptq" } }, "quantised weights (gptq)"],
    [{ architectures: null, model_type: "qwen3_moe" }, 'unknown architecture qwen3_moe. Did you mean "qwen3"?'],
  ])("%j", (change, part) => {
    expect(() => read(change)).toThrow(UnsupportedError);
    expect(() => read(change)).toThrow(part);
  });

  test("neither architectures nor model_type", () => {
    expect(() => read({ architectures: null, model_type: null })).toThrow(SqlmError);
    expect(() => read({ architectures: null, model_type: null })).toThrow("neither architectures nor model_type");
  });
});

test.each([
  { partial_rotary_factor: 1 },
  { rotary_dim: 16 },
  { rope_parameters: { rope_type: "default", partial_rotary_factor: 1 } },
  { hidden_act: "swish" },
  { layer_types: ["full_attention", "full_attention"], use_sliding_window: true },
  { ...qwen2, use_sliding_window: true, sliding_window: 16, max_window_layers: 2 },
  { ...qwen2, use_sliding_window: true, sliding_window: null },
])("%j is nothing to refuse", (change) => {
  expect(read(change)).toMatchObject({ layers: 2 });
});
