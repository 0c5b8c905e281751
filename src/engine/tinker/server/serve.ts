// The server on a port: on this machine unless told otherwise, and with a key anywhere else.
import { UsageError } from "../../../errors.ts";
import { type Access, checkKey } from "../../../http/access.ts";
import { listen } from "../../../http/listen.ts";
import { createApp } from "./app.ts";
import { Service, type ServiceOptions } from "./service.ts";

export interface ServeTinkerOptions extends ServiceOptions {
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
  /** What requests have to send; null for none, which only this machine may do without. */
  readonly key: string | null;
}

export interface TinkerServer extends AsyncDisposable {
  readonly port: number;
  /** What clients take as their base URL. */
  readonly url: string;
}

export const keyVariable = "SQLM_SERVE_KEY";

/**
 * Throws UsageError where this address may not be listened on with this key. To be called before the model is opened, which takes
 * longer.
 */
export function checkTinkerKey({ host, key }: Pick<ServeTinkerOptions, "host" | "key">): void {
  const hint = `For example: ${keyVariable}="tml-$(openssl rand -hex 16)" sqlm serve-tinker MODEL --host 0.0.0.0.`;
  checkKey({ host, key }, keyVariable, hint);
  if (key !== null && !key.startsWith("tml-")) {
    throw new UsageError(`${keyVariable} must begin with tml-: the official SDK sends no other keys.`, hint);
  }
}

/** Starts to serve an engine, which stays the caller's to dispose of. Throws UsageError where it cannot listen. */
export async function serveTinker(options: ServeTinkerOptions): Promise<TinkerServer> {
  const { host, key } = options;
  checkTinkerKey(options);
  const service = new Service(options);
  let access: Access = { port: options.port, token: key };
  const { fetch } = createApp({ service, access: () => access });
  const listening = await listen({ fetch, name: "The server", host, port: options.port, triedPorts: 0 });
  access = { port: listening.port, token: key };
  return {
    port: listening.port,
    url: listening.url,
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]();
      await listening[Symbol.asyncDispose]();
    },
  };
}
