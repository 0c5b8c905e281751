// The files beside the weights: config, tokenizer and chat template. They travel unchanged from the starting model to every
// checkpoint. A GGUF file holds what they say in its own form; they are made from it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isGgufPath, readGgufCompanions } from "./gguf-companions.ts";

/** Their names. */
export const companionFiles = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  "vocab.json",
  "merges.txt",
] as const;

/** Content of the files by name. */
export class Companions extends Map<string, Buffer> {
  readonly #model: string;

  constructor(model: string, files: Iterable<readonly [string, Buffer]>) {
    super(files);
    this.#model = model;
  }

  /** Where a file is, for errors. */
  pathOf(name: string): string {
    return isGgufPath(this.#model) ? this.#model : join(this.#model, name);
  }
}

/** Reads the companions of a model folder or makes those of a GGUF file; which of them there must be is for their readers to say. */
export function readCompanions(model: string): Companions {
  if (isGgufPath(model)) return new Companions(model, readGgufCompanions(model));
  const files = companionFiles.map((name) => [name, join(model, name)] as const).filter(([, path]) => existsSync(path));
  return new Companions(
    model,
    files.map(([name, path]) => [name, readFileSync(path)]),
  );
}
