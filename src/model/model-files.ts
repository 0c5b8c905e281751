// All of a model but its weights, read once: what is made from a large GGUF file takes a second and memory.

import type { Tokenizer } from "../types.ts";
import { type ModelFolder, openModelFolder } from "./model-folder.ts";
import { openTokenizer } from "./tokenizer.ts";

export interface ModelFiles {
  readonly folder: ModelFolder;
  readonly tokenizer: Tokenizer;
}

/** Throws UsageError, FileFormatError or UnsupportedError where the model cannot be read. */
export function openModelFiles(model: string): ModelFiles {
  const folder = openModelFolder(model);
  return { folder, tokenizer: openTokenizer(model, folder.companions) };
}
