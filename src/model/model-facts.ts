// What others need to know of a model before it is opened: whether it takes conversations, and how large it is. Reads the files
// beside the weights, never the weights.
import { z } from "zod";
import { UnsupportedError } from "../errors.ts";
import type { ModelFacts } from "../types.ts";
import { readCompanions } from "./companions.ts";
import { GgufFile } from "./gguf.ts";
import { isGgufPath } from "./gguf-companions.ts";
import { ggufConfig } from "./gguf-config.ts";
import { isLarge, parseModelConfig } from "./model-config.ts";

/**
 * Facts of a model folder, a GGUF file or a checkpoint. Throws FileFormatError or UnsupportedError where it cannot be read.
 *
 * @example
 * import { findModel, modelFacts, openTopic } from "self-questioning";
 *
 * const facts = modelFacts(findModel({ model: "arithmetic" }));
 * const { topic } = await openTopic("arithmetic", facts); // in the notation of the shipped model: it has no chat template
 * console.log(facts.chat, topic.name);
 */
export function modelFacts(model: string): ModelFacts {
  if (isGgufPath(model)) {
    using file = new GgufFile(model);
    return {
      chat: isTemplate(file.metadata.get("tokenizer.chat_template")),
      large: isLarge(parseModelConfig(ggufConfig(file), model)),
    };
  }
  const companions = readCompanions(model);
  const content = (name: string): unknown => JSON.parse(companions.get(name)?.toString("utf8") ?? "{}");
  return {
    chat:
      companions.has("chat_template.jinja") ||
      isTemplate(templateSchema.safeParse(content("tokenizer_config.json")).data?.chat_template),
    large: isLargeConfig(content("config.json"), companions.pathOf("config.json")),
  };
}

/** A model that this package does not compute is one for servers, and those are large. */
function isLargeConfig(content: unknown, path: string): boolean {
  try {
    return isLarge(parseModelConfig(content, path));
  } catch (error) {
    if (error instanceof UnsupportedError) return true;
    throw error;
  }
}

const templateSchema = z.looseObject({ chat_template: z.unknown() });

const isTemplate = (template: unknown): boolean => template !== undefined && template !== null && template !== "";
