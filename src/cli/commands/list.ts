// `sqlm list`: the runs of a workspace, newest first.
import type { Command } from "commander";
import { listRuns, openReader, runOverview } from "../../store/queries.ts";
import { settingsOf } from "../../store/workspace.ts";
import { makeCommand, terminalOf, withWorkspace } from "../command.ts";
import { formatShare, formatTable, unreadableSettings } from "../format.ts";
import { describeTrial } from "../trials.ts";

export function listCommand(): Command {
  const command = makeCommand("list", "List recorded runs, newest first.", [
    "sqlm list",
    "sqlm list --names         only their names, one a line",
    "sqlm list --json",
  ]).option("--names", "Print the names only, one a line.");
  return withWorkspace(command).action((options: { json?: boolean; workspace: string; names?: boolean }) => {
    const terminal = terminalOf(options);
    using reader = openReader(options.workspace);
    if (options.names === true) {
      const names = listRuns(reader).map(({ run }) => run);
      for (const name of names.toReversed()) terminal.say(name);
      terminal.result({ runs: names.toReversed() });
      return;
    }
    const runs = listRuns(reader)
      .toReversed()
      .map((info) => {
        const { run, trial, created, status, lastStep } = info;
        const config = settingsOf(info);
        const levels = runOverview(reader, run).evaluations.at(-1)?.levels ?? [];
        const passAt1 = levels.map(({ difficulty, passAt1 }) => ({ difficulty, passAt1 }));
        const [topic, steps] = [config?.topic ?? null, config?.steps ?? null];
        return { run, topic, trial, status, step: lastStep, steps, created, passAt1 };
      });
    // A column of its own only where there is something in it.
    const withTrials = runs.some(({ trial }) => trial !== null);
    const rows = runs.map(({ run, topic, trial, status, step, steps, created, passAt1 }) => [
      run,
      topic ?? unreadableSettings,
      ...(withTrials ? [trial === null ? "" : describeTrial(trial)] : []),
      status,
      `${step}/${steps ?? "?"}`,
      created.slice(0, 16).replace("T", " "),
      passAt1.map((level) => `${level.difficulty} ${formatShare(level.passAt1)}`).join("  "),
    ]);
    terminal.say(
      rows.length === 0
        ? "There are no runs here yet. Start one with: sqlm run"
        : formatTable(
            [
              ...["run", "topic", ...(withTrials ? ["experiment: variant"] : [])],
              ...["status", "step", "started (UTC)", "pass@1 by difficulty"],
            ],
            rows,
            terminal.tableColumns,
          ),
    );
    terminal.result({ runs });
  });
}
