// Who may ask the dashboard. It answers this machine alone unless it was told to listen elsewhere; then it wants a token.
// Pages of other origins get nothing either way: neither by asking for this server's data, nor by making their own name
// point at this machine (DNS rebinding).
import { timingSafeEqual } from "node:crypto";

export interface Access {
  /** The port that it listens on. */
  readonly port: number;
  /** Null where it listens on this machine alone. */
  readonly token: string | null;
}

/** What a request says about itself. */
export interface RequestFacts {
  readonly method: string;
  /** True for what a browser shows as a page, false for what a script asks for. */
  readonly page: boolean;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Fetch metadata, which browsers add and pages cannot forge. */
  readonly fetchSite: string | undefined;
  /** What the request offers as its token. */
  readonly token: string | undefined;
}

export interface Refused {
  readonly status: 400 | 401 | 403 | 405;
  readonly message: string;
}

/** Null where the request may be answered. */
export function checkAccess(request: RequestFacts, { port, token }: Access): Refused | null {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { status: 405, message: "This dashboard only shows; nothing can be changed through it." };
  }
  const { host } = request;
  if (host === undefined) return { status: 400, message: "The request names no host." };
  if (token === null && !loopbackHosts.some((name) => host === `${name}:${port}` || (port === 80 && host === name))) {
    return { status: 403, message: "This dashboard answers to the names of this machine only." };
  }
  if (request.origin !== undefined && request.origin !== `http://${host}`) {
    return { status: 403, message: "Pages of other origins may not ask this dashboard." };
  }
  // A link from elsewhere may open the page, which then asks for itself.
  const own = [undefined, "same-origin", "none"].includes(request.fetchSite);
  if (!own && !request.page) {
    return { status: 403, message: "Pages of other origins may not ask this dashboard." };
  }
  if (token !== null && !equalTokens(request.token, token)) {
    return {
      status: 401,
      message: "The address that was printed when the dashboard started has the token; open that.",
    };
  }
  return null;
}

const loopbackHosts = ["127.0.0.1", "localhost", "[::1]"];

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Compares in a time that says nothing about where two tokens differ. */
function equalTokens(given: string | undefined, token: string): boolean {
  if (given === undefined) return false;
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Headers of every reply. Nothing but this server's own files runs or loads, and nobody may frame the page. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Frame-Options": "DENY",
};
