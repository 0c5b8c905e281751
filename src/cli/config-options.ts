// From parsed options to the config in force: the working folder's config file below the
// environment and the flags, and what the topic asks for below all.
import { type ConfigFile, readConfigFile } from "../config/file.ts";
import { type ConfigLayers, type ResolvedConfig, resolveConfig, topicNamedIn } from "../config/layers.ts";
import { UsageError } from "../errors.ts";
import { openTopic } from "../topics/registry.ts";
import { configFlagValues } from "./config-flags.ts";

/**
 * Resolves the config of a command whose flags came from `addConfigFlags`.
 * @param topic the topic given as an argument; it may not contradict `--topic`
 */
export async function configOf(
  options: Readonly<Record<string, unknown>>,
  topic?: string,
): Promise<ResolvedConfig & { readonly file: ConfigFile | undefined }> {
  const flags = configFlagValues(options);
  if (topic !== undefined) {
    if (flags["topic"] !== undefined && flags["topic"] !== topic) {
      throw new UsageError(`Two topics were given: ${topic} and ${flags["topic"]}.`, "Leave out --topic.");
    }
    flags["topic"] = topic;
  }
  const named = options["config"];
  const file = await readConfigFile(process.cwd(), typeof named === "string" ? named : undefined);
  return { ...(await resolveWithTopic({ file, environment: process.env, flags })), file };
}

/** The config with the settings that its topic asks for. Throws what `openTopic` and `resolveConfig` throw. */
export async function resolveWithTopic(layers: Omit<ConfigLayers, "topic">): Promise<ResolvedConfig> {
  const { topic } = await openTopic(topicNamedIn(layers));
  return resolveConfig({ ...layers, topic });
}
