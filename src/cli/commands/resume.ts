// `sqlm resume`: go on with a run that was interrupted, stopped or killed.
import type { Command } from "commander";
import { makeCommand, terminalOf, withWorkspace } from "../command.ts";
import type { Parts } from "../parts.ts";
import { runSession } from "../run-session.ts";

export function resumeCommand(parts: Parts): Command {
  const command = makeCommand(
    "resume",
    "Go on with a run from its newest checkpoint. The result equals that of a run that was never interrupted.",
    ["sqlm resume arithmetic-1", "sqlm list                 names the runs"],
  );
  return withWorkspace(command)
    .argument("<run>", "Name of the run.")
    .action(async (run: string, options: { json?: boolean; workspace: string }) => {
      process.exitCode = await runSession({
        terminal: terminalOf(options),
        parts,
        workspace: options.workspace,
        run: { resume: run },
      });
    });
}
