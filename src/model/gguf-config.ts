// What a GGUF file says of its model, as the config.json of a Hugging Face folder: so there is one reader of configs, and a checkpoint
// of a model that came as GGUF is a folder that other tools load. Covers the architectures llama, qwen2 and qwen3.
import { didYouMean, UnsupportedError } from "../errors.ts";
import type { GgufFile, GgufValue } from "./gguf.ts";
import { hasTiedHead } from "./gguf-weights.ts";

const architectures = {
  llama: "LlamaForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
} as const;
type Architecture = keyof typeof architectures;

/** The architecture's name in the file's own metadata. Throws UnsupportedError for one that this engine does not compute. */
export function architectureOf(file: GgufFile): Architecture {
  const name = file.metadata.get("general.architecture");
  if (typeof name === "string" && Object.hasOwn(architectures, name)) return name as Architecture;
  throw new UnsupportedError(
    `${file.path}: unknown architecture ${String(name)}.${didYouMean(String(name), Object.keys(architectures))}`,
    `This engine computes ${Object.keys(architectures).join(", ")}.`,
  );
}

/** The content of a config.json. Throws UnsupportedError for what the graphs do not compute, FileFormatError for what is missing. */
export function ggufConfig(file: GgufFile): Readonly<Record<string, unknown>> {
  const architecture = architectureOf(file);
  const number = (name: string): number | null => numberOf(file.metadata.get(`${architecture}.${name}`));
  const required = (name: string): number => {
    const value = number(name);
    if (value === null) throw file.damaged(`has no ${architecture}.${name}`);
    return value;
  };
  const hidden = required("embedding_length");
  const heads = required("attention.head_count");
  const headSize = number("attention.key_length") ?? hidden / heads;
  refuseWhatIsNotComputed(file, architecture, headSize);
  const eps = required("attention.layer_norm_rms_epsilon");
  const embedding = file.tensors.get("token_embd.weight");
  if (embedding === undefined) throw file.damaged("has no token_embd.weight");
  return {
    architectures: [architectures[architecture]],
    model_type: architecture,
    vocab_size: embedding.shape[0],
    hidden_size: hidden,
    intermediate_size: required("feed_forward_length"),
    num_hidden_layers: required("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: number("attention.head_count_kv") ?? heads,
    head_dim: headSize,
    hidden_act: "silu",
    // Stored as float32: six digits give back what was meant.
    rms_norm_eps: Number(eps.toPrecision(6)),
    rope_theta: number("rope.freq_base") ?? 10_000,
    rope_scaling: ropeScaling(file, architecture, headSize),
    max_position_embeddings: required("context_length"),
    tie_word_embeddings: hasTiedHead(file),
    ...(architecture === "qwen2" ? {} : { attention_bias: file.tensors.has("blk.0.attn_q.bias") }),
    ...(architecture === "llama" ? { mlp_bias: file.tensors.has("blk.0.ffn_gate.bias") } : {}),
    torch_dtype: "float32",
    bos_token_id: numberOf(file.metadata.get("tokenizer.ggml.bos_token_id")),
    eos_token_id: numberOf(file.metadata.get("tokenizer.ggml.eos_token_id")),
    pad_token_id: numberOf(file.metadata.get("tokenizer.ggml.padding_token_id")),
  };
}

export function numberOf(value: GgufValue | undefined): number | null {
  return typeof value === "number" ? value : null;
}

function refuseWhatIsNotComputed(file: GgufFile, architecture: Architecture, headSize: number): void {
  const number = (name: string): number | null => numberOf(file.metadata.get(`${architecture}.${name}`));
  const refuse = (what: string): never => {
    throw new UnsupportedError(`${file.path}: ${what} is not supported.`, "Use a model without it.");
  };
  if (Array.isArray(file.metadata.get(`${architecture}.attention.head_count`)))
    refuse("a number of heads for each layer");
  if ((number("expert_count") ?? 0) > 0) refuse("a mixture of experts");
  if ((number("attention.sliding_window") ?? 0) > 0) refuse("sliding-window attention");
  const values = number("attention.value_length") ?? headSize;
  if (values !== headSize) refuse(`a head size of ${headSize} for keys and ${values} for values`);
  const rotated = number("rope.dimension_count") ?? headSize;
  if (rotated !== headSize) refuse(`rotation of a part of each head (${rotated} of ${headSize})`);
  for (const name of ["logit_scale", "residual_scale", "embedding_scale", "attention.scale"]) {
    if (number(name) !== null) refuse(name);
  }
}

function ropeScaling(
  file: GgufFile,
  architecture: Architecture,
  headSize: number,
): Readonly<Record<string, unknown>> | null {
  const type = file.metadata.get(`${architecture}.rope.scaling.type`) ?? "none";
  const factor = numberOf(file.metadata.get(`${architecture}.rope.scaling.factor`));
  if (type === "linear") return { rope_type: "linear", factor };
  // Anything else by its own name: the reader of configs knows which of them are computed.
  if (type !== "none") return { rope_type: type, factor };
  const factors = file.tensors.get("rope_freqs.weight");
  if (factors === undefined) return null;
  const stored = new Float32Array(headSize / 2);
  if (factors.shape.join() !== String(stored.length))
    throw file.damaged(`rope_freqs.weight has shape [${factors.shape}]`);
  file.readRows(factors, 0, stored);
  return llama3Scaling(file, stored, numberOf(file.metadata.get(`${architecture}.rope.freq_base`)) ?? 10_000);
}

/**
 * Llama 3.1's scaling stands in a GGUF as divisors of the frequencies only. Its published parameters are assumed and checked
 * against them.
 */
function llama3Scaling(file: GgufFile, divisors: Float32Array, base: number): Readonly<Record<string, unknown>> {
  const [low, high, original] = [1, 4, 8192];
  const factor = divisors.reduce((most, divisor) => Math.max(most, divisor), 1);
  for (const [i, divisor] of divisors.entries()) {
    const wavelength = 2 * Math.PI * base ** (i / divisors.length);
    const smooth = Math.min(1, Math.max(0, (original / wavelength - low) / (high - low)));
    const expected = 1 / ((1 - smooth) / factor + smooth);
    if (Math.abs(divisor / expected - 1) > 1e-4) {
      throw new UnsupportedError(
        `${file.path}: scaled rotary frequencies (rope_freqs.weight) other than Llama 3.1's are not supported.`,
        "Use a model without them.",
      );
    }
  }
  return {
    rope_type: "llama3",
    factor,
    low_freq_factor: low,
    high_freq_factor: high,
    original_max_position_embeddings: original,
  };
}
