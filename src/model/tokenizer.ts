// The tokenizer of a model folder: @huggingface/tokenizers for text, @huggingface/jinja for chat templates.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { FileFormatError, UnsupportedError } from "../errors.ts";
import type { Tokenizer } from "../types.ts";

const specialToken = z.union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)]);
const tokenizerConfigSchema = z.looseObject({
  bos_token: specialToken.nullish(),
  eos_token: specialToken.nullish(),
  chat_template: z.string().nullish(),
});
const endTokensSchema = z.looseObject({ eos_token_id: z.union([z.number(), z.array(z.number())]).nullish() });

/** Opens the tokenizer in a folder of Hugging Face layout. Throws FileFormatError when a file is missing or malformed. */
export function openTokenizer(folder: string): Tokenizer {
  const definition = readObject(join(folder, "tokenizer.json"), z.looseObject({ model: z.unknown() }));
  const configPath = join(folder, "tokenizer_config.json");
  const config = existsSync(configPath) ? readObject(configPath, tokenizerConfigSchema) : {};
  const tokenizer = new HuggingFaceTokenizer(definition, config);
  const endTokens = readEndTokens(folder, tokenizer, config.eos_token ?? null);
  const templateSource = readChatTemplate(folder, config.chat_template ?? null);
  const template = templateSource === null ? null : new Template(templateSource);
  const encode = (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false }).ids;
  return {
    encode,
    // The library refuses to decode nothing.
    decode: (tokens) =>
      tokens.length === 0
        ? ""
        : tokenizer.decode([...tokens], { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
    endTokens,
    encodeChat(messages) {
      if (template === null) {
        throw new UnsupportedError(
          `The model in ${folder} has no chat template.`,
          "Use an instruction-tuned model, or a topic with plain-text prompts.",
        );
      }
      const variables = {
        messages,
        add_generation_prompt: true,
        bos_token: config.bos_token,
        eos_token: config.eos_token,
      };
      return encode(template.render(variables));
    },
  };
}

/** Ids that end a completion: those of generation_config.json and config.json, and the tokenizer's own end token. */
function readEndTokens(folder: string, tokenizer: HuggingFaceTokenizer, endToken: string | null): number[] {
  const ids = ["generation_config.json", "config.json"].flatMap((name) => {
    const path = join(folder, name);
    if (!existsSync(path)) return [];
    const { eos_token_id: id } = readObject(path, endTokensSchema);
    return id ?? [];
  });
  const own = endToken === null ? undefined : tokenizer.token_to_id(endToken);
  return [...new Set(own === undefined ? ids : [...ids, own])];
}

function readChatTemplate(folder: string, configured: string | null): string | null {
  const path = join(folder, "chat_template.jinja");
  return existsSync(path) ? readFileSync(path, "utf8") : configured;
}

function readObject<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new FileFormatError(path, "missing or not JSON", "Copy the model's tokenizer files beside its weights.", {
      cause,
    });
  }
  const parsed = schema.safeParse(content);
  if (!parsed.success) {
    throw new FileFormatError(
      path,
      `malformed: ${parsed.error.issues[0].message}`,
      "Copy the model's tokenizer files again.",
    );
  }
  return parsed.data;
}
