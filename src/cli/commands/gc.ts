// `sqlm gc`: gives back the disk that old checkpoints and superseded rows take.
import { resolve } from "node:path";
import type { Command } from "commander";
import { collectGarbage } from "../../store/collect-garbage.ts";
import { openReader } from "../../store/queries.ts";
import { makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import { formatBytes, formatTable } from "../format.ts";

interface GcOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly dryRun?: boolean;
  readonly keep?: string;
}

export function gcCommand(): Command {
  const command = makeCommand("gc", "Remove old checkpoints, and rows that were superseded when a run was resumed.", [
    "sqlm gc --dry-run            says what would go",
    "sqlm gc RUN --keep 1         only the newest checkpoint and the best",
  ]);
  return withWorkspace(command)
    .argument("[run]", "Only this run.")
    .option("--dry-run", "Remove nothing, only say how much there is.")
    .option("--keep <count>", "Newest checkpoints to keep of each run, beside the best (default: its keepCheckpoints).")
    .action(async (run: string | undefined, options: GcOptions) => {
      const terminal = terminalOf(options);
      const dryRun = options.dryRun === true;
      const keep = options.keep === undefined ? {} : { keepCheckpoints: readCount("--keep", options.keep, 1) };
      const folder = resolve(options.workspace);
      // A reader refuses a folder that holds no workspace; opening it for writing would make one.
      openReader(folder)[Symbol.dispose]();
      const report = await collectGarbage(folder, { dryRun, ...keep, ...(run === undefined ? {} : { run }) });
      const rows = report.runs
        .filter(({ rows, folders }) => rows > 0 || folders.length > 0)
        .map((one) => [one.run, String(one.rows), String(one.folders.length), formatBytes(one.bytes)]);
      if (rows.length > 0)
        terminal.say(formatTable(["run", "rows", "checkpoints", "size"], rows, terminal.tableColumns));
      for (const name of report.busy) terminal.say(`${name} is open in another process and was left alone.`);
      for (const name of report.unreadable)
        terminal.say(`${name} was recorded by another version and was left alone; with --keep it is not.`);
      const bytes = report.runs.reduce((sum, one) => sum + one.bytes, 0);
      if (rows.length === 0) terminal.say("There is nothing to remove.");
      else if (dryRun)
        terminal.say(`Nothing was removed. Without --dry-run ${formatBytes(bytes)} of checkpoints would go.`);
      else {
        const saved = formatBytes(Math.max(0, report.databaseBytes));
        terminal.say(`Removed ${formatBytes(bytes)} of checkpoints; the database is ${saved} smaller.`);
      }
      terminal.result({ dryRun, bytes, ...report });
    });
}
