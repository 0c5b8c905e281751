// What of a model must be on this machine where its weights are on a server: tokenizer and config. A folder, a model that comes
// with the package, a GGUF file, or one of the Hugging Face hub, of which only these files are downloaded.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { isGgufPath } from "./gguf-companions.ts";
import type { HubOptions } from "./hub.ts";
import { cachedTokenizer, hubCacheFolder, parseHubId } from "./hub-cache.ts";

const hasTokenizer = (path: string): boolean => isGgufPath(path) || existsSync(join(path, "tokenizer.json"));

/**
 * Absolute path of a folder, or a GGUF file, with the tokenizer of a model. Throws UsageError where there is none on this machine.
 * @param candidates folders and files that the name may stand for
 */
export function findTokenizer(name: string, candidates: readonly string[]): string {
  const found = candidates.find(hasTokenizer);
  if (found !== undefined) return found;
  const hubId = parseHubId(name);
  const cached = hubId === null ? null : cachedTokenizer(hubId);
  if (cached !== null) return cached;
  throw new UsageError(
    `There is no tokenizer "${name}" on this machine.`,
    "Give --tokenizer a folder with tokenizer.json and config.json, a GGUF file, or the model's hub id ORG/NAME.",
  );
}

/** The same; files of the Hugging Face hub that are not on this machine are downloaded first, the weights not among them. */
export async function fetchTokenizer(
  name: string,
  candidates: readonly string[],
  options: HubOptions = {},
): Promise<string> {
  const hubId = parseHubId(name);
  if (hubId === null || candidates.some((path) => existsSync(path))) return findTokenizer(name, candidates);
  const cached = cachedTokenizer(hubId, options.cache ?? hubCacheFolder(options.environment));
  if (cached !== null) return cached;
  const { downloadTokenizer } = await import("./hub.ts");
  return downloadTokenizer(hubId, options);
}
