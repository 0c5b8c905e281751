// Finds and reads a config file: sqlm.config.ts and its siblings in the working folder, or the file that was named.
// Leaves checking its values to config-layers.ts.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, extname, isAbsolute, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { subjectOf } from "../topic-names.ts";
import { importFile } from "./import-file.ts";

/** Names that are looked for; a folder holds at most one. */
const configFileNames = ["sqlm.config.ts", "sqlm.config.mts", "sqlm.config.js", "sqlm.config.mjs", "sqlm.config.json"];

export interface ConfigFile {
  readonly path: string;
  readonly values: unknown;
}

/**
 * Reads `named`, or the one of `configFileNames` in `folder`; undefined when none is named and none is there. Paths in it
 * start at its own folder. Throws UsageError when the file is missing, does not load or exports nothing, and when several
 * lie in the folder.
 *
 * @example
 * import { readConfigFile, resolveConfig } from "self-questioning";
 *
 * const { config } = resolveConfig({ file: await readConfigFile(process.cwd()) });
 * console.log(config.steps);
 */
export async function readConfigFile(folder: string, named?: string): Promise<ConfigFile | undefined> {
  const path = named === undefined ? onlyConfigFile(folder) : resolve(folder, named);
  if (path === undefined) return undefined;
  if (!existsSync(path)) {
    throw new UsageError(`There is no config file ${path}.`, "Check the path given to --config.");
  }
  const values = extname(path) === ".json" ? await readJson(path) : await importDefault(path);
  return { path, values: withPathsFrom(dirname(path), values) };
}

function onlyConfigFile(folder: string): string | undefined {
  const [first, second] = configFileNames.filter((name) => existsSync(resolve(folder, name)));
  if (first === undefined) return undefined;
  if (second === undefined) return resolve(folder, first);
  throw new UsageError(
    `There are two config files here: ${first} and ${second}.`,
    `Remove one, or say which one counts: --config ${first}.`,
  );
}

/**
 * Settings with the paths of topic and model as seen from `folder`, where they are paths: a name of a topic, a model or a
 * run stays as it is. What is not an object of settings is given back unchanged.
 */
export function withPathsFrom(folder: string, values: unknown): unknown {
  if (typeof values !== "object" || values === null || Array.isArray(values)) return values;
  const { topic, model, ...others } = values as Readonly<Record<string, unknown>>;
  const files = ["evalFile", "examples"].flatMap((key) => {
    const path = others[key];
    return typeof path === "string" && path !== "none" ? [[key, resolve(folder, path)]] : [];
  });
  return {
    ...values,
    ...Object.fromEntries(files),
    ...(typeof topic === "string" && isTopicFile(topic) ? { topic: resolve(folder, topic) } : {}),
    ...(typeof model === "string" && isModelFolder(folder, model) ? { model: resolve(folder, model) } : {}),
  };
}

const isTopicFile = (topic: string): boolean => subjectOf(topic) === null && /\.m?[jt]s$/.test(topic);

/** True for a path that says that it is one, and for the name of a model's folder or file beside the config file. */
function isModelFolder(folder: string, model: string): boolean {
  if (isAbsolute(model) || model === "seed") return false;
  if (/^\.{1,2}[/\\]/.test(model)) return true;
  return (
    existsSync(resolve(folder, model, "config.json")) || (model.endsWith(".gguf") && existsSync(resolve(folder, model)))
  );
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
  const loaded = await importFile(path, "config file");
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
