// What a user gave, or what their machine refuses, is never called a defect of this program.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { describeError } from "../../src/cli/command.ts";
import { runCli, scriptedParts, temporaryFolder } from "./scripted-parts.ts";

describe("an experiment of the wrong shape", () => {
  test.each([
    ["5", "The experiment is no object"],
    ["{ config: {}, variants: [] }", "The experiment has no name"],
    ['{ name: "x", config: {}, variants: {} }', "The variants of the experiment x are no list"],
    ['{ name: "x", config: {} }', "The variants of the experiment x are no list"],
    ['{ name: "x", config: {}, variants: [] }', "has no variants"],
    ['{ name: "x", config: [], variants: [{ name: "a" }] }', "The config of the experiment x is no object"],
    ['{ name: "x", config: {}, variants: [null] }', "The variant is no object"],
    ['{ name: "x", config: {}, variants: [{ name: 5 }] }', "The variant has no name"],
    ['{ name: "x", config: {}, variants: [{ name: "a", config: 5 }] }', "The config of the variant a is no object"],
    [
      '{ name: "x", config: {}, variants: [{ name: "a", configs: {} }] }',
      'unknown part "configs". Did you mean "config"',
    ],
    ['{ name: "x", config: {}, variants: [{ name: "a", control: {} }] }', "The control of the variant a is no name"],
    ['{ name: "x", config: { steps: "many" }, variants: [{ name: "a" }] }', "steps must be"],
  ])("%s", async (experiment, sentence) => {
    const file = join(temporaryFolder(), "experiment.mjs");
    writeFileSync(file, `export const experiment = ${experiment};`);
    const { code, stderr } = await runCli(["experiment", file, "--workspace", temporaryFolder()], scriptedParts());
    expect(stderr).toContain(sentence);
    expect(code).toBe(2);
  });
});

test("export into what is no folder, below it, or over a folder", async () => {
  const folder = temporaryFolder();
  const model = temporaryFolder();
  writeFileSync(join(model, "config.json"), "{}");
  const workspace = ["--workspace", join(folder, ".sqlm")];
  const played = await runCli(["run", "--model", model, "--steps", "1", "--json", ...workspace], scriptedParts());
  const { run } = JSON.parse(played.stdout) as { run: string };
  writeFileSync(join(folder, "file"), "mine");
  for (const what of ["model", "jsonl", "parquet", "tensorboard"]) {
    for (const to of ["file", "file/below"]) {
      const { code, stderr } = await runCli(["export", what, run, "--to", join(folder, to), ...workspace]);
      expect(stderr, what).toMatch(/^sqlm: \/.*file.* cannot be written into \(\w+\)\.\n.*--to/);
      expect(code).toBe(2);
    }
  }
  expect(readFileSync(join(folder, "file"), "utf8")).toBe("mine");
  mkdirSync(join(folder, "out", "steps.jsonl"), { recursive: true });
  const over = await runCli(["export", "jsonl", run, "--to", join(folder, "out"), "--tables", "steps", ...workspace]);
  expect(over.stderr).toMatch(/steps\.jsonl: this is a folder, not a file \(EISDIR/);
  expect(over.code).toBe(1);
});

test("an error of the file system names the path and the refusal; any other stays a defect", () => {
  for (const code of ["EACCES", "ENOENT", "ENOSPC", "EROFS"]) {
    const error = Object.assign(new Error(`${code}: no`), { code, syscall: "open", path: "/some/file" });
    expect(describeError(error)).toMatchObject({
      exitCode: 1,
      text: expect.stringMatching(/^sqlm: \/some\/file: [a-z -]+ \(/),
    });
    expect(describeError(error).text).not.toContain("defect");
  }
  expect(describeError(new TypeError("x is not a function")).text).toContain("defect");
});
