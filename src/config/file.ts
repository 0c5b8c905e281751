// Finds and reads a config file: sqlm.config.ts and its siblings in the working folder, or the file that was named.
// Leaves checking its values to config-layers.ts.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { UsageError } from "../errors.ts";

/** Names that are looked for, the first found wins. */
export const configFileNames = [
  "sqlm.config.ts",
  "sqlm.config.mts",
  "sqlm.config.js",
  "sqlm.config.mjs",
  "sqlm.config.json",
];

export interface ConfigFile {
  readonly path: string;
  readonly values: unknown;
}

/**
 * Reads `named`, or the first of `configFileNames` in `folder`; undefined when none is named and none is there.
 * Throws UsageError when the file is missing, does not load or exports nothing.
 */
export async function readConfigFile(folder: string, named?: string): Promise<ConfigFile | undefined> {
  const path =
    named === undefined
      ? configFileNames.map((name) => resolve(folder, name)).find((candidate) => existsSync(candidate))
      : resolve(folder, named);
  if (path === undefined) return undefined;
  if (!existsSync(path)) {
    throw new UsageError(`There is no config file ${path}.`, "Check the path given to --config.");
  }
  return { path, values: extname(path) === ".json" ? await readJson(path) : await importDefault(path) };
}

async function readJson(path: string): Promise<unknown> {
  try {
    const values: unknown = JSON.parse(await readFile(path, "utf8"));
    // `$schema` is the editors' key, not ours.
    if (typeof values === "object" && values !== null && "$schema" in values) {
      const { $schema: _, ...rest } = values;
      return rest;
    }
    return values;
  } catch (cause) {
    throw new UsageError(`${path}: ${problem(cause)}.`, "A .json config file holds one JSON object of settings.", {
      cause,
    });
  }
}

async function importDefault(path: string): Promise<unknown> {
  let loaded: Record<string, unknown>;
  try {
    loaded = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw new UsageError(`${path} does not load: ${problem(cause)}`, "The file must run on its own with `node`.", {
      cause,
    });
  }
  if (loaded["default"] === undefined) {
    throw new UsageError(
      `${path} has no default export.`,
      "End it with: export default defineConfig({ ... }), or export default { ... }.",
    );
  }
  return loaded["default"];
}

function problem(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
}
