// From parsed options to the config in force: the working folder's config file below the
// environment and the flags, and what the topic asks for below all.
import { type ConfigFile, readConfigFile } from "../config/file.ts";
import { type ConfigLayers, namedIn, type ResolvedConfig, resolveConfig } from "../config/layers.ts";
import { UsageError } from "../errors.ts";
import { findModel } from "../model/find-model.ts";
import { openTopic } from "../topics/registry.ts";
import { configFlagValues } from "./config-flags.ts";
import { factsOf } from "./open-topic.ts";
import { runNamed } from "./run-name.ts";

/** A config with what it is made for. */
export interface ConfigForModel extends ResolvedConfig {
  /** Where the model is; null where it is not on this machine, and nothing of it counted. */
  readonly model: string | null;
}

/**
 * Resolves the config of a command whose flags came from `addConfigFlags`.
 * @param topic the topic given as an argument; it may not contradict `--topic`
 */
export async function configOf(
  options: Readonly<Record<string, unknown>>,
  topic?: string,
): Promise<ConfigForModel & { readonly file: ConfigFile | undefined }> {
  const flags = configFlagValues(options);
  if (topic !== undefined) {
    if (flags["topic"] !== undefined && flags["topic"] !== topic) {
      throw new UsageError(`Two topics were given: ${topic} and ${flags["topic"]}.`, "Leave out --topic.");
    }
    flags["topic"] = topic;
  }
  const named = options["config"];
  const file = await readConfigFile(process.cwd(), typeof named === "string" ? named : undefined);
  const workspace = typeof options["workspace"] === "string" ? options["workspace"] : undefined;
  return { ...(await resolveWithTopic({ file, environment: process.env, flags }, workspace)), file };
}

/**
 * The config with the settings that its topic asks for, in the words that its model takes, and the recipe that suits the model.
 * Throws what `openTopic` and `resolveConfig` throw.
 */
export async function resolveWithTopic(
  layers: Omit<ConfigLayers, "topic" | "model">,
  workspace?: string,
): Promise<ConfigForModel> {
  const named = namedIn(layers);
  const own = await openTopic(named.topic);
  // A model that somebody names stands above the one that the topic asks for, and every layer above the default is somebody.
  const wanted = named.model === "seed" ? (own.topic.settings?.model ?? named.model) : named.model;
  const model = modelAt({ ...named, model: wanted }, workspace);
  const facts = model === null ? null : factsOf(model);
  const { topic } = facts?.chat === true ? await openTopic(named.topic, facts) : own;
  return { ...resolveConfig({ ...layers, topic, ...(facts === null ? {} : { model: facts }) }), model };
}

/** Where a model is; null where there is none, which whoever opens it says. */
function modelAt(request: ReturnType<typeof namedIn>, workspace: string | undefined): string | null {
  const { model, topic, engine, tokenizer } = request;
  try {
    // A server's model is no run's.
    const meant = workspace === undefined || engine === "tinker" ? model : runNamed(model, workspace);
    return findModel({ model: meant, topic, engine, tokenizer, ...(workspace === undefined ? {} : { workspace }) });
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}
