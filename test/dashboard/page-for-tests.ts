// A page for tests of the server, which do not look at it: the real one takes seconds to build (browser.test.ts).
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder: string | undefined;

export function pageForTests(): string {
  if (folder !== undefined) return folder;
  folder = mkdtempSync(join(tmpdir(), "sqlm-page-"));
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>sqlm</title>");
  writeFileSync(join(folder, "assets", "index-1.js"), "export {};".repeat(100));
  return folder;
}
