// Small models as GGUF files, with the same model's config and weights to compare with.
import { ggufName } from "../../src/model/gguf-weights.ts";
import { type ModelConfig, parseModelConfig } from "../../src/model/model-config.ts";
import { randomWeights } from "../../src/model/model-folder.ts";
import type { NamedTensor } from "../../src/model/safetensors.ts";
import { floatBytes, ggufBytes, type Typed, type WrittenTensor } from "./gguf-writer.ts";

/** The 256 bytes as byte-level BPE writes them. */
export const byteTokens = Array.from({ length: 256 }, (_, byte) => {
  const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  const others = Array.from({ length: byte }, (_, other) => other).filter(
    (other) => !((other > 32 && other < 127) || (other > 160 && other !== 173)),
  );
  return String.fromCharCode(printable ? byte : 256 + others.length);
});
export const tokens = [...byteTokens, "ab", "12", "<|im_start|>", "<|im_end|>", "<tool>", "[PAD261]"];
const kinds = tokens.map((token) =>
  token.startsWith("<|im") ? 3 : token === "<tool>" ? 4 : token.startsWith("[PAD") ? 5 : 1,
);
const chatTemplate =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant{{ '\\n' }}";
const tokenizerMetadata = (pre: string): Record<string, Typed> => ({
  "tokenizer.ggml.model": ["string", "gpt2"],
  "tokenizer.ggml.pre": ["string", pre],
  "tokenizer.ggml.tokens": ["strings", tokens],
  "tokenizer.ggml.token_type": ["ints", kinds],
  "tokenizer.ggml.merges": ["strings", ["a b", "1 2"]],
  "tokenizer.ggml.eos_token_id": ["uint32", tokens.indexOf("<|im_end|>")],
  "tokenizer.chat_template": ["string", chatTemplate],
});

export const families = {
  llama: { architectures: ["LlamaForCausalLM"], pre: "smollm" },
  qwen2: { architectures: ["Qwen2ForCausalLM"], pre: "qwen2" },
  qwen3: { architectures: ["Qwen3ForCausalLM"], pre: "qwen2" },
} as const;
export type Family = keyof typeof families;

function hubConfig(family: Family, change: object = {}): Record<string, unknown> {
  return {
    architectures: families[family].architectures,
    model_type: family,
    vocab_size: tokens.length,
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 8,
    rms_norm_eps: 1e-5,
    rope_theta: 50_000,
    max_position_embeddings: 256,
    tie_word_embeddings: false,
    ...change,
  };
}

function ggufMetadata(family: Family, config: ModelConfig): Record<string, Typed> {
  const of = (name: string, value: Typed): [string, Typed] => [`${family}.${name}`, value];
  return {
    "general.architecture": ["string", family],
    ...Object.fromEntries([
      of("context_length", ["uint32", config.maxPositions]),
      of("embedding_length", ["uint32", config.hiddenSize]),
      of("block_count", ["uint32", config.layers]),
      of("feed_forward_length", ["uint32", config.intermediateSize]),
      of("attention.head_count", ["uint32", config.heads]),
      of("attention.head_count_kv", ["uint32", config.keyValueHeads]),
      of("attention.key_length", ["uint32", config.headSize]),
      of("attention.layer_norm_rms_epsilon", ["float32", config.normEps]),
      of("rope.freq_base", ["float32", config.ropeTheta]),
    ]),
    ...tokenizerMetadata(families[family].pre),
  };
}

/** Rows of each head's rotary halves put side by side, as converters to GGUF do it for llama. */
function interleaved({ shape, data }: NamedTensor, heads: number): Float32Array {
  const [rows, width] = shape;
  const size = rows / heads;
  return Float32Array.from(data, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    const within = row % size;
    const from = row - within + (within % 2) * (size / 2) + Math.floor(within / 2);
    return data[from * width + column];
  });
}

function ggufTensors(family: Family, config: ModelConfig, weights: ReadonlyMap<string, NamedTensor>): WrittenTensor[] {
  return [...weights].map(([name, tensor]) => {
    const heads = name.includes("q_proj") ? config.heads : name.includes("k_proj") ? config.keyValueHeads : 0;
    const data = family === "llama" && heads > 0 ? interleaved(tensor, heads) : tensor.data;
    return { name: ggufName(name)!, shape: tensor.shape, type: 0, data: floatBytes(Float32Array.from(data)) };
  });
}

export interface GgufModel {
  /** The GGUF file. */
  readonly bytes: Buffer;
  /** The config.json of the same model. */
  readonly content: Readonly<Record<string, unknown>>;
  readonly config: ModelConfig;
  readonly weights: ReadonlyMap<string, NamedTensor>;
}

/** A model with random weights; `change` replaces metadata, `tensors` what is stored. */
export function ggufModel(
  family: Family,
  change: Readonly<Record<string, Typed>> = {},
  tensors: (all: WrittenTensor[]) => WrittenTensor[] = (all) => all,
  version = 3,
): GgufModel {
  const content = hubConfig(family);
  const config = parseModelConfig(content, "config.json");
  const weights = randomWeights(config, 5);
  const stored = tensors(ggufTensors(family, config, weights));
  const bytes = ggufBytes({ ...ggufMetadata(family, config), ...change }, stored, { version });
  return { bytes, content, config, weights };
}
