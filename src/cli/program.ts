// Puts the commands together into one program. Leaves starting the process to main.ts, so tests can build it too.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { didYouMean, UsageError } from "../errors.ts";
import { packageRoot } from "../model/find-model.ts";
import { askCommand } from "./commands/ask.ts";
import { checkCommand } from "./commands/check.ts";
import { completionCommand } from "./commands/completion.ts";
import { configCommand } from "./commands/config.ts";
import { dashboardCommand } from "./commands/dashboard.ts";
import { diffCommand } from "./commands/diff.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { evaluateCommand } from "./commands/evaluate.ts";
import { experimentCommand } from "./commands/experiment.ts";
import { exportCommand } from "./commands/export.ts";
import { gcCommand } from "./commands/gc.ts";
import { initCommand } from "./commands/init.ts";
import { compareAnswersCommand, judgeCommand, runProgramCommand } from "./commands/json-lines-commands.ts";
import { listCommand } from "./commands/list.ts";
import { planCommand } from "./commands/plan.ts";
import { questionsCommand } from "./commands/questions.ts";
import { rebuildCommand } from "./commands/rebuild.ts";
import { reportCommand } from "./commands/report.ts";
import { resumeCommand } from "./commands/resume.ts";
import { rmCommand } from "./commands/rm.ts";
import { runCommand, startCommand } from "./commands/run.ts";
import { serveCommand } from "./commands/serve.ts";
import { serveTinkerCommand } from "./commands/serve-tinker.ts";
import { showCommand } from "./commands/show.ts";
import { testCommand } from "./commands/test.ts";
import { topicsCommand } from "./commands/topics.ts";
import type { Parts } from "./parts.ts";

/** `sqlm help evaluate`; commander's own says nothing about a name that does not exist. */
function helpCommand(program: Command): Command {
  return new Command("help")
    .description("Show help for a command.")
    .argument("[command]")
    .action((name: string | undefined) => {
      if (name === undefined) return program.outputHelp();
      const names = program.commands.map((command) => command.name());
      const found = program.commands[names.indexOf(name)];
      if (found === undefined) {
        throw new UsageError(
          `There is no command "${name}".${didYouMean(name, names)}`,
          "`sqlm --help` lists commands.",
        );
      }
      found.outputHelp();
    });
}

/** The whole command line over these parts. Parsing throws CommanderError instead of ending the process. */
export function buildProgram(parts: Parts): Command {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };
  const program = new Command("sqlm")
    .description("Self-play that improves a language model from nothing but a topic.")
    .version(version, "-V, --version", "Print the version.")
    .helpCommand(false)
    .addHelpText(
      "after",
      "\nStart here:\n  sqlm run                 a small model learns arithmetic, in minutes\n  sqlm COMMAND --help      options and examples of a command",
    );
  const groups: Readonly<Record<string, readonly Command[]>> = {
    "Self-play:": [runCommand(parts), planCommand(parts), resumeCommand(parts), experimentCommand(parts)],
    "Recorded runs:": [
      listCommand(),
      showCommand(),
      questionsCommand(),
      diffCommand(),
      dashboardCommand(),
      reportCommand(),
      exportCommand(),
      rmCommand(),
      gcCommand(),
      rebuildCommand(),
    ],
    "Topics of your own:": [initCommand(), checkCommand(parts), testCommand()],
    "Models:": [evaluateCommand(parts), askCommand(parts), serveCommand(parts), serveTinkerCommand(parts)],
    "This installation:": [
      topicsCommand(),
      configCommand(),
      doctorCommand(parts),
      completionCommand(),
      helpCommand(program),
    ],
    "For scripts, JSON lines:": [compareAnswersCommand(parts), runProgramCommand(parts), judgeCommand(parts)],
  };
  for (const [heading, commands] of Object.entries(groups)) {
    for (const command of commands) program.addCommand(command.helpGroup(heading));
  }
  program.addCommand(startCommand(parts), { hidden: true });
  for (const command of [program, ...program.commands]) {
    command
      .helpOption("-h, --help", "Show help.")
      .exitOverride()
      .configureOutput({ outputError: () => {} })
      .showSuggestionAfterError(true);
  }
  return program;
}
