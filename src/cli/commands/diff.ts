// `sqlm diff`: two runs side by side: settings that differ, results, means of metrics, where they part.
import type { Command } from "commander";
import { diffRuns } from "../../store/diff-runs.ts";
import { openReader, runInfo } from "../../store/queries.ts";
import { makeCommand, terminalOf, withWorkspace } from "../command.ts";
import { formatNumber, formatShare, formatTable } from "../format.ts";

export function diffCommand(): Command {
  const command = makeCommand("diff", "Compare two runs: settings and results.", ["sqlm diff RUN OTHER-RUN"]);
  return withWorkspace(command)
    .argument("<run>", "Name of a run.")
    .argument("<other>", "Name of another.")
    .action((a: string, b: string, options: { json?: boolean; workspace: string }) => {
      const terminal = terminalOf(options);
      using reader = openReader(options.workspace);
      const diff = diffRuns(reader, runInfo(reader, a).run, runInfo(reader, b).run);
      terminal.say(`A: ${diff.a}\nB: ${diff.b}\n`);
      const settings = [...diff.trial, ...diff.config];
      if (settings.length === 0) terminal.say("The settings are the same.");
      else {
        const rows = settings.map((row) => [row.key, String(row.a ?? "-"), String(row.b ?? "-")]);
        terminal.say(formatTable(["setting", "A", "B"], rows, terminal.tableColumns));
      }
      const difference = (of: { a: number | null; b: number | null }): string =>
        of.a === null || of.b === null ? "-" : formatNumber(of.b - of.a);
      if (diff.evaluations.length > 0) {
        const { evaluatedSteps } = diff;
        terminal.say(`\npass@1 at step ${evaluatedSteps.a ?? "-"} of A and ${evaluatedSteps.b ?? "-"} of B`);
        const rows = diff.evaluations.map(({ difficulty, a, b }) => {
          const passAt1 = { a: a?.passAt1 ?? null, b: b?.passAt1 ?? null };
          return [String(difficulty), formatShare(passAt1.a), formatShare(passAt1.b), difference(passAt1)];
        });
        terminal.say(formatTable(["difficulty", "A", "B", "B − A"], rows, terminal.tableColumns));
      }
      if (diff.metrics.length > 0) {
        const number = (value: number | null): string => (value === null ? "-" : formatNumber(value));
        terminal.say(`\nMeans over the ${diff.commonSteps} steps that both have`);
        const rows = diff.metrics.map((row) => [row.name, number(row.a), number(row.b), difference(row)]);
        terminal.say(formatTable(["metric", "A", "B", "B − A"], rows, terminal.tableColumns));
      }
      terminal.say(
        diff.firstDifference === null
          ? "\nEvery step that both have is the same."
          : `\nThey first differ in step ${diff.firstDifference}.`,
      );
      terminal.result(diff);
    });
}
