// `sqlm run`: self-play on a topic. `sqlm start` is the same under the name that `npm start` calls.
import type { Command } from "commander";
import { addDashboardFlag, besideDashboard, type DashboardFlag } from "../beside-dashboard.ts";
import { exitCodes, makeCommand, terminalOf, withWorkspace } from "../command.ts";
import { addConfigFlags } from "../config-flags.ts";
import { configOf } from "../config-options.ts";
import { fetchWithProgress } from "../fetch-model.ts";
import type { Parts } from "../parts.ts";
import { runNamed } from "../run-name.ts";
import { runSession } from "../run-session.ts";
import { addSessionFlags, type SessionFlags, sessionOptionsOf } from "../session-flags.ts";

interface RunOptions extends Record<string, unknown>, SessionFlags, DashboardFlag {
  readonly json?: boolean;
  readonly workspace: string;
  readonly name?: string;
}

const examples = [
  "sqlm run                                    arithmetic from the shipped model, default settings",
  "sqlm run multiplication --seed 2 --steps 40",
  "sqlm run --dashboard                        watched in a browser",
  "sqlm run ./my-topic.ts --preset paper       a topic of your own, the published settings",
  "sqlm run --model latest --name second       from where the run before ended, under a name of your choice",
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
  const withFlags = addSessionFlags(addDashboardFlag(withWorkspace(command))).option(
    "--name <name>",
    "Name of the run (default: its topic, time and seed).",
  );
  return addConfigFlags(withFlags).action(async (topic: string | undefined, options: RunOptions) => {
    const outputs = sessionOptionsOf(options);
    const first = await configOf(options, topic);
    // Found before anything is opened, so a mistyped name costs no time and leaves no empty run behind.
    const { workspace } = options;
    const terminal = terminalOf(options);
    const remote = first.config.engine === "tinker";
    const model = remote ? first.config.model : runNamed(first.config.model, workspace);
    const request = { ...first.config, model, workspace };
    const found = await fetchWithProgress(request, terminal);
    // A model that had to be downloaded first has a say in the settings only now.
    const { config: given, notes } = first.model === null ? await configOf(options, topic) : first;
    for (const note of notes) terminal.note(note);
    // Of a server's model only the tokenizer is here.
    const at = remote ? { tokenizer: found } : { model: given.model === "seed" ? given.model : found };
    const run = { config: { ...given, ...at }, name: options.name };
    await besideDashboard({ terminal, parts, workspace, wanted: options.dashboard === true }, async (dashboard) => {
      process.exitCode = await runSession({ ...outputs, terminal, parts, workspace, run, dashboard });
      return process.exitCode === exitCodes.ok;
    });
  });
}
