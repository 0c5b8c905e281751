import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readConfigFile } from "../../src/config/file.ts";
import { temporaryFolder } from "../cli/scripted-parts.ts";

describe("config files", () => {
  test("none is found where there is none", async () => {
    expect(await readConfigFile(temporaryFolder())).toBeUndefined();
  });

  test("a .json file may name its schema for editors", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "sqlm.config.json"), '{"$schema": "./sqlm.schema.json", "steps": 4}');
    expect((await readConfigFile(folder))?.values).toEqual({ steps: 4 });
  });

  test("a module gives its default export, and goes before .json", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "sqlm.config.json"), "{}");
    writeFileSync(join(folder, "sqlm.config.mjs"), "export default { steps: 5 }");
    expect(await readConfigFile(folder)).toEqual({ path: join(folder, "sqlm.config.mjs"), values: { steps: 5 } });
  });

  test.each([
    ["gone.ts", null, "There is no config file"],
    ["broken.json", "{", "Expected property name"],
    ["broken.mjs", "export default {", "does not load"],
    ["throws.mjs", "throw new Error('not today')", "not today"],
    ["empty.mjs", "export const steps = 3", "has no default export"],
  ])("%s is refused in a sentence", async (name, text, message) => {
    const folder = temporaryFolder();
    if (text !== null) writeFileSync(join(folder, name), text);
    await expect(readConfigFile(folder, name)).rejects.toThrow(message);
  });
});
