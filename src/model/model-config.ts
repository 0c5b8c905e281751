// Reads a Hugging Face config.json of the Llama, Qwen2 and Qwen3 families into the shape that the graphs are built from.
// What this engine cannot compute exactly (another architecture, sliding windows, unknown rope scaling) is refused.
import { z } from "zod";
import { didYouMean, FileFormatError, UnsupportedError } from "../errors.ts";

/** Shape of a decoder-only transformer. */
export interface ModelConfig {
  readonly family: "llama" | "qwen2" | "qwen3";
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly normEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling | null;
  readonly maxPositions: number;
  readonly tiedEmbeddings: boolean;
  /** Biases on the query, key and value projections (Qwen2). */
  readonly queryKeyValueBias: boolean;
  /** Bias on the attention output projection (Llama with attention_bias). */
  readonly outputBias: boolean;
  /** Biases in the feed-forward block (Llama with mlp_bias). */
  readonly feedForwardBias: boolean;
  /** Normalise each head's queries and keys before rotation (Qwen3). */
  readonly queryKeyNorm: boolean;
}

/** Llama 3.1's frequency-dependent scaling, or division of all positions by a factor. */
export type RopeScaling =
  | { readonly type: "linear"; readonly factor: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    };

/** Name and shape of one weight, as in the safetensors file. Matrices are [out, in]. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

const architectures = {
  LlamaForCausalLM: "llama",
  Qwen2ForCausalLM: "qwen2",
  Qwen3ForCausalLM: "qwen3",
} as const;

/** No model of any use has a size beyond this; a larger one is a damaged file. */
const largestSize = 2 ** 31 - 1;
const size = z.number().int().positive().max(largestSize);
const layerCount = z.number().int().positive().max(10_000);
const configFile = z.object({
  architectures: z.array(z.string()).min(1),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layerCount,
  num_attention_heads: size,
  num_key_value_heads: size.optional(),
  head_dim: size.nullish(),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().optional(),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  rope_parameters: z.record(z.string(), z.unknown()).nullish(),
  max_position_embeddings: size.default(2048),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.string().default("silu"),
  use_sliding_window: z.boolean().default(false),
});

/** Interprets the parsed content of a config.json; `path` is named in errors. */
export function parseModelConfig(content: unknown, path: string): ModelConfig {
  const parsed = configFile.safeParse(content);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new FileFormatError(
      path,
      `not a model config: ${issue.path.join(".") || "content"}: ${issue.message}`,
      "Give a folder in Hugging Face layout with the config.json of a Llama, Qwen2 or Qwen3 model.",
    );
  }
  const config = parsed.data;
  const architecture = config.architectures[0];
  if (!isKnownArchitecture(architecture)) {
    throw new UnsupportedError(
      `${path}: unknown architecture ${architecture}.${didYouMean(architecture, Object.keys(architectures))}`,
      `This engine computes ${Object.keys(architectures).join(", ")}.`,
    );
  }
  const family = architectures[architecture];
  const refuse = (what: string): never => {
    throw new UnsupportedError(`${path}: ${what} is not supported.`, "Use a model without it.");
  };
  if (config.hidden_act !== "silu") refuse(`hidden_act ${config.hidden_act}`);
  if (config.use_sliding_window) refuse("sliding-window attention");
  const keyValueHeads = config.num_key_value_heads ?? config.num_attention_heads;
  if (config.num_attention_heads % keyValueHeads !== 0)
    refuse(`${keyValueHeads} key-value heads for ${config.num_attention_heads} heads`);
  const headSize = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  if (!Number.isInteger(headSize) || headSize % 2 !== 0) refuse(`a head size of ${headSize}`);
  const rope = config.rope_parameters ?? config.rope_scaling ?? null;
  return {
    family,
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    keyValueHeads,
    headSize,
    normEps: config.rms_norm_eps,
    ropeTheta: config.rope_theta ?? positiveNumber(rope?.["rope_theta"]) ?? 10_000,
    ropeScaling: parseRopeScaling(rope, refuse),
    maxPositions: config.max_position_embeddings,
    tiedEmbeddings: config.tie_word_embeddings,
    queryKeyValueBias: family === "qwen2" || config.attention_bias,
    outputBias: family !== "qwen2" && config.attention_bias,
    feedForwardBias: family === "llama" && config.mlp_bias,
    queryKeyNorm: family === "qwen3",
  };
}

function isKnownArchitecture(name: string): name is keyof typeof architectures {
  return Object.hasOwn(architectures, name);
}

function positiveNumber(value: unknown): number | null {
  return typeof value === "number" && value > 0 ? value : null;
}

