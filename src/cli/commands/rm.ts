// `sqlm rm`: removes runs for good, after asking.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { UsageError } from "../../errors.ts";
import { openReader, runOverview } from "../../store/queries.ts";
import { removeRuns } from "../../store/remove-run.ts";
import { settingsOf } from "../../store/workspace.ts";
import { exitCodes, makeCommand, terminalOf, withWorkspace } from "../command.ts";
import { formatBytes, unreadableSettings } from "../format.ts";
import type { Terminal } from "../terminal.ts";

interface RmOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly yes?: boolean;
}

export function rmCommand(): Command {
  const command = makeCommand("rm", "Remove runs for good: their record and their checkpoints.", [
    "sqlm rm latest",
    "sqlm rm first-try second-try --yes",
  ]);
  return withWorkspace(command)
    .argument("<run...>", "Names of runs, their beginnings, or latest.")
    .option("--yes", "Do not ask.")
    .action(async (given: readonly string[], options: RmOptions) => {
      const terminal = terminalOf(options);
      const folder = resolve(options.workspace);
      const runs = describeRuns(folder, given);
      for (const { run, text } of runs) terminal.say(`${run}: ${text}`);
      const names = runs.map(({ run }) => run);
      if (options.yes !== true && !(await askToRemove(terminal, names.length))) {
        terminal.say("Nothing was removed.");
        terminal.result({ removed: [] });
        process.exitCode = exitCodes.failure;
        return;
      }
      removeRuns(folder, names);
      terminal.say(names.length === 1 ? "Removed." : `Removed ${names.length} runs.`);
      terminal.result({ removed: names });
    });
}

/** The runs that are meant, each once, and what would go with them. */
function describeRuns(folder: string, given: readonly string[]): { readonly run: string; readonly text: string }[] {
  using reader = openReader(folder);
  const found = given.map((name) => runOverview(reader, name));
  const once = found.filter(({ run }, index) => found.findIndex((other) => other.run === run) === index);
  return once.map((overview) => {
    const { run, status, lastStep, checkpoints } = overview;
    const config = settingsOf(overview);
    const kept = checkpoints.filter((one) => existsSync(one.folder));
    const bytes = kept.reduce((sum, one) => sum + one.bytes, 0);
    const checkpointText = `${kept.length} checkpoint${kept.length === 1 ? "" : "s"}, ${formatBytes(bytes)}`;
    const [topic, of] = config === null ? [unreadableSettings, ""] : [config.topic, ` of ${config.steps}`];
    return { run, text: `${topic}, ${status} at step ${lastStep}${of}, ${checkpointText}` };
  });
}

async function askToRemove(terminal: Terminal, count: number): Promise<boolean> {
  if (process.stdin.isTTY !== true) {
    throw new UsageError(
      "Nobody can be asked whether that is meant: standard input is no terminal.",
      "Give --yes to remove without asking.",
    );
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const what = count === 1 ? "this run" : `these ${count} runs`;
    const answer = await lines.question(`Remove ${what} for good? [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
    terminal.status(null);
  }
}
