// Runs a project script with the project's own Node, installing what is missing first.
//
//   node scripts/bootstrap.mjs <script> [arguments...]
//
// This file is plain JavaScript because it is the one file that must run on the machine's own Node (20 or newer);
// everything else runs on the Node that package.json brings as a development dependency.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const ownNode = join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");

/** True when node_modules is absent, incomplete or older than the lock file. */
function needsInstall() {
  const installed = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installed) || !existsSync(ownNode)) return true;
  return statSync(join(root, "package-lock.json")).mtimeMs > statSync(installed).mtimeMs;
}

function install() {
  process.stderr.write("Installing dependencies from the npm registry (about 20 s, once)...\n");
  const result = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (result.status !== 0 || !existsSync(ownNode)) {
    process.stderr.write("`npm ci` failed. Check that the npm registry can be reached, then run the command again.\n");
    process.exit(1);
  }
}

if (needsInstall()) install();

const child = spawn(ownNode, ["--disable-warning=ExperimentalWarning", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  env: {
    ...process.env,
    PATH: `${join(root, "node_modules", ".bin")}${process.platform === "win32" ? ";" : ":"}${process.env.PATH}`,
  },
});
// The child shares the terminal and receives Ctrl-C itself; this process only waits for its orderly end.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => signal !== "SIGINT" && child.kill(signal));
}
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
