// Command-line flags made from the config schema: one flag a key, grouped as the schema groups them.
// Values go through the schema's own checks in config-layers.ts; here they only get their types.
import { type Command, Option } from "commander";
import { type ConfigKey, configGroups, configKeys } from "../config/config.ts";
import { configJsonSchema, flagName, numberOfText } from "../config/layers.ts";

interface KeySchema {
  readonly type?: "string" | "number" | "integer" | "boolean";
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
}

const keySchemas = configJsonSchema()["properties"] as Readonly<Record<ConfigKey, KeySchema>>;

/** The options of one key: two for a boolean (`--consistent-vote`, `--no-consistent-vote`), else one. */
export function optionsOfKey(key: ConfigKey): readonly Option[] {
  const schema = keySchemas[key];
  const flag = flagName(key);
  const help = `${schema.description} (default: ${schema.default})`;
  if (schema.type === "boolean") {
    return [new Option(flag, help), new Option(flag.replace("--", "--no-"), `Turns ${flag} off.`)];
  }
  if (schema.enum !== undefined) {
    const option = new Option(`${flag} <name>`, help);
    // For help and completion only; the check is the schema's, which suggests the nearest name.
    option.argChoices = [...schema.enum];
    return [option];
  }
  if (schema.type === "string") return [new Option(`${flag} <text>`, help)];
  return [new Option(`${flag} <${schema.type === "integer" ? "count" : "number"}>`, help).argParser(numberOfText)];
}

/** Adds every config key as a flag, plus `--config`. */
export function addConfigFlags(command: Command): Command {
  command.addOption(
    new Option("--config <file>", "Config file (default: sqlm.config.ts here, if there is one).").helpGroup(
      "What to run:",
    ),
  );
  for (const [group, shape] of Object.entries(configGroups)) {
    for (const key of Object.keys(shape) as ConfigKey[]) {
      for (const option of optionsOfKey(key)) command.addOption(option.helpGroup(`${group}:`));
    }
  }
  return command;
}

/** The config keys among parsed options; those not given are absent. */
export function configFlagValues(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(configKeys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]));
}
