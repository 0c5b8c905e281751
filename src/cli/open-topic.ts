// Opens a topic for the model that will play it. All commands come here, so that a model is asked in the same words when it is
// trained, evaluated, asked and tried.
import type { RunConfig } from "../config/config.ts";
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

/** Settings of a run that a topic is opened with, and its replies are read with. */
export type TopicSettings = Partial<
  Pick<RunConfig, "maxQuestionTokens" | "maxAnswerTokens" | "evalFile" | "examples" | "truncatedReplies">
>;

/**
 * The topic as the model at this path is asked about it (where there is none: as the shipped models are), with replies as long, and
 * files of questions, as the settings say. Throws what `openTopic` throws.
 */
export async function openTopicFor(
  name: string,
  model: string | null,
  settings: TopicSettings = {},
): Promise<DefinedTopic> {
  const facts = (model === null ? null : factsOf(model)) ?? undefined;
  const { evalFile = "none", examples = "none" } = settings;
  const files = {
    ...(evalFile === "none" ? {} : { evalFile }),
    ...(examples === "none" ? {} : { examples }),
  };
  return withReplyLengths(await openTopic(name, facts, files), settings);
}
