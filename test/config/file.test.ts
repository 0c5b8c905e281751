import { mkdirSync, writeFileSync } from "node:fs";
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

  test("a module gives its default export", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "sqlm.config.mjs"), "export default { steps: 5 }");
    expect(await readConfigFile(folder)).toEqual({ path: join(folder, "sqlm.config.mjs"), values: { steps: 5 } });
  });

  test("of two in a folder none is taken unsaid", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "sqlm.config.json"), "{}");
    writeFileSync(join(folder, "sqlm.config.mjs"), "export default { steps: 5 }");
    await expect(readConfigFile(folder)).rejects.toThrow("two config files here: sqlm.config.mjs and sqlm.config.json");
    expect((await readConfigFile(folder, "sqlm.config.json"))?.values).toEqual({});
  });

  test("paths in a file start at its own folder; names stay names", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "in", "own-model"), { recursive: true });
    writeFileSync(join(folder, "in", "own-model", "config.json"), "{}");
    const read = async (values: object): Promise<unknown> => {
      writeFileSync(join(folder, "in", "some.json"), JSON.stringify(values));
      return (await readConfigFile(folder, "in/some.json"))?.values;
    };
    const at = (...names: string[]): string => join(folder, ...names);
    expect(await read({ topic: "../mine.ts", model: "own-model", steps: 3 })).toEqual({
      topic: at("mine.ts"),
      model: at("in", "own-model"),
      steps: 3,
    });
    expect(await read({ topic: "mine.mjs", model: "./none" })).toEqual({
      topic: at("in", "mine.mjs"),
      model: at("in", "none"),
    });
    for (const names of [
      { topic: "algebra", model: "arithmetic" },
      { topic: "plain:files that end in .ts", model: "seed" },
      { topic: 7, model: null },
    ]) {
      expect(await read(names)).toEqual(names);
    }
  });

  test.each([
    ["gone.ts", null, "There is no config file"],
    ["broken.json", "{", "Expected property name"],
    ["broken.mjs", "export default {", "could not be loaded"],
    ["throws.mjs", "throw new Error('not today')", "not today"],
    ["empty.mjs", "export const steps = 3", "has no default export"],
  ])("%s is refused in a sentence", async (name, text, message) => {
    const folder = temporaryFolder();
    if (text !== null) writeFileSync(join(folder, name), text);
    await expect(readConfigFile(folder, name)).rejects.toThrow(message);
  });
});
