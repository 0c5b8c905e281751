// What must be equal for the weights of one model to fit another.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { FileFormatError } from "../errors.ts";

// The keys of a Hugging Face config.json that decide the shapes of the weights.
const shapeKeys = [
  "model_type",
  "vocab_size",
  "hidden_size",
  "intermediate_size",
  "num_hidden_layers",
  "num_attention_heads",
  "num_key_value_heads",
  "head_dim",
  "tie_word_embeddings",
] as const;

/** One line that is equal for two models whose weights fit each other; null where there is no config.json. */
export async function readModelShape(folder: string): Promise<string | null> {
  const path = join(folder, "config.json");
  if (!existsSync(path)) return null;
  const config = await readConfig(path);
  return shapeKeys
    .filter((key) => config[key] !== undefined)
    .map((key) => `${key}=${JSON.stringify(config[key])}`)
    .join(" ");
}

async function readConfig(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    const problem = "is missing or not what was written.";
    throw new FileFormatError(path, problem, "Resume uses the newest checkpoint that is whole.", { cause });
  }
}
