// `sqlm resume`: go on with a run that was interrupted, stopped or killed, or give a finished one more steps.
import type { Command } from "commander";
import { addDashboardFlag, besideDashboard, type DashboardFlag } from "../beside-dashboard.ts";
import { exitCodes, makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import type { Parts } from "../parts.ts";
import { runSession } from "../run-session.ts";
import { addSessionFlags, type SessionFlags, sessionOptionsOf } from "../session-flags.ts";

interface ResumeCommandOptions extends SessionFlags, DashboardFlag {
  readonly json?: boolean;
  readonly workspace: string;
  readonly steps?: string;
  readonly changed?: boolean;
  readonly fromStart?: boolean;
}

export function resumeCommand(parts: Parts): Command {
  const command = makeCommand(
    "resume",
    "Go on with a run from its newest checkpoint. The result equals that of a run that was never interrupted.",
    [
      "sqlm resume latest                      the run that was made last",
      "sqlm resume arithmetic-1 --steps 500    a finished run goes on to 500 steps",
      "sqlm list                               names the runs",
    ],
  );
  return addSessionFlags(addDashboardFlag(withWorkspace(command)))
    .argument("<run>", "Name of the run, its beginning, or latest.")
    .option("--steps <count>", "Steps that the run is to have in all (default: as it was made).")
    .option("--changed", "Go on although topic file or model are not what they were; the record says so.")
    .option("--from-start", "Begin again where no checkpoint is left.")
    .action(async (run: string, options: ResumeCommandOptions) => {
      const { changed, fromStart, workspace } = options;
      const terminal = terminalOf(options);
      const outputs = sessionOptionsOf(options);
      const resumed = {
        resume: run,
        ...(changed === undefined ? {} : { changed }),
        ...(fromStart === undefined ? {} : { fromStart }),
        ...(options.steps === undefined ? {} : { steps: readCount("--steps", options.steps, 1) }),
      };
      await besideDashboard({ terminal, parts, workspace, wanted: options.dashboard === true }, async (dashboard) => {
        process.exitCode = await runSession({ ...outputs, terminal, parts, workspace, run: resumed, dashboard });
        return process.exitCode === exitCodes.ok;
      });
    });
}
