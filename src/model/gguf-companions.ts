// A GGUF file's metadata as the files that stand beside the weights in a Hugging Face folder.
import { statSync } from "node:fs";
import { GgufFile } from "./gguf.ts";
import { ggufConfig } from "./gguf-config.ts";
import { ggufTokenizer } from "./gguf-tokenizer.ts";

/** A model that is a file is a GGUF file; one that is a folder is in Hugging Face layout. */
export function isGgufPath(model: string): boolean {
  return statSync(model, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Content of config.json, generation_config.json and the tokenizer's files by name. */
export function readGgufCompanions(path: string): [string, Buffer][] {
  using file = new GgufFile(path);
  const config = ggufConfig(file);
  const { tokenizer, config: tokenizerConfig, endTokens } = ggufTokenizer(file);
  const generation = {
    bos_token_id: config["bos_token_id"],
    eos_token_id: endTokens,
    pad_token_id: config["pad_token_id"],
  };
  const files = {
    "config.json": config,
    "generation_config.json": generation,
    "tokenizer.json": tokenizer,
    "tokenizer_config.json": tokenizerConfig,
  };
  return Object.entries(files).map(([name, content]) => [name, Buffer.from(`${JSON.stringify(content)}\n`)]);
}
