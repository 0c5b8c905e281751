import { describe, expect, test } from "vitest";
import { logSoftmax, pickFromRows } from "../../../../src/engine/onnx/graph/operators.ts";
import { lossValue } from "../../../../src/engine/onnx/train/loss-graph.ts";
import { Parameters, plainLayout } from "../../../../src/engine/onnx/transformer/linear.ts";
import { transformerLogits } from "../../../../src/engine/onnx/transformer/whole-sequences.ts";
import { parameterSpecs, parseModelConfig } from "../../../../src/model/model-config.ts";
import { gradientError } from "../../../../src/testing/gradient-checker.ts";
import { lossFunctions } from "../../../../src/types.ts";

const base = {
  vocab_size: 7,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 16,
};
const families = {
  llama: { ...base, architectures: ["LlamaForCausalLM"] },
  "llama with every bias": { ...base, architectures: ["LlamaForCausalLM"], attention_bias: true, mlp_bias: true },
  "qwen2, tied": { ...base, architectures: ["Qwen2ForCausalLM"], tie_word_embeddings: true },
  "qwen3, wide heads": { ...base, architectures: ["Qwen3ForCausalLM"], head_dim: 6 },
};
const tokens = [1, 4, 2, 6, 3, 3, 0, 5];
const targets = [4, 2, 6, 0, 3, 0, 5, 1];

/** Smooth pseudo-random weights, near 1 for norms. */
function initial(name: string, index: number): number {
  const wave = Math.sin(index * 2.399 + name.length * 0.7 + name.charCodeAt(name.length - 12));
  return name.includes("norm") ? 1 + 0.2 * wave : 0.4 * wave;
}

async function wholeLossError(
  config: object,
  lossFn: (typeof lossFunctions)[number],
  withKl: boolean,
): Promise<number> {
  const model = parseModelConfig(config, "config.json");
  return gradientError({
    inputs: Object.fromEntries(parameterSpecs(model).map(({ name, shape }) => [name, shape])),
    initial,
    step: 5e-3,
    build: (inputs, graph) => {
      const perToken = (values: readonly number[]) => () => graph.constant(values, [values.length]);
      const parameters = new Parameters();
      for (const [name, value] of Object.entries(inputs)) parameters.set(name, value);
      const logits = transformerLogits(plainLayout(model), parameters, graph.constant(tokens, [8], "int64"), 2, 4);
      const logprobs = pickFromRows(logSoftmax(logits), graph.constant(targets, [8], "int64"));
      return lossValue(lossFn, withKl, logprobs, {
        weights: graph.constant([0, 0.5, 0.25, 1, 0, 0.7, 0.3, 0.2], [8]),
        advantages: perToken([0, 1, -1, 0.5, 0, -0.6, 1.2, 0.8]),
        // Ratios on both sides of the clip, and between.
        oldLogprobs: perToken([-2, -0.7, -3.5, -2, -1.9, -1, -2.4, -2]),
        referenceLogprobs: perToken([-2, -1.5, -2.5, -1.8, -2, -1.4, -2.1, -1.7]),
        lowestRatio: () => graph.scalar(0.8),
        highestRatio: () => graph.scalar(1.2),
        klPenaltyCoef: () => graph.scalar(0.3),
      });
    },
  });
}

describe("gradients of whole losses match central differences", () => {
  // The weight of cispo is a constant to differentiation, but not to a difference: trainer.test.ts checks it by the chain rule.
  test.each(lossFunctions.filter((name) => name !== "cispo"))("%s, llama", async (lossFn) => {
    expect(await wholeLossError(families.llama, lossFn, false)).toBeLessThan(5e-3);
  });

  test.each(Object.entries(families))("importance_sampling with KL penalty, %s", async (_, config) => {
    expect(await wholeLossError(config, "importance_sampling", true)).toBeLessThan(5e-3);
  });
});
