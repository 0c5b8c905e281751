// The server on a port: on this machine unless told otherwise, and with a key anywhere else.
import type { Player } from "../engine/engine.ts";
import { type Access, checkKey } from "../http/access.ts";
import { listen } from "../http/listen.ts";
import { createApp } from "./app.ts";
import { Batcher, type BatcherOptions } from "./batcher.ts";

export interface ServeModelOptions extends BatcherOptions {
  readonly player: Player;
  /** The name that requests give the model. */
  readonly model: string;
  /** Tokens of a reply where a request names no number. */
  readonly maxTokens: number;
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
  /** What requests have to send as their bearer token; null for none, which only this machine may do without. */
  readonly key: string | null;
  /** Told of every error that is no client's doing. */
  readonly report: (error: unknown) => void;
}

export interface RunningServer extends AsyncDisposable {
  readonly port: number;
  /** What clients take as their base URL. */
  readonly url: string;
}

/**
 * Throws UsageError where this address may not be listened on with this key. To be called before the model is opened, which takes
 * longer.
 */
export function checkServeKey(options: Pick<ServeModelOptions, "host" | "key">): void {
  const hint = 'For example: SQLM_SERVE_KEY="$(openssl rand -hex 16)" sqlm serve MODEL --host 0.0.0.0.';
  checkKey(options, "SQLM_SERVE_KEY", hint);
}

/** Starts to serve a player, which stays the caller's to dispose of. Throws UsageError where it cannot listen. */
export async function serveModel(options: ServeModelOptions): Promise<RunningServer> {
  const { player, model, maxTokens, host, key, report } = options;
  checkServeKey(options);
  const batcher = new Batcher(player, options);
  let access: Access = { port: options.port, token: key };
  const { fetch } = createApp({ player, batcher, model, maxTokens, access: () => access, report });
  const listening = await listen({ fetch, name: "The server", host, port: options.port, triedPorts: 0 });
  access = { port: listening.port, token: key };
  return {
    port: listening.port,
    url: `${listening.url}/v1`,
    [Symbol.asyncDispose]: async () => {
      batcher[Symbol.dispose]();
      await listening[Symbol.asyncDispose]();
    },
  };
}
