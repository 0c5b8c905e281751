// The tokenizer that a GGUF file's metadata describe, as the tokenizer.json and tokenizer_config.json of a Hugging Face folder.
// Byte-level BPE ("gpt2") with the pre-tokenizers below, and SentencePiece BPE ("llama"); others are refused.
import { UnsupportedError } from "../errors.ts";
import type { GgufFile, GgufValue } from "./gguf.ts";
import { numberOf } from "./gguf-config.ts";

interface GgufTokenizer {
  /** Content of tokenizer.json. */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** Content of tokenizer_config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Ids that end a reply. */
  readonly endTokens: readonly number[];
}

/** Kinds of token (llama.h, enum llama_token_attr's older numbers, as the file has them). */
const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly kindOf: (id: number) => number;
}

/** Throws UnsupportedError for a kind of tokenizer that is not known here, FileFormatError where parts are missing. */
export function ggufTokenizer(file: GgufFile): GgufTokenizer {
  const { metadata } = file;
  const tokens = texts(metadata.get("tokenizer.ggml.tokens"));
  if (tokens === null || tokens.length === 0) throw file.damaged("has no vocabulary (tokenizer.ggml.tokens)");
  const kindList = metadata.get("tokenizer.ggml.token_type");
  const vocabulary: Vocabulary = {
    tokens,
    kindOf: (id) => (Array.isArray(kindList) ? (numberOf(kindList[id]) ?? kinds.normal) : kinds.normal),
  };
  const model = metadata.get("tokenizer.ggml.model");
  const parts =
    model === "gpt2"
      ? byteLevelParts(file, vocabulary)
      : model === "llama"
        ? sentencePieceParts(file, vocabulary)
        : null;
  if (parts === null) {
    throw new UnsupportedError(
      `${file.path}: a tokenizer of the kind "${String(model)}" is not supported.`,
      "Take a GGUF file with a byte-level BPE or SentencePiece tokenizer, or the model's Hugging Face folder.",
    );
  }
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: addedTokens(vocabulary),
      post_processor: null,
      ...parts,
    },
    config: tokenizerConfig(file, tokens),
    endTokens: endTokens(file, vocabulary),
  };
}

function texts(value: GgufValue | undefined): readonly string[] | null {
  return Array.isArray(value) && value.every((text) => typeof text === "string") ? value : null;
}

function addedTokens({ tokens, kindOf }: Vocabulary): object[] {
  return tokens.flatMap((content, id) => {
    const kind = kindOf(id);
    if (kind !== kinds.control && kind !== kinds.userDefined) return [];
    const special = kind === kinds.control;
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
}

/** Tokens of the model itself. Special tokens among them keep their places; those after them, and unused rows, are no part of it. */
function ownVocabulary({ tokens, kindOf }: Vocabulary): Map<string, number> {
  const own = (id: number): boolean => [kinds.normal, kinds.unknown, kinds.byte].some((kind) => kind === kindOf(id));
  const last = tokens.findLastIndex((_, id) => own(id));
  const vocabulary = new Map<string, number>();
  for (let id = 0; id <= last; id++) if (kindOf(id) !== kinds.unused) vocabulary.set(tokens[id], id);
  return vocabulary;
}

const byteLevel = (useRegex: boolean) => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const sequence = (...pretokenizers: readonly object[]) => ({ type: "Sequence", pretokenizers });
const splitAt = (pattern: string) => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});

const lines = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|DIGITS| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const gpt2Pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

interface PreTokenizer {
  readonly normalizer?: object;
  readonly pre_tokenizer: object;
  /** A whole piece that is a token is taken without merging. */
  readonly ignoreMerges?: true;
}

const plain: PreTokenizer = { pre_tokenizer: byteLevel(true) };
const singleDigits: PreTokenizer = {
  pre_tokenizer: sequence({ type: "Digits", individual_digits: true }, byteLevel(true)),
};
const qwen2: PreTokenizer = {
  normalizer: { type: "NFC" },
  pre_tokenizer: sequence(splitAt(`${contractions}|${lines.replace("DIGITS", "\\p{N}")}`), byteLevel(false)),
};
const llama3: PreTokenizer = {
  pre_tokenizer: sequence(splitAt(`${contractions}|${lines.replace("DIGITS", "\\p{N}{1,3}")}`), byteLevel(false)),
  ignoreMerges: true,
};
/** What `tokenizer.ggml.pre` stands for (llama.cpp, llama-vocab.cpp), each as the Hugging Face tokenizer of its models has it. */
const preTokenizers: ReadonlyMap<string, PreTokenizer> = new Map([
  ["gpt-2", plain],
  ["smollm", singleDigits],
  ["starcoder", singleDigits],
  ["refact", singleDigits],
  ["command-r", singleDigits],
  ["qwen2", qwen2],
  ["deepseek-r1-qwen", qwen2],
  ["llama-bpe", llama3],
  ["llama3", llama3],
  // Files of before the names, as llama.cpp reads them.
  [
    "default",
    {
      pre_tokenizer: sequence(
        splitAt("[\\p{P}\\$\\+<=>\\^~\\|]+"),
        splitAt(gpt2Pattern),
        splitAt("\\p{N}+"),
        splitAt("[0-9][0-9][0-9]"),
        byteLevel(false),
      ),
    },
  ],
]);

