import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { addConfigFlags, configFlagValues, optionsOfKey } from "../../src/cli/config-flags.ts";
import { projectParts } from "../../src/cli/parts.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { configKeys, runConfigSchema } from "../../src/config/config.ts";
import { configJsonSchema, flagName, resolveConfig } from "../../src/config/layers.ts";
import { packageRoot } from "../../src/model/find-model.ts";

/** The config values that these arguments give. */
function parse(args: readonly string[]): Record<string, unknown> {
  const command = addConfigFlags(new Command("run").exitOverride());
  command.parse(args, { from: "user" });
  return configFlagValues(command.opts());
}

test("every key has a flag whose help says what it is for and what its default is", () => {
  const help = addConfigFlags(new Command("run")).configureHelp({ helpWidth: 400 }).helpInformation();
  for (const key of configKeys) {
    const line = help.split("\n").find((text) => text.trim().startsWith(`${flagName(key)} `));
    expect(line).toContain(runConfigSchema.shape[key].description);
    expect(line).toContain(`(default: ${runConfigSchema.parse({})[key]})`);
  }
});

test("a value given as a flag is the value in force, for every key", () => {
  const valid = resolveConfig({ flags: { preset: "paper" } }).config;
  for (const key of configKeys) {
    // Clips are in force beside this loss only, probes with a guard, a server's settings where there is one, files of questions in words.
    const server = ["baseUrl", "tokenizer"].includes(key) ? { engine: "tinker" as const } : {};
    const words = ["evalFile", "examples"].includes(key) ? { topic: "plain:sums" } : {};
    const guarded = /^(probe|guard.)/.test(key) ? { guard: "note" as const } : {};
    const file = { path: "sqlm.config.ts", values: { lossFn: "ppo" as const, ...server, ...words, ...guarded } };
    const value = valid[key];
    const off = flagName(key).replace("--", "--no-");
    const args = typeof value === "boolean" ? [value ? flagName(key) : off] : [flagName(key), String(value)];
    expect(resolveConfig({ file, flags: parse(args) }).config[key]).toBe(value);
  }
});

test("flags that are not given are not there, whatever their defaults", () => {
  expect(parse([])).toEqual({});
});

test("numbers survive the way through text, others reach the check as they are", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      // Text has no negative zero.
      expect(parse(["--malformed-reward", String(value)])["malformedReward"]).toBe(value + 0);
    }),
  );
  for (const text of ["", " ", "0x10", "1_000", "Infinity", "NaN", "1,5", "--"]) {
    expect(() => resolveConfig({ flags: parse(["--malformed-reward", text]) })).toThrow("must be a number");
  }
});

test("names of a fixed set are offered by help and completion, and checked by the schema", () => {
  expect(optionsOfKey("lossFn")[0].argChoices).toContain("cispo");
  expect(parse(["--loss-fn", "nonsense"])).toEqual({ lossFn: "nonsense" });
});

test("no command gives one option two meanings", () => {
  for (const command of buildProgram(projectParts).commands) {
    const names = command.options.map(({ long }) => long);
    expect(new Set(names).size, command.name()).toBe(names.length);
  }
});

test("sqlm.schema.json is current (npm run build writes it)", () => {
  const written: unknown = JSON.parse(readFileSync(join(packageRoot, "sqlm.schema.json"), "utf8"));
  expect(written).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
});
