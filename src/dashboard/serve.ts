// Listens: on this machine unless told otherwise, on the port that was asked for or the next free one.
import { randomBytes } from "node:crypto";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { UsageError } from "../errors.ts";
import { FollowedStore } from "../store/follow.ts";
import { type Access, isLoopback } from "./access.ts";
import { type AppOptions, createApp } from "./app.ts";
import { readPageFiles } from "./page-files.ts";

export interface ServeOptions extends Pick<AppOptions, "version" | "openDecoder"> {
  readonly workspace: string;
  /** Folder that the page was built into. */
  readonly page: string;
  readonly host: string;
  /** The next free one is taken where it is not free; 0 takes any. */
  readonly port: number;
}

export interface RunningDashboard extends AsyncDisposable {
  /** Where the page is; where it wants a token, with the token in it. */
  readonly url: string;
  readonly port: number;
}

/** Ports that are tried after the one that was asked for. */
const triedPorts = 100;

/** Starts to serve. The workspace need not exist yet. Throws UsageError where the address cannot be listened on. */
export async function serveDashboard(options: ServeOptions): Promise<RunningDashboard> {
  const { host, workspace, page, version, openDecoder } = options;
  const store = new FollowedStore(workspace);
  let access: Access = { port: options.port, token: null };
  const app = createApp({ store, page: readPageFiles(page), access: () => access, version, openDecoder });
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  try {
    await listen(server, host, options.port);
  } catch (error) {
    store[Symbol.dispose]();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  const token = isLoopback(host) ? null : randomBytes(16).toString("base64url");
  access = { port, token };
  const name = host.includes(":") ? `[${host}]` : host;
  return {
    port,
    url: `http://${name}:${port}/${token === null ? "" : `?token=${token}`}`,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      // Pages keep a connection open for events.
      server.closeAllConnections();
      await closed;
      store[Symbol.dispose]();
    },
  };
}

async function listen(server: Server, host: string, first: number): Promise<void> {
  const last = first === 0 ? 0 : Math.min(65_535, first + triedPorts);
  for (let port = first; port <= last; port++) {
    const code = await tryListen(server, host, port);
    if (code === null) return;
    if (code === "EADDRINUSE") continue;
    throw new UsageError(
      `The dashboard cannot listen on ${host}, port ${port} (${code}).`,
      "Leave --host out to show it on this machine, or choose another --port.",
    );
  }
  throw new UsageError(`Ports ${first} to ${last} are taken.`, "Choose another with --port; 0 takes any that is free.");
}

/** Null where it listens now, else the code of what is in the way. */
function tryListen(server: Server, host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      server.off("listening", listening);
      resolve(error.code ?? error.message);
    };
    const listening = (): void => {
      server.off("error", failed);
      resolve(null);
    };
    server.once("error", failed);
    server.once("listening", listening);
    server.listen(port, host);
  });
}