function parseRopeScaling(rope: Record<string, unknown> | null, refuse: (what: string) => never): RopeScaling | null {
  const type = rope?.["rope_type"] ?? rope?.["type"] ?? "default";
  if (rope === null || type === "default") return null;
  const field = (name: string): number => positiveNumber(rope[name]) ?? refuse(`rope scaling without ${name}`);
  if (type === "linear") return { type, factor: field("factor") };
  if (type === "llama3") {
    return {
      type,
      factor: field("factor"),
      lowFrequencyFactor: field("low_freq_factor"),
      highFrequencyFactor: field("high_freq_factor"),
      originalMaxPositions: field("original_max_position_embeddings"),
    };
  }
  return refuse(`rope scaling of type ${String(type)}`);
}

/** Every weight of the model, in the order of the forward pass, under its Hugging Face name. */
export function parameterSpecs(config: ModelConfig): ParameterSpec[] {
  const { hiddenSize, intermediateSize, headSize } = config;
  const queryWidth = config.heads * headSize;
  const keyValueWidth = config.keyValueHeads * headSize;
  const specs: ParameterSpec[] = [{ name: "model.embed_tokens.weight", shape: [config.vocabSize, hiddenSize] }];
  const linear = (name: string, out: number, inputs: number, bias: boolean): void => {
    specs.push({ name: `${name}.weight`, shape: [out, inputs] });
    if (bias) specs.push({ name: `${name}.bias`, shape: [out] });
  };
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}`;
    specs.push({ name: `${prefix}.input_layernorm.weight`, shape: [hiddenSize] });
    linear(`${prefix}.self_attn.q_proj`, queryWidth, hiddenSize, config.queryKeyValueBias);
    linear(`${prefix}.self_attn.k_proj`, keyValueWidth, hiddenSize, config.queryKeyValueBias);
    linear(`${prefix}.self_attn.v_proj`, keyValueWidth, hiddenSize, config.queryKeyValueBias);
    linear(`${prefix}.self_attn.o_proj`, hiddenSize, queryWidth, config.outputBias);
    if (config.queryKeyNorm) {
      specs.push({ name: `${prefix}.self_attn.q_norm.weight`, shape: [headSize] });
      specs.push({ name: `${prefix}.self_attn.k_norm.weight`, shape: [headSize] });
    }
    specs.push({ name: `${prefix}.post_attention_layernorm.weight`, shape: [hiddenSize] });
    linear(`${prefix}.mlp.gate_proj`, intermediateSize, hiddenSize, config.feedForwardBias);
    linear(`${prefix}.mlp.up_proj`, intermediateSize, hiddenSize, config.feedForwardBias);
    linear(`${prefix}.mlp.down_proj`, hiddenSize, intermediateSize, config.feedForwardBias);
  }
  specs.push({ name: "model.norm.weight", shape: [hiddenSize] });
  if (!config.tiedEmbeddings) specs.push({ name: "lm_head.weight", shape: [config.vocabSize, hiddenSize] });
  return specs;
}

/** Number of weights. */
export function parameterCount(config: ModelConfig): number {
  return parameterSpecs(config).reduce((total, { shape }) => total + shape.reduce((a, b) => a * b, 1), 0);
}

/**
 * Cosines and sines of the rotary embedding for positions 0 … count − 1, each [count, headSize / 2] row-major; with the
 * frequency scaling of Llama 3.1 (transformers, modeling_rope_utils.py) where the config asks for it.
 */
export function rotaryTables(
  config: ModelConfig,
  count: number,
): { cosines: Float32Array<ArrayBuffer>; sines: Float32Array<ArrayBuffer> } {
  const half = config.headSize / 2;
  const cosines = new Float32Array(count * half);
  const sines = new Float32Array(count * half);
  for (let i = 0; i < half; i++) {
    const frequency = scaledFrequency(config.ropeTheta ** (-i / half), config.ropeScaling);
    for (let position = 0; position < count; position++) {
      cosines[position * half + i] = Math.cos(position * frequency);
      sines[position * half + i] = Math.sin(position * frequency);
    }
  }
  return { cosines, sines };
}

function scaledFrequency(frequency: number, scaling: RopeScaling | null): number {
  if (scaling === null) return frequency;
  if (scaling.type === "linear") return frequency / scaling.factor;
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalMaxPositions } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalMaxPositions / highFrequencyFactor) return frequency;
  if (wavelength > originalMaxPositions / lowFrequencyFactor) return frequency / factor;
  const smooth = (originalMaxPositions / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}
