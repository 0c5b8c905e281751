// A decoder-only transformer in plain TypeScript, written to be obviously right rather than fast: one sequence, one position
// and one number at a time, in double precision, straight from the papers and from Hugging Face's modeling_llama.py,
// modeling_qwen2.py and modeling_qwen3.py. It shares no code with src but the type of a model's shape.
import type { ModelConfig } from "../../../src/model/model-config.ts";

/** Weights by Hugging Face name, matrices row-major [out, in]. */
export type ReferenceWeights = ReadonlyMap<string, ArrayLike<number>>;

/** Logits [time][vocabulary] of every position of one sequence. */
export function referenceLogits(config: ModelConfig, weights: ReferenceWeights, tokens: readonly number[]): number[][] {
  const weight = (name: string): ArrayLike<number> => {
    const found = weights.get(name);
    if (found === undefined) throw new Error(`no weight ${name}`);
    return found;
  };
  const embedding = weight("model.embed_tokens.weight");
  let hidden = tokens.map((token) => slice(embedding, token * config.hiddenSize, config.hiddenSize));
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}`;
    const linear = (x: readonly number[], name: string, bias: boolean): number[] =>
      affine(x, weight(`${prefix}.${name}.weight`), bias ? weight(`${prefix}.${name}.bias`) : null);
    const norm = (x: readonly number[], name: string): number[] =>
      rootMeanSquareNorm(x, weight(`${prefix}.${name}.weight`), config.normEps);

    const normed = hidden.map((x) => norm(x, "input_layernorm"));
    const heads = (name: "q" | "k" | "v", count: number): number[][][] =>
      normed.map((x, position) => {
        const y = linear(x, `self_attn.${name}_proj`, config.queryKeyValueBias);
        return range(count).map((head) => {
          const part = y.slice(head * config.headSize, (head + 1) * config.headSize);
          if (name === "v") return part;
          return rotate(config, config.queryKeyNorm ? norm(part, `self_attn.${name}_norm`) : part, position);
        });
      });
    const queries = heads("q", config.heads);
    const keys = heads("k", config.keyValueHeads);
    const values = heads("v", config.keyValueHeads);
    const queriesPerKey = config.heads / config.keyValueHeads;

    hidden = hidden.map((x, position) => {
      const context = range(config.heads).flatMap((head) => {
        const shared = Math.floor(head / queriesPerKey);
        const scores = range(position + 1).map(
          (past) => dot(queries[position][head], keys[past][shared]) / Math.sqrt(config.headSize),
        );
        const attention = scores.map((score) => Math.exp(score - logSumExp(scores)));
        return range(config.headSize).map((i) =>
          attention.reduce((sum, probability, past) => sum + probability * values[past][shared][i], 0),
        );
      });
      return plus(x, linear(context, "self_attn.o_proj", config.outputBias));
    });
    hidden = hidden.map((x) => {
      const inner = norm(x, "post_attention_layernorm");
      const gate = linear(inner, "mlp.gate_proj", config.feedForwardBias);
      const up = linear(inner, "mlp.up_proj", config.feedForwardBias);
      const activated = gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]);
      return plus(x, linear(activated, "mlp.down_proj", config.feedForwardBias));
    });
  }
  const head = config.tiedEmbeddings ? embedding : weight("lm_head.weight");
  return hidden.map((x) => affine(rootMeanSquareNorm(x, weight("model.norm.weight"), config.normEps), head, null));
}

/** Log-probability of every token given those before it; entry 0 is 0. */
export function referenceLogprobs(config: ModelConfig, weights: ReferenceWeights, tokens: readonly number[]): number[] {
  const logits = referenceLogits(config, weights, tokens);
  return tokens.map((token, i) => (i === 0 ? 0 : logits[i - 1][token] - logSumExp(logits[i - 1])));
}

/** log Σ exp(x), without overflow. */
export function logSumExp(x: readonly number[]): number {
  const greatest = Math.max(...x);
  return greatest + Math.log(x.reduce((sum, value) => sum + Math.exp(value - greatest), 0));
}

/** Turns the pair (x[i], x[i + half]) by position × frequency of i. */
function rotate(config: ModelConfig, x: readonly number[], position: number): number[] {
  const half = config.headSize / 2;
  return x.map((value, i) => {
    const pair = i % half;
    const angle = position * frequency(config, pair);
    const partner = i < half ? -x[i + half] : x[i - half];
    return value * Math.cos(angle) + partner * Math.sin(angle);
  });
}

function frequency(config: ModelConfig, pair: number): number {
  const base = 1 / config.ropeTheta ** ((2 * pair) / config.headSize);
  const scaling = config.ropeScaling;
  if (scaling === null) return base;
  if (scaling.type === "linear") return base / scaling.factor;
  // Llama 3.1: long wavelengths are stretched by the factor, short ones kept, those between interpolated.
  const turns = scaling.originalMaxPositions / ((2 * Math.PI) / base);
  if (turns > scaling.highFrequencyFactor) return base;
  if (turns < scaling.lowFrequencyFactor) return base / scaling.factor;
  const keep = (turns - scaling.lowFrequencyFactor) / (scaling.highFrequencyFactor - scaling.lowFrequencyFactor);
  return keep * base + (1 - keep) * (base / scaling.factor);
}

function rootMeanSquareNorm(x: readonly number[], weight: ArrayLike<number>, eps: number): number[] {
  const meanSquare = dot(x, x) / x.length;
  return x.map((value, i) => (value / Math.sqrt(meanSquare + eps)) * weight[i]);
}

function affine(x: readonly number[], matrix: ArrayLike<number>, bias: ArrayLike<number> | null): number[] {
  return range(matrix.length / x.length).map((row) => {
    let sum = bias === null ? 0 : bias[row];
    for (let i = 0; i < x.length; i++) sum += matrix[row * x.length + i] * x[i];
    return sum;
  });
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const slice = (x: ArrayLike<number>, start: number, count: number): number[] => range(count).map((i) => x[start + i]);
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i], 0);
const plus = (a: readonly number[], b: readonly number[]): number[] => a.map((value, i) => value + b[i]);
