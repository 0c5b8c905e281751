// The dashboard on a port: on this machine unless told otherwise, on the port that was asked for or the next free one.
import { randomBytes } from "node:crypto";
import { type Access, isLoopback } from "../http/access.ts";
import { type Listening, listen } from "../http/listen.ts";
import { FollowedStore } from "../store/follow.ts";
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
  const token = isLoopback(host) ? null : randomBytes(16).toString("base64url");
  let access: Access = { port: options.port, token };
  const { fetch } = createApp({ store, page: readPageFiles(page), access: () => access, version, openDecoder });
  let listening: Listening;
  try {
    listening = await listen({ fetch, name: "The dashboard", host, port: options.port, triedPorts });
  } catch (error) {
    store[Symbol.dispose]();
    throw error;
  }
  const { port, url } = listening;
  access = { port, token };
  return {
    port,
    url: `${url}/${token === null ? "" : `?token=${token}`}`,
    [Symbol.asyncDispose]: async () => {
      await listening[Symbol.asyncDispose]();
      store[Symbol.dispose]();
    },
  };
}
