// The API reference: declarations are read whole, with their docstrings, and the committed page has every export.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { readDeclarations, readEntryPoint, renderReference } from "../../scripts/api-reference.ts";
import * as library from "../../src/index.ts";
import * as testing from "../../src/testing/index.ts";

const declarations = `import type { Random } from "./random.ts";
/** Where a run lies. */
export interface Place {
    /** Its folder. */
    readonly folder: string;
}
interface Hidden {
    readonly secret: string;
}
/**
 * Adds two numbers.
 * Throws RangeError for more.
 * @param a the first
 * @example
 * add(1, 2);
 */
export declare function add(a: number, b: {
    readonly value: number;
}): number;
export declare function add(a: string): string;
export declare class Store {
    #private;
    close(): void;
}
export type Kind =
    | "one"
    | "two";
export {};
`;

describe("readDeclarations", () => {
  const entries = readDeclarations(declarations);

  it("finds what is exported and nothing else", () => {
    expect([...entries.keys()]).toEqual(["Place", "add", "Store", "Kind"]);
  });

  it("keeps signatures whole, overloads together, and leaves out what is private", () => {
    expect(entries.get("Place")?.signature).toBe(
      "interface Place {\n    /** Its folder. */\n    readonly folder: string;\n}",
    );
    expect(entries.get("add")?.signature).toBe(
      "function add(a: number, b: {\n    readonly value: number;\n}): number;\nfunction add(a: string): string;",
    );
    expect(entries.get("Store")?.signature).toBe("class Store {\n    close(): void;\n}");
    expect(entries.get("Kind")?.signature).toBe('type Kind =\n    | "one"\n    | "two";');
  });

  it("takes docstrings out of their frame", () => {
    expect(entries.get("Place")?.doc).toBe("Where a run lies.");
    expect(entries.get("add")?.doc).toContain("Adds two numbers.\nThrows RangeError for more.\n@param a the first");
    expect(entries.get("Store")?.doc).toBe("");
  });
});

describe("readEntryPoint", () => {
  const read = (path: string): string =>
    path === "index" ? 'export { type Place, add as plus } from "./a.js";\nexport * from "./b/c.ts";\n' : declarations;

  it("follows re-exports, renamed ones and whole modules", () => {
    const modules = readEntryPoint("index", read);
    expect(modules.map(({ path, entries }) => [path, entries.map(({ name }) => name)])).toEqual([
      ["a.ts", ["Place", "plus"]],
      ["b/c.ts", ["Place", "add", "Store", "Kind"]],
    ]);
    const page = renderReference([{ name: "sqlm", modules }], (path) => `About ${path}.`);
    expect(page).toContain("### a.ts\n\nAbout a.ts.\n");
    expect(page).toContain("- `a`: the first\n\nExample:\n\n```ts\nadd(1, 2);\n```");
  });

  it("refuses a name that a module does not declare", () => {
    expect(() => readEntryPoint("index", () => 'export { gone } from "./a.ts";')).toThrow(/does not declare gone/);
  });
});

it("docs/api.md has every exported value; `npm run docs` writes it anew", () => {
  const page = readFileSync(resolve(import.meta.dirname, "../../docs/api.md"), "utf8");
  const missing = Object.keys({ ...library, ...testing }).filter((name) => !page.includes(`\n#### ${name}\n`));
  expect(missing).toEqual([]);
});
