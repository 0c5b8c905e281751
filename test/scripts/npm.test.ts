// npm has nothing to say of its own when a checkout is used: no setting that it does not know, no engine that the machine's
// Node is too old for (the checkout brings its own), no package whose scripts nobody looked at.
import { execSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..", "..");
const read = (name: string) => JSON.parse(readFileSync(join(root, name), "utf8"));

test("a checkout says nothing of engines, and has no settings for npm", () => {
  expect(read("package.json")).not.toHaveProperty("engines");
  expect(existsSync(join(root, ".npmrc"))).toBe(false);
});

test("every package with an install script was decided on, and none that users install has one", () => {
  const { packages } = read("package-lock.json") as { packages: Record<string, Record<string, unknown>> };
  const decided = Object.keys(read("package.json").allowScripts);
  for (const [path, entry] of Object.entries(packages)) {
    if (entry["hasInstallScript"] !== true || entry["optional"] === true) continue;
    expect(decided).toContain(path.replace(/^.*node_modules\//, ""));
    expect(entry["dev"], path).toBe(true);
  }
});

test("npx prints nothing but what the command prints", () => {
  const home = mkdtempSync(join(tmpdir(), "sqlm-npx-"));
  try {
    const env = { ...process.env, HOME: home, USERPROFILE: home, npm_config_update_notifier: "false" };
    const said = execSync("npx sqlm --version 2>&1", { cwd: root, env, encoding: "utf8" });
    expect(said.trim()).toBe(read("package.json").version);
  } finally {
    rmSync(home, { recursive: true });
  }
});
