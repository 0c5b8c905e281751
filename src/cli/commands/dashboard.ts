// `sqlm dashboard`: shows the runs of a workspace in a browser while they go, and afterwards.
import { constants, setPriority } from "node:os";
import type { Command } from "commander";
import { makeCommand, terminalOf, withWorkspace } from "../command.ts";
import { defaultPort, openDashboard, readPort } from "../open-dashboard.ts";

interface DashboardOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly host: string;
  readonly port: string;
}

export function dashboardCommand(): Command {
  const command = makeCommand("dashboard", "Show runs in a browser: live, read-only, on this machine.", [
    "sqlm dashboard",
    "sqlm dashboard --port 8080 --workspace ../other/.sqlm",
    "sqlm dashboard --host 0.0.0.0      for other machines too; the printed address has a token",
  ]);
  return withWorkspace(command)
    .option("--port <number>", "Port; the next free one is taken where it is not free.", String(defaultPort))
    .option("--host <address>", "Address to listen on. Beyond this machine it takes a token to look.", "127.0.0.1")
    .action(async (options: DashboardOptions) => {
      const terminal = terminalOf(options);
      const port = readPort(options.port);
      yieldToRuns();
      await using dashboard = await openDashboard({
        workspace: options.workspace,
        host: options.host,
        port,
        note: (line) => terminal.note(line),
      });
      if (port !== 0 && dashboard.port !== port) terminal.note(`Port ${port} is taken; this is the next free one.`);
      terminal.say(`Dashboard of ${options.workspace}: ${dashboard.url}`);
      terminal.result({ url: dashboard.url, port: dashboard.port });
      if (process.send !== undefined) process.send({ url: dashboard.url });
      else terminal.note("Ctrl-C ends it; runs go on without it.");
      await ended();
    });
}

/** Runs come first: looking at one must not take its processor. */
function yieldToRuns(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A machine without priorities shows runs all the same.
  }
}

/** Settles when the process is told to end, or when the run that started it has. */
function ended(): Promise<void> {
  return new Promise((resolve) => {
    if (process.send !== undefined) {
      // A run that ends in good order tells us itself; Ctrl-C on the terminal reaches us too, and is meant for the run.
      process.on("SIGINT", () => {});
      process.once("disconnect", resolve);
    } else process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
}
