// `--dashboard` of run and resume: a dashboard beside the run, and after it while a person still looks.
import { resolve } from "node:path";
import type { Command } from "commander";
import type { DashboardProcess } from "./open-dashboard.ts";
import type { Parts } from "./parts.ts";
import type { Terminal } from "./terminal.ts";

export interface DashboardFlag {
  readonly dashboard?: boolean;
}

export function addDashboardFlag(command: Command): Command {
  return command.option("--dashboard", "Show the run in a browser while it goes (see `sqlm dashboard`).");
}

export interface BesideOptions {
  readonly terminal: Terminal;
  readonly parts: Parts;
  readonly workspace: string;
  readonly wanted: boolean;
}

/**
 * Plays with a dashboard beside it where one is wanted. A dashboard that does not start is said and missed, nothing more.
 * @param play plays the run, and is given the address of the dashboard; the dashboard stays only where it gives true
 */
export async function besideDashboard(
  { terminal, parts, workspace, wanted }: BesideOptions,
  play: (url: string | null) => Promise<boolean>,
): Promise<void> {
  using dashboard = wanted ? await start(terminal, parts, workspace) : null;
  const stay = await play(dashboard?.url ?? null);
  // In a script nobody looks, and nobody would end it.
  if (dashboard === null || !stay || !terminal.interactive || terminal.json) return;
  terminal.note(`The dashboard stays at ${dashboard.url} until you press Ctrl-C.`);
  await interrupted();
}

async function start(terminal: Terminal, parts: Parts, workspace: string): Promise<DashboardProcess | null> {
  terminal.status("starting the dashboard");
  try {
    const dashboard = await parts.startDashboard(resolve(workspace));
    terminal.note(`Dashboard: ${dashboard.url}`);
    return dashboard;
  } catch (error) {
    terminal.note(error instanceof Error ? error.message : String(error));
    return null;
  } finally {
    terminal.status(null);
  }
}

function interrupted(): Promise<void> {
  return new Promise((settle) => {
    const end = (): void => {
      process.off("SIGINT", end);
      process.off("SIGTERM", end);
      settle();
    };
    process.on("SIGINT", end);
    process.on("SIGTERM", end);
  });
}
