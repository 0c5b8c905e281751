// Code that a reader copies: the README's, the examples, the templates and every @example of the API. Each is compiled
// against the package's declarations under the compiler's default options and under others that people use, and runs as
// it is printed.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSources } from "../scripts/architecture.ts";

const root = resolve(import.meta.dirname, "..");
const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
const folder = mkdtempSync(join(tmpdir(), "sqlm-snippets-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The ```ts blocks of a page, and the examples in docstrings, by the file that they are tried in. */
function snippets(): Map<string, string> {
  const found = new Map<string, string>();
  const readme = readFileSync(join(root, "README.md"), "utf8");
  for (const [index, [, code]] of [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].entries()) {
    found.set(`readme-${index + 1}.ts`, code);
  }
  for (const [path, source] of readSources(join(root, "src"))) {
    for (const [index, [, code]] of [...source.matchAll(/^ \* @example\n((?: \*.*\n)+?) \*\//gm)].entries()) {
      found.set(`${path.replaceAll(/[/.]/g, "-")}-${index + 1}.ts`, code.replaceAll(/^ \* ?/gm, ""));
    }
  }
  return found;
}

const all = snippets();

beforeAll(() => {
  // The package as its users see it: declarations only, under its own name.
  const own = join(folder, "node_modules", "self-questioning");
  mkdirSync(own, { recursive: true });
  execFileSync(
    process.execPath,
    [
      compiler,
      "-p",
      "tsconfig.build.json",
      "--emitDeclarationOnly",
      "--declarationMap",
      "false",
      "--outDir",
      join(own, "dist"),
    ],
    { cwd: root },
  );
  cpSync(join(root, "package.json"), join(own, "package.json"));
  for (const name of ["zod", "@types", "undici-types"]) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name), "junction");
  }
  for (const [name, code] of all) writeFileSync(join(folder, name), code);
  for (const kind of ["examples", "templates"]) cpSync(join(root, kind), join(folder, kind), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
});

it("there are snippets in the README and of the main functions", () => {
  expect([...all.keys()].filter((name) => name.startsWith("readme")).length).toBeGreaterThan(1);
  expect(all.size).toBeGreaterThan(10);
  for (const [name, code] of all) expect(code, name).toMatch(/^import .* from "self-questioning";$/m);
});

describe("compiles", () => {
  const files = ["*.ts", "examples/*.ts", "templates/**/*.ts"];
  const options: Readonly<Record<string, object>> = {
    "with the options of `tsc --init`": {
      module: "nodenext",
      target: "esnext",
      types: ["node"],
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      strict: true,
      verbatimModuleSyntax: true,
      isolatedModules: true,
      noUncheckedSideEffectImports: true,
      moduleDetection: "force",
      skipLibCheck: true,
    },
    "with no options but how Node resolves modules": { module: "nodenext", target: "esnext", types: ["node"] },
    "for a bundler, not strict": {
      module: "esnext",
      moduleResolution: "bundler",
      target: "esnext",
      types: ["node"],
      strict: false,
      skipLibCheck: true,
    },
  };
  it.each(Object.keys(options))("%s", (name) => {
    const compilerOptions = { noEmit: true, allowImportingTsExtensions: true, ...options[name] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: files }));
    const { stdout, status } = spawnSync(process.execPath, [compiler, "-p", folder], { encoding: "utf8" });
    expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
  });
});

it("runs as it is printed", () => {
  const register = new URL("../src/cli/register.ts", import.meta.url).href;
  const runner = join(folder, "run-all.mjs");
  const names = [...all.keys(), ...readdirSync(join(root, "examples")).map((name) => `examples/${name}`)];
  const list = names.filter((name) => name.endsWith(".ts"));
  writeFileSync(
    runner,
    `for (const name of ${JSON.stringify(list)}) {
       try { await import("./" + name); } catch (error) { console.log("FAILED " + name, error); process.exitCode = 1; }
     }`,
  );
  const args = ["--disable-warning=ExperimentalWarning", "--import", register, runner];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  expect({ failed: stdout.match(/FAILED[\s\S]*/)?.[0], stderr, status }).toEqual({ stderr: "", status: 0 });
  // The README's run of the library printed its steps, and its record is where it says.
  expect(stdout).toMatch(/^4 \.?\d/m);
  expect(readdirSync(join(folder, ".sqlm", "runs")).length).toBeGreaterThan(0);
});
