// The package as its users get it: packed from a copy of this tree, installed into an empty project by an npm that knows
// nothing but its registry, then used there: the command, the library, the testing subpath without Vitest, the types.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, relative, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "sqlm-package-"));
const [tree, project, home] = ["tree", "project", "home"].map((name) => join(folder, name));
let installed = "";

/** Runs a command as a user of a fresh machine would; returns what it printed, on both streams. */
function run(command: string, cwd: string = project): string {
  // How the registry is reached is the machine's own affair: its certificates and proxies stay.
  const settings =
    /^(npm_(?!config_(registry|ca|cafile|proxy|https_proxy|noproxy)$)|NODE_(?!EXTRA_CA_CERTS$)|VITEST|INIT_CWD)/i;
  const inherited = Object.entries(process.env).filter(([name]) => !settings.test(name));
  const env = {
    ...Object.fromEntries(inherited),
    HOME: home,
    USERPROFILE: home,
    PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
    npm_config_update_notifier: "false",
    npm_config_fund: "false",
  };
  const { status, stdout, error } = spawnSync(`${command} 2>&1`, { cwd, env, encoding: "utf8", shell: true });
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${error?.message ?? ""}\n${stdout}`);
  return stdout;
}

/** A copy of this tree with the same packages, none of which anything done there can change. */
function copyTree(): void {
  const leftOut = new Set(["node_modules", ".git", "dist", ".sqlm"]);
  cpSync(root, tree, { recursive: true, filter: (path) => !leftOut.has(relative(root, path)) });
  const [theirs, ours] = [root, tree].map((path) => join(path, "node_modules"));
  mkdirSync(ours);
  for (const { name } of readdirSync(theirs, { withFileTypes: true }).filter((entry) => !entry.isFile())) {
    symlinkSync(join(theirs, name), join(ours, name), "junction");
  }
  // Newer than the lock file, so nothing counts as missing.
  copyFileSync(join(theirs, ".package-lock.json"), join(ours, ".package-lock.json"));
}

beforeAll(() => {
  copyTree();
  for (const path of [project, home]) mkdirSync(path);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true }));
  const name = run(`npm pack --silent --pack-destination "${folder}"`, tree).trim();
  installed = run(`npm install "${join(folder, name)}"`);
}, 900_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("packing leaves the tree as it was", () => {
  expect(readFileSync(join(tree, "package.json"), "utf8")).toBe(readFileSync(join(root, "package.json"), "utf8"));
  expect(existsSync(join(tree, "dist", "onnxruntime"))).toBe(false);
});

test("installs without a word of warning, and runs no script", () => {
  expect(installed).toMatch(/added \d+ packages/);
  expect(installed).not.toMatch(/warn|error/i);
  const lock = readFileSync(join(project, "package-lock.json"), "utf8");
  expect(lock).not.toContain("hasInstallScript");
});

test("says which Node it needs, and brings docs and examples", () => {
  const own = join(project, "node_modules", "self-questioning");
  const manifest = JSON.parse(readFileSync(join(own, "package.json"), "utf8")) as { engines: { node: string } };
  expect(manifest.engines.node).toBe(">=22.18");
  for (const path of ["docs/api.md", "docs/decisions/README.md", "examples/addition.ts", "LICENSE", "README.md"]) {
    expect(existsSync(join(own, path)), path).toBe(true);
  }
});

test("one step of self-play", () => {
  const settings = "--groups-per-batch 4 --group-size 4 --eval-questions 4";
  const said = run(`npx --no-install sqlm run arithmetic --steps 1 ${settings}`);
  expect(said).toContain("1 steps");
  expect(said).not.toContain("npm warn");
  expect(run("npx --no-install sqlm list")).toContain("arithmetic");
});

test("the library as a module and by require, and the testing subpath without Vitest", () => {
  expect(existsSync(join(project, "node_modules", "vitest"))).toBe(false);
  writeFileSync(
    join(project, "use.mjs"),
    `import { defineTopic, selfPlay } from "self-questioning";
import { createScriptedEngine, describeEngineContract, storeContract } from "self-questioning/testing";
const refused = await describeEngineContract("mine", {}).catch((error) => error.hint);
console.log(typeof defineTopic, typeof selfPlay, typeof createScriptedEngine, storeContract.length > 0, refused);
`,
  );
  const line = "function function function true Install it: npm install --save-dev vitest";
  expect(run(`"${process.execPath}" use.mjs`).trim()).toBe(line);
  writeFileSync(join(project, "use.cjs"), `console.log(typeof require("self-questioning").selfPlay);`);
  expect(run(`"${process.execPath}" use.cjs`).trim()).toContain("function");
});

test("its types hold under a compiler that checks libraries too", () => {
  writeFileSync(
    join(project, "use.ts"),
    `import { defineTopic, type Topic } from "self-questioning";
import { createScriptedEngine } from "self-questioning/testing";
export const engine = createScriptedEngine({ reply: () => "1" });
export const define: typeof defineTopic = defineTopic;
export type Mine = Topic;
`,
  );
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const options = "--noEmit --strict --module nodenext --target es2024 --lib es2024,esnext.disposable --types node";
  const types = `--typeRoots "${join(root, "node_modules", "@types")}"`;
  expect(run(`"${process.execPath}" "${compiler}" ${options} ${types} use.ts`)).toBe("");
});
