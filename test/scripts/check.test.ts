// What `npm run check` must not let through, and what it lists as exceptions: a file or a function that is too long, an
// export that nobody uses. Each is made on purpose in an empty project with the configuration of this one.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..", "..");

/** Runs a tool of this project in a folder with this project's `config` and these files. */
function runIn(config: string, files: Readonly<Record<string, string>>, tool: string, ...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-check-"));
  try {
    copyFileSync(join(root, config), join(folder, config));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const script = join(root, "node_modules", tool);
    return spawnSync(process.execPath, [script, ...args], { cwd: folder, encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const lines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join("");
const functionOf = (count: number): string =>
  `export function long(): number {\n  let x = 0;\n${lines(count - 4, () => "  x++;\n")}  return x;\n}\n`;
const fileOf = (count: number): string => lines(count, (i) => `export const x${i} = ${i};\n`);

test("the linter refuses files above 400 lines and functions above 80, and no others", () => {
  const files = {
    "src/long-file.ts": fileOf(401),
    "src/file.ts": fileOf(399),
    "src/long-function.ts": functionOf(84),
    "src/function.ts": functionOf(80),
    "test/long-file.ts": fileOf(401),
  };
  const options = ["lint", "--vcs-enabled=false", "--reporter=github", "."];
  const { stdout, status } = runIn("biome.jsonc", files, "@biomejs/biome/bin/biome", ...options);
  const refused = [...stdout.matchAll(/lint\/[a-z]+\/(noExcessive\w+),file=(?:[^,]*\/)?(src\/[^,]+)/g)];
  expect(refused.map(([, rule, path]) => `${path}: ${rule}`).sort()).toEqual([
    "src/long-file.ts: noExcessiveLinesPerFile",
    "src/long-function.ts: noExcessiveLinesPerFunction",
  ]);
  expect(status).toBe(1);
});

test("knip refuses exports, files and dependencies that nobody uses", () => {
  const used = 'import { used } from "./used.ts";\n\nexport const all = [used];\n';
  const manifest = JSON.stringify({ name: "empty", type: "module", dependencies: { "left-pad": "1.0.0" } });
  const files = {
    "package.json": manifest,
    "src/index.ts": used,
    "src/used.ts": "export const used = 1;\nexport const forgotten = 2;\n",
    "src/left-over.ts": "export const nothing = 3;\n",
  };
  const { stdout, status } = runIn("knip.jsonc", files, "knip/bin/knip.js", "--no-config-hints");
  expect(stdout).toMatch(/forgotten +src\/used\.ts/);
  expect(stdout).toMatch(/src\/left-over\.ts/);
  expect(stdout).toMatch(/left-pad/);
  expect(stdout).not.toMatch(/\bused +src/);
  expect(status).toBe(1);
});

test("files that are excepted exist", () => {
  const excepted = readFileSync(join(root, "biome.jsonc"), "utf8").matchAll(/"(src\/[\w/-]+\.ts)"/g);
  for (const [, path] of excepted) expect(existsSync(join(root, path)), path).toBe(true);
});
