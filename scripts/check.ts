// `npm run check`: types; lint, with the limits on the length of files and functions; exports, files and dependencies that
// nobody uses; the table of the architecture. Each is run whatever came of the others, so that one look shows everything.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const checks: readonly (readonly [name: string, script: string, ...args: string[]])[] = [
  ["types", "node_modules/typescript/bin/tsc", "--noEmit"],
  ["types of the dashboard's page", "node_modules/typescript/bin/tsc", "--noEmit", "-p", "src/dashboard/page"],
  ["lint", "node_modules/@biomejs/biome/bin/biome", "check", "."],
  ["unused", "node_modules/knip/bin/knip.js"],
  ["architecture", "scripts/architecture.ts"],
];

const failed = checks.filter(([name, script, ...args]) => {
  process.stdout.write(`${name}\n`);
  return spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: "inherit" }).status !== 0;
});
if (failed.length > 0) {
  process.stderr.write(`Failed: ${failed.map(([name]) => name).join(", ")}.\n`);
  process.exitCode = 1;
}
