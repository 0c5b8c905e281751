// `sqlm config`: the settings in force here and where each came from; with `--schema`, the JSON schema for editors.
import type { Command } from "commander";
import { configKeys } from "../../config/config.ts";
import { configJsonSchema, type Origin } from "../../config/layers.ts";
import { makeCommand, terminalOf } from "../command.ts";
import { addConfigFlags } from "../config-flags.ts";
import { configOf } from "../config-options.ts";
import { formatTable } from "../format.ts";

interface ConfigOptions extends Record<string, unknown> {
  readonly json?: boolean;
  readonly schema?: boolean;
}

export function configCommand(): Command {
  const command = makeCommand(
    "config",
    "Print the settings in force and where each came from: default, topic, preset, file, environment or flag.",
    [
      "sqlm config",
      "sqlm config --topic multiplication",
      "sqlm config --preset paper --steps 40",
      "SQLM_STEPS=40 sqlm config",
      "sqlm config --schema > sqlm.schema.json    completion for sqlm.config.json in editors",
    ],
  ).option("--schema", "Print the JSON schema of config files instead.");
  return addConfigFlags(command).action(async (options: ConfigOptions) => {
    const terminal = terminalOf(options);
    if (options.schema === true) {
      process.stdout.write(`${JSON.stringify(configJsonSchema(), null, terminal.json ? undefined : 2)}\n`);
      return;
    }
    const { config, origins, notes, file } = await configOf(options);
    const rows = configKeys.map((key) => [key, String(config[key]), describeOrigin(origins[key])]);
    terminal.say(formatTable(["setting", "value", "from"], rows, terminal.tableColumns));
    for (const note of notes) terminal.note(note);
    terminal.result({ config, origins, notes, file: file?.path ?? null });
  });
}

/** `default`, `topic coding`, `preset paper`, `file sqlm.config.ts`, `flag --steps`. */
function describeOrigin({ layer, name }: Origin): string {
  return name === undefined ? layer : `${layer} ${name}`;
}
