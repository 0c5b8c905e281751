// What the client does otherwise for servers of others, seen on the real ones (docs/tinker.md).
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { open, reply } from "./bad-server.ts";
import type { TestServerOptions } from "./test-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-profiles-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A test server that says of itself what this one does. */
const titled = (title: string): Pick<TestServerOptions, "introduction" | "instead"> => ({
  introduction: {},
  instead: (path) => {
    if (path.endsWith("/archive")) return reply(200, { url: "file:///var/checkpoints/one", expires: "2030-01-01" });
    return path === "/openapi.json" ? reply(200, { info: { title } }) : undefined;
  },
});

it.each([
  ["TuFT", 0],
  ["Tinker API Mock", 1],
])("%s: gives back models that saved nothing, and %i of those that saved", async (title, given) => {
  await using opened = await open(titled(title));
  const unloaded = (): number => opened.server.seen.filter(({ path }) => path === "unload_model").length;
  await (await opened.engine.openPolicy())[Symbol.asyncDispose]();
  expect(unloaded()).toBe(1);
  const policy = await opened.engine.openPolicy();
  await policy.save(mkdtempSync(join(folder, "s-")), { optimizer: true });
  await policy[Symbol.asyncDispose]();
  expect(unloaded()).toBe(1 + given);
  // An address that is a file of the server's own machine is no download.
  expect(opened.notes).toEqual([expect.stringContaining("offers no download of adapters")]);
});