function byteLevelParts(file: GgufFile, vocabulary: Vocabulary): Readonly<Record<string, unknown>> {
  const name = file.metadata.get("tokenizer.ggml.pre") ?? "default";
  const known = typeof name === "string" ? preTokenizers.get(name) : undefined;
  if (known === undefined) {
    throw new UnsupportedError(
      `${file.path}: the pre-tokenizer "${String(name)}" is not supported.`,
      `Known are ${[...preTokenizers.keys()].join(", ")}. Take the model's Hugging Face folder instead.`,
    );
  }
  const merges = texts(file.metadata.get("tokenizer.ggml.merges"));
  if (merges === null) throw file.damaged("has no merges (tokenizer.ggml.merges)");
  return {
    normalizer: known.normalizer ?? null,
    pre_tokenizer: known.pre_tokenizer,
    decoder: byteLevel(true),
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: known.ignoreMerges ?? false,
      vocab: Object.fromEntries(ownVocabulary(vocabulary)),
      merges: merges.map((pair) => pair.split(" ")),
    },
  };
}

/**
 * SentencePiece merges the neighbours whose union has the best score; BPE by rank does the same where the merges are the vocabulary's
 * splits in the order of scores. As in transformers (convert_slow_tokenizer.py, generate_merges).
 */
function sentencePieceParts(file: GgufFile, vocabulary: Vocabulary): Readonly<Record<string, unknown>> {
  const scores = file.metadata.get("tokenizer.ggml.scores");
  if (!Array.isArray(scores)) throw file.damaged("has no scores (tokenizer.ggml.scores)");
  const vocab = ownVocabulary(vocabulary);
  const unknown = vocabulary.tokens.find((_, id) => vocabulary.kindOf(id) === kinds.unknown) ?? null;
  const prefix = file.metadata.get("tokenizer.ggml.add_space_prefix") !== false;
  const toSpace = { type: "Replace", pattern: { String: "▁" }, content: " " };
  const fromSpace = { type: "Replace", pattern: { String: " " }, content: "▁" };
  return {
    normalizer: {
      type: "Sequence",
      normalizers: prefix ? [{ type: "Prepend", prepend: "▁" }, fromSpace] : [fromSpace],
    },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        toSpace,
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges: mergesByScore(vocabulary, vocab, scores),
    },
  };
}

function mergesByScore(
  { kindOf }: Vocabulary,
  vocab: ReadonlyMap<string, number>,
  scores: readonly GgufValue[],
): string[][] {
  const merges: { readonly parts: readonly [string, string]; readonly score: number }[] = [];
  for (const [token, id] of vocab) {
    if (kindOf(id) !== kinds.normal) continue;
    const characters = [...token];
    for (let cut = 1; cut < characters.length; cut++) {
      const parts = [characters.slice(0, cut).join(""), characters.slice(cut).join("")] as const;
      if (vocab.has(parts[0]) && vocab.has(parts[1])) merges.push({ parts, score: numberOf(scores[id]) ?? 0 });
    }
  }
  return merges.sort((a, b) => b.score - a.score).map(({ parts }) => [...parts]);
}

function tokenizerConfig(file: GgufFile, tokens: readonly string[]): Readonly<Record<string, unknown>> {
  const { metadata } = file;
  const special = (name: string): string | null => {
    const id = numberOf(metadata.get(`tokenizer.ggml.${name}_token_id`));
    return id === null ? null : (tokens[id] ?? null);
  };
  const named = texts(metadata.get("tokenizer.chat_templates")) ?? [];
  const templates = named.map((name) => ({ name, template: metadata.get(`tokenizer.chat_template.${name}`) }));
  const template = metadata.get("tokenizer.chat_template") ?? null;
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    bos_token: special("bos"),
    eos_token: special("eos"),
    unk_token: special("unknown"),
    // The format spells it so.
    sep_token: special("seperator"),
    pad_token: special("padding"),
    clean_up_tokenization_spaces: false,
    chat_template:
      template === null || templates.length === 0 ? template : [{ name: "default", template }, ...templates],
  };
}

/** Texts of control tokens that end a turn or a text, in the models that have them. */
const endTexts: ReadonlySet<string> = new Set([
  "<|im_end|>",
  "<|endoftext|>",
  "<|eot_id|>",
  "<|eom_id|>",
  "<|end_of_text|>",
  "<|end|>",
  "</s>",
]);

function endTokens({ metadata }: GgufFile, { tokens, kindOf }: Vocabulary): readonly number[] {
  const named = ["eos", "eot", "eom"].map((name) => numberOf(metadata.get(`tokenizer.ggml.${name}_token_id`)));
  const byText = tokens.flatMap((text, id) => (endTexts.has(text) && kindOf(id) === kinds.control ? [id] : []));
  return [...new Set([...named.filter((id) => id !== null), ...byText])];
}
