// Models of random weights in every shape that a config.json may ask for, against transformers: logits and greedy text.
//   [SQLM_PYTHON=python3] node scripts/interop/families.ts
// Needs torch and transformers; skips with a reason without them. logits.py is the other half. Nothing in the project needs this script.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createModel } from "../../src/model/create-model.ts";
import { parseModelConfig } from "../../src/model/model-config.ts";
import { openModelFolder, randomWeights, writeModelFolder } from "../../src/model/model-folder.ts";
import { randomStream } from "../../src/random.ts";
import { writeLogitsCase } from "./logits.ts";
import { needPython, runPython } from "./python.ts";

type Config = Readonly<Record<string, unknown>>;

const families = { llama: "LlamaForCausalLM", qwen2: "Qwen2ForCausalLM", qwen3: "Qwen3ForCausalLM" } as const;
const rotations: Readonly<Record<string, Config>> = {
  "large base": { rope_theta: 1e6 },
  linear: { rope_scaling: { type: "linear", factor: 4 } },
  "linear, newer form": {
    rope_theta: undefined,
    rope_parameters: { rope_type: "linear", factor: 2.5, rope_theta: 5e5 },
  },
  llama3: {
    rope_theta: 5e5,
    rope_scaling: {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    },
  },
};

/** What differs from the usual config, by a name. */
function variants(family: keyof typeof families): Record<string, Config> {
  const queriesPerKey = [1, 2, 3, 4, 5, 6, 7, 8].map((queries): [string, Config] => [
    `${queries} queries a key`,
    { num_attention_heads: queries * 2, num_key_value_heads: 2, head_dim: 16, hidden_size: queries * 24 },
  ]);
  const headSizes = [8, 24, 64, 80, 128].map((size): [string, Config] => [
    `head size ${size}`,
    { num_attention_heads: 2, num_key_value_heads: 1, head_dim: size, hidden_size: 48 },
  ]);
  const biases: Record<string, Config> =
    family === "llama"
      ? {
          "attention biases": { attention_bias: true },
          "feed-forward biases": { mlp_bias: true },
          "all biases": { attention_bias: true, mlp_bias: true },
        }
      : family === "qwen3"
        ? { "attention biases": { attention_bias: true } }
        : {};
  return {
    plain: {},
    tied: { tie_word_embeddings: true },
    "one key head": { num_key_value_heads: 1 },
    "key heads as heads": { num_key_value_heads: null },
    "key heads left out": { num_key_value_heads: undefined, num_attention_heads: 32, head_dim: 8 },
    "by type alone": { architectures: undefined },
    "other epsilon": { rms_norm_eps: 1e-3 },
    "large vocabulary": { vocab_size: 5000 },
    "large vocabulary, tied": { vocab_size: 5000, tie_word_embeddings: true },
    ...(family === "qwen3" ? {} : { "head size left out": { head_dim: undefined, hidden_size: 96 } }),
    ...biases,
    ...rotations,
    ...Object.fromEntries([...queriesPerKey, ...headSizes]),
  };
}

/** Random in every weight, also in norms and biases, which a new model has at 1 and 0. */
function writeModel(folder: string, family: keyof typeof families, changes: Config): void {
  const characters = "0123456789+-*=? abcdefghijklmnopqrstuvwxyz";
  const shape = { characters, hiddenSize: 64, intermediateSize: 96, layers: 3, heads: 4, maxPositions: 256, seed: 3 };
  createModel(folder, { ...shape, architecture: families[family], keyValueHeads: 2 });
  const { companions } = openModelFolder(folder);
  const usual = JSON.parse(String(companions.get("config.json"))) as Config;
  // What is undefined is left out.
  const config = JSON.parse(JSON.stringify({ ...usual, ...changes })) as Config;
  const weights = randomWeights(parseModelConfig(config, folder), 7);
  for (const [name, { shape, data }] of weights) {
    const random = randomStream("families", name);
    if (shape.length === 1) for (let i = 0; i < data.length; i++) data[i] += 0.2 * random.normal();
    // Sharper choices than a new model's, so that the order of tokens is no matter of rounding.
    else if (/embed|lm_head/.test(name)) for (let i = 0; i < data.length; i++) data[i] *= 8;
  }
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  companions.set("config.json", Buffer.from(JSON.stringify(config)));
  writeModelFolder(folder, companions, weights);
}

needPython("torch", "transformers");
const out = mkdtempSync(join(tmpdir(), "sqlm-families-"));
try {
  for (const family of Object.keys(families) as (keyof typeof families)[]) {
    for (const [name, changes] of Object.entries(variants(family))) {
      const label = `${family}, ${name}`;
      const model = join(out, "models", label);
      writeModel(model, family, changes);
      const { vocabSize } = openModelFolder(model).config;
      const random = randomStream("families", label);
      const draw = (length: number) => Array.from({ length }, () => random.integer(2, vocabSize - 1));
      const [sequences, prompts] = [
        [draw(2), draw(37), draw(120)],
        [draw(1), draw(9), draw(33)],
      ];
      await writeLogitsCase(join(out, "cases", label), { model, sequences, prompts, threads: 1 });
    }
  }
  if (!runPython("logits.py", join(out, "cases"))) process.exitCode = 1;
} finally {
  rmSync(out, { recursive: true });
}
