// Files that a user wrote and that do not load: each says where. In a process of its own, since the test runner brings its
// own loader.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "sqlm-import-"));
afterAll(() => rmSync(folder, { recursive: true }));

const files: Readonly<Record<string, readonly [text: string, message: string | RegExp]>> = {
  "good.ts": ["export const a: number = 1;", "loaded"],
  "syntax.ts": ["export const a = 1;\nexport const b = ;\n", `syntax.ts:2.`],
  "syntax.mjs": ["export const a = 1;\n\nexport const b = ;\n", `syntax.mjs:3.`],
  "importing.ts": ['import "./syntax.ts";', `syntax.ts:2.`],
  "importing.mjs": ['\nimport "./importing-too.mjs";', `syntax.mjs:3.`],
  "importing-too.mjs": ['import "./syntax.mjs";', `syntax.mjs:3.`],
  "enum.ts": ["export {};\nenum A { x }\n", /enum is not supported.*enum\.ts:2/],
  "name.ts": [
    "const a: number = 1;\nexport const b = a;\nfoo.bar();",
    /ReferenceError: foo is not defined, at .*name\.ts:3/,
  ],
  "missing-export.ts": [
    '\nimport { q } from "./good.ts";',
    /does not provide an export named 'q', at .*missing-export\.ts:2/,
  ],
  "missing-file.ts": ['import { q } from "./none.ts";', /Cannot find module .*none\.ts/],
  "missing-package.ts": ['import "no-such-package";', /Cannot find package 'no-such-package'/],
  "throws.ts": ['throw "text";', "string text"],
  "waits.mjs": ["await new Promise(() => {});", "waits for something that never comes"],
};

it("each names the file and the line", () => {
  for (const [name, [text]] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const script = join(folder, "try-all.ts");
  writeFileSync(
    script,
    `import { importFile } from ${JSON.stringify(new URL("../../src/config/import-file.ts", import.meta.url).href)};
     const messages: Record<string, string> = {};
     for (const name of ${JSON.stringify(Object.keys(files))}) {
       try { await importFile(${JSON.stringify(folder)} + "/" + name, "topic file"); messages[name] = "loaded"; }
       catch (error) { messages[name] = (error as Error).name + " " + (error as Error).message; }
     }
     console.log(JSON.stringify(messages));`,
  );
  const output = execFileSync(process.execPath, [script], { encoding: "utf8" });
  const messages = JSON.parse(output) as Record<string, string>;
  for (const [name, [, message]] of Object.entries(files)) {
    expect(messages[name]).toMatch(message);
    if (message !== "loaded")
      expect(messages[name]).toMatch(/^UsageError The topic file \/.* could not be loaded: [^\n]+\.$/);
  }
});
