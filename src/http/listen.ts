// Listens: on the port that was asked for or, where that is wanted, the next free one.
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { UsageError } from "../errors.ts";

export interface ListenOptions {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** What listens, in words, to begin a sentence with. */
  readonly name: string;
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
  /** Ports that are tried after the one that was asked for. */
  readonly triedPorts: number;
}

export interface Listening extends AsyncDisposable {
  readonly port: number;
  /** `http://host:port`. */
  readonly url: string;
}

/** Begins to listen; disposed of, it ends every connection. Throws UsageError where it cannot. */
export async function listen({ fetch, name, host, port: first, triedPorts }: ListenOptions): Promise<Listening> {
  const server = createAdaptorServer({ fetch }) as Server;
  const last = first === 0 ? 0 : Math.min(65_535, first + triedPorts);
  for (let port = first; ; port++) {
    const code = await tryListen(server, host, port);
    if (code === null) break;
    if (code !== "EADDRINUSE") {
      throw new UsageError(
        `${name} cannot listen on ${host}, port ${port} (${code}).`,
        "Leave --host out to listen on this machine, or choose another --port.",
      );
    }
    if (port >= last) {
      const taken = first === last ? `Port ${first} is taken.` : `Ports ${first} to ${last} are taken.`;
      throw new UsageError(taken, "Choose another with --port; 0 takes any that is free.");
    }
  }
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      // Some keep a connection open for what is still to come.
      server.closeAllConnections();
      await closed;
    },
  };
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
