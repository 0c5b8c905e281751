// Opens a topic for the model that will play it. All commands come here, so that a model is asked in the same words when it is
// trained, evaluated, asked and tried.
import type { PlaySettings } from "../config/play.ts";
import { SqlmError } from "../errors.ts";
import { modelFacts } from "../model/model-facts.ts";
import { type DefinedTopic, withReplyLengths } from "../topics/define-topic.ts";
import { openTopic } from "../topics/registry.ts";
import type { ModelFacts } from "../types.ts";

/** Facts of the model at a path; null where it cannot be read, which whoever opens it will say better. */
export function factsOf(model: string): ModelFacts | null {
  try {
    return modelFacts(model);
  } catch (error) {
    if (error instanceof SqlmError || error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * The topic as the model at this path is asked about it (where there is none: as the shipped models are), with replies as long as the settings say. Throws what `openTopic`
 * throws.
 */
export async function openTopicFor(
  name: string,
  model: string | null,
  lengths: Partial<Pick<PlaySettings, "maxQuestionTokens" | "maxAnswerTokens">> = {},
): Promise<DefinedTopic> {
  return withReplyLengths(await openTopic(name, (model === null ? null : factsOf(model)) ?? undefined), lengths);
}
