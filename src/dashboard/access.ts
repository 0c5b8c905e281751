// Who may ask the dashboard. It answers this machine alone unless it was told to listen elsewhere; then it wants a token.
// What it shares with every server of this package is in http/access.ts.
import { type Access, type Caller, checkOrigin, equalTokens, type Refused } from "../http/access.ts";

/** What a request says about itself. */
export interface RequestFacts extends Caller {
  readonly method: string;
  /** True for what a browser shows as a page, false for what a script asks for. */
  readonly page: boolean;
  /** What the request offers as its token. */
  readonly token: string | undefined;
}

/** Null where the request may be answered. */
export function checkAccess(request: RequestFacts, access: Access): Refused | null {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { status: 405, message: "This dashboard only shows; nothing can be changed through it." };
  }
  const refused = checkOrigin(request, access, { server: "dashboard", page: request.page });
  if (refused !== null) return refused;
  if (access.token !== null && !equalTokens(request.token, access.token)) {
    return {
      status: 401,
      message: "The address that was printed when the dashboard started has the token; open that.",
    };
  }
  return null;
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
