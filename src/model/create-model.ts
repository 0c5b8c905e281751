// Makes a new model folder with random weights and a tokenizer of single characters: where the seed model and the models
// of tests come from.
import { mkdirSync } from "node:fs";
import { parseModelConfig } from "./model-config.ts";
import { randomWeights, writeModelFolder } from "./model-folder.ts";

export interface NewModel {
  readonly architecture: "LlamaForCausalLM" | "Qwen2ForCausalLM" | "Qwen3ForCausalLM";
  /** Every character that the model can read and write; each becomes a token. */
  readonly characters: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads?: number;
  readonly maxPositions: number;
  readonly tiedEmbeddings?: boolean;
  readonly seed: number;
}

/** Ids of the special tokens that precede the characters in the vocabulary. */
const padToken = 0;
export const endToken = 1;
const specialTokens = ["<pad>", "<end>"];

/** Writes config, tokenizer and seeded random weights into `folder`, which is created. */
export function createModel(folder: string, model: NewModel): void {
  const vocabulary = [...specialTokens, ...new Set(model.characters)];
  const config = {
    architectures: [model.architecture],
    model_type: { LlamaForCausalLM: "llama", Qwen2ForCausalLM: "qwen2", Qwen3ForCausalLM: "qwen3" }[model.architecture],
    vocab_size: vocabulary.length,
    hidden_size: model.hiddenSize,
    intermediate_size: model.intermediateSize,
    num_hidden_layers: model.layers,
    num_attention_heads: model.heads,
    num_key_value_heads: model.keyValueHeads ?? model.heads,
    head_dim: model.hiddenSize / model.heads,
    hidden_act: "silu",
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    max_position_embeddings: model.maxPositions,
    tie_word_embeddings: model.tiedEmbeddings ?? false,
    torch_dtype: "float32",
    pad_token_id: padToken,
    eos_token_id: endToken,
    bos_token_id: null,
  };
  const companions = new Map(
    Object.entries({
      "config.json": config,
      "generation_config.json": { eos_token_id: endToken, pad_token_id: padToken },
      "tokenizer.json": characterTokenizer(vocabulary),
      "tokenizer_config.json": {
        tokenizer_class: "PreTrainedTokenizerFast",
        pad_token: specialTokens[padToken],
        eos_token: specialTokens[endToken],
        clean_up_tokenization_spaces: false,
      },
    }).map(([name, content]) => [name, Buffer.from(`${JSON.stringify(content, null, 2)}\n`)]),
  );
  mkdirSync(folder, { recursive: true });
  writeModelFolder(folder, companions, randomWeights(parseModelConfig(config, folder), model.seed));
}

/** A byte-pair encoding without merges: every character is a token of its own. */
function characterTokenizer(vocabulary: readonly string[]): object {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: "Fuse" },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges: [],
    },
  };
}
