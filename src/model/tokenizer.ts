// The tokenizer of a model: @huggingface/tokenizers cuts text into pieces, added tokens are found before it, chat templates
// are rendered by chat-template.ts.
import { Tokenizer as HuggingFaceTokenizer, AddedToken as LibraryAddedToken } from "@huggingface/tokenizers";
import { z } from "zod";
import { FileFormatError, SqlmError } from "../errors.ts";
import type { Tokenizer } from "../types.ts";
import { type AddedToken, addedTokenSplitter, addedTokensSchema } from "./added-tokens.ts";
import { chatRenderer, chatTemplateSchema } from "./chat-template.ts";
import { type Companions, readCompanions } from "./companions.ts";
import { rewriteDecoder, rewritePreTokenizer } from "./tokenizer-definition.ts";

const tokenText = z.union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)]);
const specialTokenNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
const tokenizerSchema = z.looseObject({
  model: z.looseObject({}),
  added_tokens: addedTokensSchema.nullish().transform((tokens) => tokens ?? []),
});
const tokenizerConfigSchema = z.looseObject({
  chat_template: chatTemplateSchema.nullish(),
  additional_special_tokens: z.array(tokenText).nullish(),
  extra_special_tokens: z.unknown().optional(),
});
const endTokensSchema = z.looseObject({ eos_token_id: z.union([z.number(), z.array(z.number())]).nullish() });
const vocabularySizeSchema = z.looseObject({ vocab_size: z.number().nullish() });

/**
 * Opens the tokenizer of a model folder or GGUF file. Throws FileFormatError when a file is missing or malformed.
 * @param companions the model's, where they have been read already
 */
export function openTokenizer(model: string, companions: Companions = readCompanions(model)): Tokenizer {
  const definition = readObject(companions, "tokenizer.json", tokenizerSchema);
  const config = companions.has("tokenizer_config.json")
    ? readObject(companions, "tokenizer_config.json", tokenizerConfigSchema)
    : tokenizerConfigSchema.parse({});
  const specialTokens = readSpecialTokens(companions, config);
  const codec = createCodec(companions, definition, config);
  const { eos_token: endToken } = specialTokens;
  const renderChat = chatRenderer(
    companions.get("chat_template.jinja")?.toString("utf8") ?? config.chat_template ?? null,
    specialTokens,
    model,
  );
  const ownEnd = typeof endToken === "string" ? codec.idOf(endToken) : undefined;
  return {
    encode: codec.encode,
    decode: codec.decode,
    endTokens: [...new Set([...readEndTokens(companions), ...(ownEnd === undefined ? [] : [ownEnd])])],
    encodeChat: (messages) => {
      const last = messages.at(-1);
      const opened = last?.role === "assistant";
      return codec.encode(renderChat(opened ? messages.slice(0, -1) : messages) + (opened ? last.content : ""));
    },
    tokensWith: tokenFinder(codec),
  };
}

/** Every token is decoded by itself, once for each text that is looked for. */
function tokenFinder({ decode, size }: Codec): Tokenizer["tokensWith"] {
  const found = new Map<string, readonly number[]>();
  return (text) => {
    const known =
      found.get(text) ?? Array.from({ length: size }, (_, id) => id).filter((id) => decode([id]).includes(text));
    found.set(text, known);
    return known;
  };
}

interface Codec {
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
  idOf(token: string): number | undefined;
  /** One more than the largest id. */
  readonly size: number;
}

/** Text to ids and back. The library sees no added tokens: they are found before it and put back after it. */
function createCodec(
  companions: Companions,
  definition: z.output<typeof tokenizerSchema>,
  config: Readonly<Record<string, unknown>>,
): Codec {
  const added = definition.added_tokens;
  const library = openLibrary(companions, definition, config);
  const { normalizer, pre_tokenizer: preTokenizer, model, decoder } = library.parts;
  checkVocabulary(companions, model.vocab, added);
  const addedById = new Map(added.map((token) => [token.id, token]));
  const addedByContent = new Map(added.map((token) => [token.content, token]));
  if (decoder !== null) decoder.added_tokens = added.map(asLibraryToken);

  const split = addedTokenSplitter(added, (text) => (normalizer === null ? text : normalizer.normalize(text)));
  const pieceIds = (piece: string): number[] => {
    const id = model.tokens_to_ids.get(piece) ?? model.unk_token_id;
    return id === undefined ? [] : [id];
  };
  const tokenOf = (id: number): string | undefined => addedById.get(id)?.content ?? model.vocab[id];
  return {
    encode: (text) =>
      split(text).flatMap((section) => {
        if ("id" in section) return [section.id];
        // The library's `section_index` is 0 where a section begins the text.
        const options = { section_index: section.start };
        const pieces = preTokenizer === null ? [section.text] : preTokenizer.pre_tokenize(section.text, options);
        return model._call(pieces).flatMap(pieceIds);
      }),
    decode: (ids) => {
      const tokens = ids.flatMap((id) => (addedById.get(id)?.special ? [] : (tokenOf(id) ?? [])));
      const { droppedFromFirst } = library;
      if (droppedFromFirst !== null && tokens.length > 0) tokens[0] = tokens[0].replaceAll(droppedFromFirst, "");
      return decoder === null ? tokens.join(" ") : decoder.decode(tokens);
    },
    idOf: (token) => addedByContent.get(token)?.id ?? model.tokens_to_ids.get(token),
    size: added.reduce((most, { id }) => Math.max(most, id + 1), model.vocab.length),
  };
}

