import { describe, expect, test } from "vitest";
import { checkAccess, type RequestFacts } from "../../src/dashboard/access.ts";
import { isLoopback } from "../../src/http/access.ts";

const local = { port: 4750, token: null };
const remote = { port: 4750, token: "secret-token" };
const request: RequestFacts = {
  method: "GET",
  page: false,
  host: "127.0.0.1:4750",
  origin: undefined,
  fetchSite: undefined,
  token: undefined,
};
const statusOf = (change: Partial<RequestFacts>, access: typeof local | typeof remote = local): number | undefined =>
  checkAccess({ ...request, ...change }, access)?.status;

describe("who may ask", () => {
  test.each([
    [{}],
    [{ host: "localhost:4750" }],
    [{ host: "[::1]:4750" }],
    [{ method: "HEAD" }],
    [{ origin: "http://127.0.0.1:4750", fetchSite: "same-origin" }],
    [{ page: true, fetchSite: "cross-site" }],
    [{ fetchSite: "none" }],
  ])("this machine: %j", (change) => {
    expect(statusOf(change)).toBeUndefined();
  });

  test.each([
    [{ host: "evil.example:4750" }, 403],
    // A name that was made to point here, as in DNS rebinding.
    [{ host: "evil.example" }, 403],
    [{ host: "127.0.0.1:80" }, 403],
    [{ host: "127.0.0.1.evil.example:4750" }, 403],
    [{ host: undefined }, 400],
    [{ origin: "http://evil.example" }, 403],
    [{ origin: "null" }, 403],
    // Another server of this machine.
    [{ origin: "http://127.0.0.1:3000" }, 403],
    [{ fetchSite: "cross-site" }, 403],
    [{ fetchSite: "same-site" }, 403],
    [{ method: "POST" }, 405],
    [{ method: "DELETE" }, 405],
    [{ method: "OPTIONS" }, 405],
  ] as const)("nobody else: %j", (change, status) => {
    expect(statusOf(change)).toBe(status);
  });

  test("beyond this machine, only who has the token", () => {
    const host = "laptop.local:4750";
    expect(statusOf({ host }, remote)).toBe(401);
    expect(statusOf({ host, page: true }, remote)).toBe(401);
    expect(statusOf({ host, token: "secret-toke" }, remote)).toBe(401);
    expect(statusOf({ host, token: "secret-tokeN" }, remote)).toBe(401);
    expect(statusOf({ host, token: "sécret-token" }, remote)).toBe(401);
    expect(statusOf({ host, token: "secret-token" }, remote)).toBeUndefined();
    expect(statusOf({ host, token: "secret-token", origin: "http://evil.example" }, remote)).toBe(403);
  });

  test("only addresses of this machine need no token", () => {
    expect(["127.0.0.1", "127.8.9.1", "::1", "localhost"].every(isLoopback)).toBe(true);
    expect(["0.0.0.0", "::", "192.168.1.2", "127.0.0.1.example", "localhost.example", ""].some(isLoopback)).toBe(false);
  });
});
