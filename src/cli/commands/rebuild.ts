// `sqlm rebuild`: makes a lost or damaged database again from the files beside it.
import { resolve } from "node:path";
import type { Command } from "commander";
import { rebuildDatabase } from "../../store/rebuild.ts";
import { makeCommand, terminalOf, withWorkspace } from "../command.ts";
import { formatTable } from "../format.ts";

interface RebuildOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly force?: boolean;
}

export function rebuildCommand(): Command {
  const command = makeCommand(
    "rebuild",
    "Make a damaged or lost database again from events.jsonl and checkpoints. Questions and answers do not come back.",
    ["sqlm rebuild", "sqlm rebuild --workspace ./backup/.sqlm"],
  );
  return withWorkspace(command)
    .option("--force", "Also where the database is whole; it is kept beside the new one.")
    .action(async (options: RebuildOptions) => {
      const terminal = terminalOf(options);
      const report = await rebuildDatabase(resolve(options.workspace), { force: options.force === true });
      const rows = report.runs.map(({ run, steps, checkpoints }) => [run, String(steps), String(checkpoints)]);
      if (rows.length > 0) terminal.say(formatTable(["run", "steps", "checkpoints"], rows, terminal.tableColumns));
      for (const { run, unreadable } of report.runs) {
        if (unreadable > 0) terminal.note(`${run}: ${unreadable} lines of events.jsonl could not be read.`);
      }
      for (const { run, reason } of report.skipped) terminal.note(`${run} was left out: ${reason}.`);
      terminal.say(`The database holds ${rows.length} runs again, without their questions and answers.`);
      if (report.movedTo !== null) terminal.say(`The one before is kept as ${report.movedTo}`);
      terminal.result(report);
    });
}
