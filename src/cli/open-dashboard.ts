// Opens the dashboard: in this process for `sqlm dashboard`, in one of its own for `sqlm run --dashboard`, so that no
// question that someone asks it can keep the run waiting, and no fault of it can end the run.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../errors.ts";
import { packageRoot } from "../model/find-model.ts";
import { decoderOf } from "./checkpoint-of.ts";
import { findPage } from "./dashboard-page.ts";

export const defaultPort = 4750;

/** A port given to an option. Throws UsageError. */
export function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new UsageError(
      `--port must be a whole number from 0 to 65535, not "${text}".`,
      `For example: ${defaultPort}.`,
    );
  }
  return port;
}

export interface OpenDashboardOptions {
  readonly workspace: string;
  readonly host: string;
  readonly port: number;
  readonly note: (line: string) => void;
}

/** Serves the dashboard from this process. Throws UsageError where it cannot listen, UnsupportedError without a page. */
export async function openDashboard({ workspace, host, port, note }: OpenDashboardOptions) {
  const page = await findPage(note);
  const { serveDashboard } = await import("../dashboard/serve.ts");
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };
  return serveDashboard({ workspace, page, host, port, version, openDecoder: decoderOf });
}

/** A dashboard in a process of its own. */
export interface DashboardProcess extends Disposable {
  readonly url: string;
}

/** How long it may take to be ready, in milliseconds; its page may have to be built first. */
const startMilliseconds = 60_000;

/**
 * Starts the dashboard in another process. Rejects with UsageError where it does not come up; a run
 * goes on without it.
 */
export async function startDashboardProcess(workspace: string): Promise<DashboardProcess> {
  // main.ts or main.js, whichever this is.
  const main = fileURLToPath(import.meta.resolve(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js"));
  const child = spawn(
    process.execPath,
    [...process.execArgv, main, "dashboard", "--workspace", workspace, "--port", String(defaultPort)],
    { stdio: ["ignore", "ignore", "pipe", "ipc"] },
  );
  const url = await readyUrl(child);
  // The run ends when its work is done, not when the dashboard is.
  child.unref();
  child.channel?.unref();
  return {
    url,
    [Symbol.dispose]: () => {
      if (child.connected) child.disconnect();
    },
  };
}

function readyUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let errors = "";
    const fail = (): void => {
      clearTimeout(timer);
      reject(new UsageError(`The dashboard did not start. ${errors.trim()}`, "The run goes on without it."));
    };
    const timer = setTimeout(() => child.kill(), startMilliseconds);
    child.stderr?.on("data", (chunk: Buffer) => {
      errors = `${errors}${chunk}`.slice(-2000);
    });
    child.once("error", fail);
    child.once("exit", fail);
    child.once("message", (message) => {
      clearTimeout(timer);
      child.off("exit", fail);
      resolve((message as { readonly url: string }).url);
    });
  });
}
