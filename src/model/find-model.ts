// Finds the folder of a model: a path, a model that comes with the package, or the newest checkpoint of a run.
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { didYouMean, UsageError } from "../errors.ts";
import { isGgufPath } from "./gguf-companions.ts";

/** Root of this package, whether it runs from src/ or dist/. */
export const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

const isModel = (path: string): boolean => existsSync(join(path, "config.json")) || isGgufPath(path);

/**
 * Folder of `model`, given as a path (from the working folder, then from the package), or as a name in the package's
 * models/ folder. Throws UsageError that names the nearest shipped model.
 */
export function findModel(model: string): string {
  const candidates = [resolve(model), join(packageRoot, model), join(packageRoot, "models", model)];
  const found = candidates.find(isModel);
  if (found !== undefined) return found;
  if (existsSync(candidates[0])) {
    throw new UsageError(`${candidates[0]} holds no config.json.`, "A model is a folder in Hugging Face layout.");
  }
  const shipped = shippedModels();
  throw new UsageError(
    `There is no model "${model}".${didYouMean(model.replace(/^models\//, ""), shipped)}`,
    `Give a folder in Hugging Face layout, or one of: ${shipped.map((name) => `models/${name}`).join(", ")}.`,
  );
}

/**
 * Folder of the model that a run starts from; `seed` stands for the model shipped for its topic. Throws UsageError where
 * the topic has none.
 */
export function findStartingModel({ model, topic }: { readonly model: string; readonly topic: string }): string {
  if (model !== "seed") return findModel(model);
  if (shippedModels().includes(topic)) return findModel(join(packageRoot, "models", topic));
  throw new UsageError(
    `No seed model is shipped for the topic "${topic}".`,
    `Name a model with --model FOLDER; seed models come for: ${shippedModels().join(", ")}.`,
  );
}

/** Names of the models that come with the package. */
export function shippedModels(): readonly string[] {
  const folder = join(packageRoot, "models");
  return existsSync(folder) ? readdirSync(folder).filter((name) => isModel(join(folder, name))) : [];
}
