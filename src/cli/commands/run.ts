// `sqlm run`: self-play on a topic. `sqlm start` is the same under the name that `npm start` calls.
import type { Command } from "commander";
import { findStartingModel } from "../../model/find-model.ts";
import { makeCommand, terminalOf, withWorkspace } from "../command.ts";
import { addConfigFlags } from "../config-flags.ts";
import { configOf } from "../config-options.ts";
import type { Parts } from "../parts.ts";
import { runSession } from "../run-session.ts";

interface RunOptions extends Record<string, unknown> {
  readonly json?: boolean;
  readonly workspace: string;
}

const examples = [
  "sqlm run                                    arithmetic from the shipped model, default settings",
  "sqlm run multiplication --seed 2 --steps 40",
  "sqlm run ./my-topic.ts --preset paper       a topic of your own, the published settings",
  "sqlm run arithmetic --json > summary.json   for scripts",
];

export function runCommand(parts: Parts): Command {
  return make("run", "Let a model improve itself on a topic.", parts);
}

/** What `npm start` runs. */
export function startCommand(parts: Parts): Command {
  return make("start", "Self-play on arithmetic from the shipped model (what `npm start` runs).", parts);
}

function make(name: string, description: string, parts: Parts): Command {
  const command = makeCommand(name, description, examples).argument("[topic]", "Topic name or path of a topic file.");
  return addConfigFlags(withWorkspace(command)).action(async (topic: string | undefined, options: RunOptions) => {
    const { config, notes } = await configOf(options, topic);
    // Found before anything is opened, so a mistyped name costs no time and leaves no empty run behind.
    findStartingModel(config);
    const terminal = terminalOf(options);
    for (const note of notes) terminal.note(note);
    process.exitCode = await runSession({
      terminal,
      parts,
      workspace: options.workspace,
      run: { config },
    });
  });
}
