// Reads a Hugging Face config.json of the Llama, Qwen2 and Qwen3 families into the shape that the graphs are built from.
// What this engine cannot compute exactly (another architecture, sliding windows, unknown rope scaling) is refused.
import { z } from "zod";
import { didYouMean, FileFormatError, UnsupportedError } from "../errors.ts";
import { parseRope, type RopeScaling, ropeFields } from "./rope-config.ts";

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
type Architecture = keyof typeof architectures;

/** Where transformers' config classes differ in what an absent field means. */
const familyDefaults = {
  llama: { maxPositions: 2048, headSize: null, keyValueHeads: null },
  qwen2: { maxPositions: 32_768, headSize: null, keyValueHeads: 32 },
  qwen3: { maxPositions: 32_768, headSize: 128, keyValueHeads: 32 },
} as const;

/** No model of any use has a size beyond this; a larger one is a damaged file. */
const largestSize = 2 ** 31 - 1;
const size = z.number().int().positive().max(largestSize);
const layerCount = z.number().int().positive().max(10_000);
const flag = z.boolean().nullish();
// Optional fields may also be null, which says the same as absent, but for num_key_value_heads.
const configFile = z.object({
  architectures: z.array(z.string()).nullish(),
  model_type: z.string().nullish(),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layerCount,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  rms_norm_eps: z.number().positive().nullish(),
  max_position_embeddings: size.nullish(),
  tie_word_embeddings: flag,
  attention_bias: flag,
  mlp_bias: flag,
  hidden_act: z.string().nullish(),
  use_sliding_window: flag,
  sliding_window: z.number().nullish(),
  max_window_layers: z.number().nullish(),
  layer_types: z.array(z.string()).nullish(),
  quantization_config: z.looseObject({ quant_method: z.string().nullish() }).nullish(),
  ...ropeFields,
});
type ConfigFile = z.output<typeof configFile>;

/** Interprets the parsed content of a config.json; `path` is named in errors. */
export function parseModelConfig(content: unknown, path: string): ModelConfig {
  const parsed = configFile.safeParse(content);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw notAConfig(path, `${issue.path.join(".") || "content"}: ${issue.message}`);
  }
  const config = parsed.data;
  const family = familyOf(config, path);
  const refuse = (what: string): never => {
    throw new UnsupportedError(`${path}: ${what} is not supported.`, "Use a model without it.");
  };
  // swish is transformers' other name for silu.
  const activation = config.hidden_act ?? "silu";
  if (activation !== "silu" && activation !== "swish") refuse(`hidden_act ${activation}`);
  if (hasWindow(config)) refuse("sliding-window attention");
  if (config.quantization_config != null) {
    refuse(`quantised weights (${config.quantization_config.quant_method ?? "of unknown method"})`);
  }
  const defaults = familyDefaults[family];
  // null says: as many as heads. Where it is absent, the family has a number of its own.
  const { num_key_value_heads: named = defaults.keyValueHeads } = config;
  const keyValueHeads = named ?? config.num_attention_heads;
  if (config.num_attention_heads % keyValueHeads !== 0)
    refuse(`${keyValueHeads} key-value heads for ${config.num_attention_heads} heads`);
  const headSize = config.head_dim ?? defaults.headSize ?? config.hidden_size / config.num_attention_heads;
  if (!Number.isInteger(headSize) || headSize % 2 !== 0) refuse(`a head size of ${headSize}`);
  const maxPositions = config.max_position_embeddings ?? defaults.maxPositions;
  const attentionBias = config.attention_bias ?? false;
  return {
    family,
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    keyValueHeads,
    headSize,
    normEps: config.rms_norm_eps ?? 1e-6,
    ...parseRope(config, headSize, maxPositions, refuse),
    maxPositions,
    tiedEmbeddings: config.tie_word_embeddings ?? false,
    queryKeyValueBias: family === "qwen2" || attentionBias,
    outputBias: family !== "qwen2" && attentionBias,
    feedForwardBias: family === "llama" && (config.mlp_bias ?? false),
    queryKeyNorm: family === "qwen3",
  };
}

/** The family by the class's name, or by the model's type where no class is named. */
function familyOf({ architectures: classes, model_type: type }: ConfigFile, path: string): ModelConfig["family"] {
  const named = classes?.[0] ?? null;
  if (named !== null) {
    if (isKnownArchitecture(named)) return architectures[named];
    throw unknownArchitecture(path, named, Object.keys(architectures));
  }
  if (type == null) throw notAConfig(path, "it names neither architectures nor model_type");
  const family = Object.values(architectures).find((known) => known === type);
  if (family === undefined) throw unknownArchitecture(path, type, Object.values(architectures));
  return family;
}

function isKnownArchitecture(name: string): name is Architecture {
  return Object.hasOwn(architectures, name);
}

function unknownArchitecture(path: string, name: string, known: readonly string[]): UnsupportedError {
  return new UnsupportedError(
    `${path}: unknown architecture ${name}.${didYouMean(name, known)}`,
    `This engine computes ${Object.keys(architectures).join(", ")}.`,
  );
}

function notAConfig(path: string, problem: string): FileFormatError {
  return new FileFormatError(
    path,
    `not a model config: ${problem}`,
    "Give a folder in Hugging Face layout with the config.json of a Llama, Qwen2 or Qwen3 model.",
  );
}

/** Whether any layer sees only a window. A window that is switched off, or begins above the last layer, is none. */
function hasWindow(config: ConfigFile): boolean {
  if (config.layer_types?.some((type) => type !== "full_attention")) return true;
  if (config.layer_types != null || !(config.use_sliding_window ?? false)) return false;
  return config.sliding_window !== null && (config.max_window_layers ?? 0) < config.num_hidden_layers;
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

/** Models with more parameters train an adapter where nothing else is asked for. */
const largestFullyTrained = 50e6;

export const isLarge = (config: ModelConfig): boolean => parameterCount(config) > largestFullyTrained;

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