/** The library's parts, built from the definition with what it computes otherwise put into other words. */
function openLibrary(
  companions: Companions,
  definition: z.output<typeof tokenizerSchema>,
  config: Readonly<Record<string, unknown>>,
) {
  try {
    const { decoder, droppedFromFirst } = rewriteDecoder(definition["decoder"] ?? null);
    const preTokenizer = rewritePreTokenizer(definition["pre_tokenizer"] ?? null);
    const absent = { normalizer: null, post_processor: null };
    const parts = new HuggingFaceTokenizer(
      { ...absent, ...definition, pre_tokenizer: preTokenizer, decoder, added_tokens: [] },
      config,
    );
    const { model } = parts;
    if (model === null) throw new Error("it has no model");
    return { parts: { ...parts, model }, droppedFromFirst };
  } catch (cause) {
    if (cause instanceof SqlmError) throw cause;
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new FileFormatError(companions.pathOf("tokenizer.json"), `cannot be used: ${problem}`, copyHint, { cause });
  }
}

const copyHint = "Copy the model's tokenizer files again.";

function asLibraryToken({ id, content }: AddedToken): LibraryAddedToken {
  return new LibraryAddedToken({ id, content });
}

/** Every id that the tokenizer can give must have a row in the model's matrices; rows without a token are no harm. */
function checkVocabulary(companions: Companions, vocabulary: readonly string[], added: readonly AddedToken[]): void {
  if (!companions.has("config.json")) return;
  const { vocab_size: rows } = readObject(companions, "config.json", vocabularySizeSchema);
  const largest = added.reduce((most, { id }) => Math.max(most, id), vocabulary.length - 1);
  if (rows == null || largest < rows) return;
  const token = added.find(({ id }) => id === largest)?.content ?? vocabulary[largest];
  throw new FileFormatError(
    companions.pathOf("tokenizer.json"),
    `the vocabulary does not fit the model: the token ${JSON.stringify(token)} has the id ${largest}, but config.json says ${rows} rows`,
    "Tokenizer, config.json and weights must come from the same model.",
  );
}

/** Texts of the special tokens by the names that chat templates know them by, as in transformers' special_tokens_map. */
function readSpecialTokens(
  companions: Companions,
  config: z.output<typeof tokenizerConfigSchema>,
): Readonly<Record<string, string | readonly string[]>> {
  const older = companions.has("special_tokens_map.json")
    ? readObject(companions, "special_tokens_map.json", z.looseObject({}))
    : {};
  const named: Record<string, string | readonly string[]> = {};
  for (const name of specialTokenNames) {
    const text = tokenText.safeParse(config[name] ?? older[name]);
    if (text.success) named[name] = text.data;
  }
  const additional = config.additional_special_tokens ?? null;
  if (additional !== null && additional.length > 0) named["additional_special_tokens"] = additional;
  const extra = z.record(z.string(), tokenText).safeParse(config.extra_special_tokens);
  return extra.success ? { ...named, ...extra.data } : named;
}

/** Ids that end a completion by generation_config.json and config.json. */
function readEndTokens(companions: Companions): number[] {
  return ["generation_config.json", "config.json"].flatMap((name) => {
    if (!companions.has(name)) return [];
    return readObject(companions, name, endTokensSchema).eos_token_id ?? [];
  });
}

function readObject<Schema extends z.ZodType>(companions: Companions, name: string, schema: Schema): z.output<Schema> {
  const path = companions.pathOf(name);
  let content: unknown;
  try {
    content = JSON.parse(companions.get(name)?.toString("utf8") ?? "");
  } catch (cause) {
    throw new FileFormatError(path, "missing or not JSON", "Copy the model's tokenizer files beside its weights.", {
      cause,
    });
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new FileFormatError(
    path,
    `malformed: ${[issue.path.join("."), issue.message].filter((part) => part !== "").join(": ")}`,
    copyHint,
  );
}
