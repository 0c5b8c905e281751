// Who may ask a server of this machine, for whatever it serves: names of the host, origins of pages, keys. Pages of other
// origins get nothing: neither by asking for this server's data, nor by making their own name point at this machine (DNS
// rebinding). What a server answers, and to which methods, is its own affair.
import { timingSafeEqual } from "node:crypto";
import { UsageError } from "../errors.ts";

export interface Access {
  /** The port that it listens on. */
  readonly port: number;
  /** What a request has to show. Null where it listens on this machine alone and asks for nothing. */
  readonly token: string | null;
}

/** What a request says about where it comes from. */
export interface Caller {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Fetch metadata, which browsers add and pages cannot forge. */
  readonly fetchSite: string | undefined;
}

export interface Refused {
  readonly status: 400 | 401 | 403 | 405;
  readonly message: string;
}

/**
 * Null where the caller is no page of another origin.
 * @param server what it calls itself in a refusal
 * @param page true for what a browser shows as a page, which a link from elsewhere may open: it then asks for itself
 */
export function checkOrigin(
  { host, origin, fetchSite }: Caller,
  { port, token }: Access,
  { server, page = false }: { readonly server: string; readonly page?: boolean },
): Refused | null {
  if (host === undefined) return { status: 400, message: "The request names no host." };
  if (token === null && !loopbackHosts.some((name) => host === `${name}:${port}` || (port === 80 && host === name))) {
    return {
      status: 403,
      message: `This ${server} answers at http://127.0.0.1:${port} only: a tunnel to it must have the same port at both ends.`,
    };
  }
  const others = { status: 403, message: `Pages of other origins may not ask this ${server}.` } as const;
  if (origin !== undefined && origin !== `http://${host}`) return others;
  if (fetchSite !== undefined && !["same-origin", "none"].includes(fetchSite) && !page) return others;
  return null;
}

const loopbackHosts = ["127.0.0.1", "localhost", "[::1]"];

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Compares in a time that says nothing about where two tokens differ. */
export function equalTokens(given: string | undefined, token: string): boolean {
  if (given === undefined) return false;
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Shorter ones can be guessed by who may try often. */
const shortestKey = 16;

/**
 * Throws UsageError where an address may not be listened on with this key: beyond this machine one is needed.
 * @param variable names it to the user
 */
export function checkKey(
  { host, key }: { readonly host: string; readonly key: string | null },
  variable: string,
  hint: string,
): void {
  if (key !== null && !/^[\x21-\x7e]+$/.test(key)) {
    throw new UsageError(`${variable} may have visible ASCII characters only: it is sent in a header.`, hint);
  }
  if (isLoopback(host)) return;
  if (key === null)
    throw new UsageError(`To listen on ${host}, beyond this machine, a key is needed in ${variable}.`, hint);
  if (key.length < shortestKey) {
    throw new UsageError(`Beyond this machine ${variable} must have at least ${shortestKey} characters.`, hint);
  }
}
